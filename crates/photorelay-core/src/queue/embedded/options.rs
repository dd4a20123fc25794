//! The options of the queue file and their defaults.

use std::fmt;

use crate::clock::Clock;

/// Options of an embedded queue store.
#[derive(Clone)]
pub struct EmbeddedQueueOptions {
    /// Decides when messages become visible.
    pub clock: Clock,
    /// The maximum size of the file in bytes, beyond which sending fails as on a full disk. `None` means no limit.
    pub largest_file: Option<u64>,
}

impl Default for EmbeddedQueueOptions {
    fn default() -> Self {
        Self { clock: Clock::system(), largest_file: None }
    }
}

impl fmt::Debug for EmbeddedQueueOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedQueueOptions").field("largest_file", &self.largest_file).finish_non_exhaustive()
    }
}
