//! What time it is, handed down from the composition root, so that a test can live through a year in seconds.
//!
//! It only ever delays and schedules; nothing is decided by who was first on a clock.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

/// Cheap to clone; clones tell the same time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's own.
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// Tells what this function says.
    pub fn telling(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}
