//! One run of a sweep: how long it may take, who may stop it, and who hears how far it is.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What differs between the timer, the command and a test.
#[derive(Debug, Clone)]
pub struct Run {
    /// Decides what is due.
    pub now: Timestamp,
    /// The run ends after so long, and the next one goes on; none: it goes on until everybody was compared.
    pub time_limit: Option<Duration>,
    /// Ends the run soon; the next one goes on.
    pub stop: CancellationToken,
    pub progress: watch::Sender<Progress>,
}

impl Default for Run {
    /// Now, to the end, and nobody watches.
    fn default() -> Self {
        Self {
            now: Timestamp::now(),
            time_limit: None,
            stop: CancellationToken::new(),
            progress: watch::Sender::default(),
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Everybody whose photos are looked after; 0 while that is not known.
    pub of: usize,
    /// Whose ETag was read, in this run or in the one that it goes on with.
    pub done: usize,
    pub with_photo: usize,
    pub checks: usize,
    /// `$batch` requests.
    pub requests: u64,
    pub throttled: u64,
    /// Requests that may be under way at once now.
    pub at_once: usize,
}
