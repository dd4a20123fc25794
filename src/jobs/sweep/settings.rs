//! How a sweep proceeds: what the composition root decides once for every run.

use std::time::Duration;

use photorelay_core::target::Targets;

use crate::jobs::scope::Scope;

/// The host renews the lease of a queue message for the first time after five minutes, and gives a function ten. A run
/// that ends before needs neither.
pub const DEFAULT_TIME_LIMIT: Duration = Duration::from_secs(4 * 60);

#[derive(Debug, Clone)]
pub struct SweepSettings {
    pub targets: Targets,
    pub scope: Scope,
    /// Every photo's bytes are fetched again once in this time, whatever the ETag says.
    pub bytes_every: Duration,
    /// An entry without a receipt is announced again at this age, and then whenever its age has doubled.
    pub announce_after: Duration,
    /// The most concurrent `$batch` requests; throttling makes them fewer.
    pub batches_at_once: usize,
    /// The cursor is written after this many users.
    pub people_per_stretch: usize,
    /// If Graph asks to wait longer, the run ends; the next one continues from the cursor.
    pub longest_wait: Duration,
    /// A function's run stops after this time, and a message continues it.
    pub time_limit: Duration,
    /// How long the lease of a sweep whose process died keeps others out.
    pub lease: Duration,
}

impl SweepSettings {
    pub fn new(targets: Targets) -> Self {
        Self {
            targets,
            scope: Scope::default(),
            bytes_every: Duration::from_secs(30 * 24 * 3600),
            announce_after: Duration::from_secs(10 * 60),
            batches_at_once: 12,
            people_per_stretch: 2_000,
            longest_wait: Duration::from_secs(60),
            time_limit: DEFAULT_TIME_LIMIT,
            lease: Duration::from_secs(30),
        }
    }
}
