//! One run of a sweep: how long it may take, what stops it, and where it reports progress.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::id::UserId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What differs between the timer, the command and a test.
#[derive(Debug, Clone)]
pub struct Run {
    /// Decides what is due.
    pub now: Timestamp,
    /// The run ends after this time, and the next one continues; none: it ends when all users were compared.
    pub time_limit: Option<Duration>,
    /// Ends the run soon; the next one continues.
    pub stop: CancellationToken,
    /// Users of whom the storage knows nothing are checked without being asked about before: in a tenant that was never
    /// swept, the check is what finds out whether they have a photo.
    pub checks_unknown: bool,
    /// Users whose check was sent before, in the order of ids: they are not compared.
    pub checked: Arc<[UserId]>,
    pub progress: watch::Sender<Progress>,
}

impl Default for Run {
    /// Now, to the end, unobserved.
    fn default() -> Self {
        Self {
            now: Timestamp::now(),
            time_limit: None,
            stop: CancellationToken::new(),
            checks_unknown: false,
            checked: Arc::default(),
            progress: watch::Sender::default(),
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Users whose photos are carried; 0 while that is not known.
    pub of: usize,
    /// Users whose ETag was read or is left to a check, in this run or in the one that it continues.
    pub done: usize,
    pub with_photo: usize,
    pub checks: usize,
    /// `$batch` requests.
    pub requests: u64,
    pub throttled: u64,
    /// Requests that may be under way at once now.
    pub concurrency: usize,
}
