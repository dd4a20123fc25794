//! What can be set for the queue file, and its defaults.

use std::fmt;

use crate::clock::Clock;

/// What can be different from one store to another.
#[derive(Clone)]
pub struct EmbeddedQueueOptions {
    /// Messages become visible by it.
    pub clock: Clock,
    /// The file never grows beyond so many bytes; sending then fails as on a full disk. None means no limit.
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
