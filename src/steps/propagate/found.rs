//! How a look at one person ended.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::audit::AuditError;
use photorelay_core::store::StoreError;

use crate::graph::GraphError;

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The ETag or the bytes are what they were.
    Nothing,
    Captured {
        seq: u32,
    },
    Refused {
        seq: u32,
        reason: String,
    },
    /// Our own thumbnail came back; recorded, not captured.
    Echo {
        of_seq: u32,
    },
    /// No photo, and none was expected.
    NoPhoto,
    /// The photo seems to be gone; a second look follows after the hold time.
    Missing,
    Removed {
        seq: u32,
    },
    OutOfScope {
        reason: String,
    },
    /// Too many captures within a day; a check comes back at this time.
    Parked {
        until: Timestamp,
    },
    Forgotten,
    NoSuchUser,
}

impl Found {
    /// In one word, for counting.
    pub fn word(&self) -> &'static str {
        match self {
            Found::Nothing => "nothing",
            Found::Captured { .. } => "captured",
            Found::Refused { .. } => "refused",
            Found::Echo { .. } => "echo",
            Found::NoPhoto => "no_photo",
            Found::Missing => "missing",
            Found::Removed { .. } => "removed",
            Found::OutOfScope { .. } => "out_of_scope",
            Found::Parked { .. } => "parked",
            Found::Forgotten => "forgotten",
            Found::NoSuchUser => "no_such_user",
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Nothing => f.write_str("nothing new"),
            Found::Captured { seq } => write!(f, "captured as entry {seq}"),
            Found::Refused { seq, reason } => write!(f, "refused as entry {seq}: {reason}"),
            Found::Echo { of_seq } => write!(f, "an echo of entry {of_seq}"),
            Found::NoPhoto => f.write_str("no photo, as before"),
            Found::Missing => f.write_str("photo not found; a second look follows after the hold time"),
            Found::Removed { seq } => write!(f, "removal committed as entry {seq}"),
            Found::OutOfScope { reason } => write!(f, "out of scope: {reason}"),
            Found::Parked { until } => write!(f, "too many changes within a day; looked at again at {until}"),
            Found::Forgotten => f.write_str("forgotten: nothing is captured"),
            Found::NoSuchUser => f.write_str("no such user"),
        }
    }
}

/// Why a look could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    #[error(transparent)]
    Graph(#[from] GraphError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Somebody has to look: run `photorelay audit verify`.
    #[error("the head knows entry {seq}, but the audit trail does not have it: run `photorelay audit verify`")]
    TrailCut { seq: u32 },
    #[error("the photo changed during every one of {0} looks")]
    Restless(u32),
}

impl LookError {
    /// Whether looking again later may succeed without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        match self {
            // A denied call is cured by a grant, and the queue is the right place to wait for it.
            LookError::Graph(_) | LookError::Store(_) | LookError::Restless(_) => true,
            LookError::Audit(AuditError::Store(_)) => true,
            LookError::Audit(_) | LookError::TrailCut { .. } => false,
        }
    }

    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            LookError::Graph(error) => error.retry_after(),
            _ => None,
        }
    }
}
