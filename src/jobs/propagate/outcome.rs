//! How the reconciliation of one user ended.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::audit::AuditError;
use photorelay_core::contract::AuditEntry;
use photorelay_core::store::StoreError;
use serde::Serialize;

use crate::graph::GraphError;

/// Where a round of the eight steps ended.
pub(super) enum Round {
    Done(ReconcileOutcome),
    /// Start again from step 1 with a new read of Graph.
    Again,
}

/// What a reconciliation found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ReconcileOutcome {
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
    /// The photo seems to be gone; a second check follows after the hold time.
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

impl ReconcileOutcome {
    /// Of the entry that was committed for a new photo: only a refused one has a reason.
    pub(super) fn of_entry(entry: &AuditEntry) -> Self {
        let seq = entry.seq;
        match entry.reason.clone() {
            Some(reason) => ReconcileOutcome::Refused { seq, reason },
            None => ReconcileOutcome::Captured { seq },
        }
    }

    /// In one word, for counting.
    pub fn word(&self) -> &'static str {
        match self {
            ReconcileOutcome::Nothing => "nothing",
            ReconcileOutcome::Captured { .. } => "captured",
            ReconcileOutcome::Refused { .. } => "refused",
            ReconcileOutcome::Echo { .. } => "echo",
            ReconcileOutcome::NoPhoto => "no_photo",
            ReconcileOutcome::Missing => "missing",
            ReconcileOutcome::Removed { .. } => "removed",
            ReconcileOutcome::OutOfScope { .. } => "out_of_scope",
            ReconcileOutcome::Parked { .. } => "parked",
            ReconcileOutcome::Forgotten => "forgotten",
            ReconcileOutcome::NoSuchUser => "no_such_user",
        }
    }
}

impl fmt::Display for ReconcileOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReconcileOutcome::Nothing => f.write_str("nothing new"),
            ReconcileOutcome::Captured { seq } => write!(f, "captured as entry {seq}"),
            ReconcileOutcome::Refused { seq, reason } => write!(f, "refused as entry {seq}: {reason}"),
            ReconcileOutcome::Echo { of_seq } => write!(f, "an echo of entry {of_seq}"),
            ReconcileOutcome::NoPhoto => f.write_str("no photo, as before"),
            ReconcileOutcome::Missing => f.write_str("photo not found; a second check follows after the hold time"),
            ReconcileOutcome::Removed { seq } => write!(f, "removal committed as entry {seq}"),
            ReconcileOutcome::OutOfScope { reason } => write!(f, "out of scope: {reason}"),
            ReconcileOutcome::Parked { until } => {
                write!(f, "too many changes within a day; checked again at {until}")
            }
            ReconcileOutcome::Forgotten => f.write_str("forgotten: nothing is captured"),
            ReconcileOutcome::NoSuchUser => f.write_str("no such user"),
        }
    }
}

/// Why a reconciliation could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error(transparent)]
    Graph(#[from] GraphError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// An operator has to find out why.
    #[error("the head knows entry {seq}, but the audit trail does not have it: run `photorelay audit verify`")]
    TrailCut { seq: u32 },
    #[error("the photo changed during each of {0} attempts")]
    Unstable(u32),
}

impl ReconcileError {
    /// Whether a later attempt may succeed without an operator's help.
    pub fn is_transient(&self) -> bool {
        match self {
            // A grant cures a denied request, and the queue is the right place to wait for it.
            ReconcileError::Graph(_) | ReconcileError::Store(_) | ReconcileError::Unstable(_) => true,
            ReconcileError::Audit(AuditError::Store(_)) => true,
            ReconcileError::Audit(_) | ReconcileError::TrailCut { .. } => false,
        }
    }

    /// Whether the failure says nothing about other users.
    pub(super) fn is_about_the_user(&self) -> bool {
        match self {
            ReconcileError::Graph(error) => error.is_about_the_user(),
            ReconcileError::Store(_) | ReconcileError::Audit(AuditError::Store(_)) => false,
            ReconcileError::Audit(_) | ReconcileError::TrailCut { .. } | ReconcileError::Unstable(_) => true,
        }
    }

    /// Whether the same would happen again within minutes.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            ReconcileError::Graph(error) => !error.is_transient(),
            error => !error.is_transient(),
        }
    }

    /// For counting: `403 ErrorAccessDenied`.
    pub(super) fn in_short(&self) -> String {
        match self {
            ReconcileError::Graph(error) if error.trace().status.is_some() => error.trace().shape(),
            ReconcileError::Graph(_) => "no answer".to_owned(),
            ReconcileError::Store(_) => "storage".to_owned(),
            ReconcileError::Audit(_) | ReconcileError::TrailCut { .. } => "damaged audit trail".to_owned(),
            ReconcileError::Unstable(_) => "changes during every attempt".to_owned(),
        }
    }

    /// The request that failed.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            ReconcileError::Graph(error) => error.trace().operation,
            ReconcileError::Store(_) | ReconcileError::Audit(_) | ReconcileError::TrailCut { .. } => "read the trail",
            ReconcileError::Unstable(_) => "confirm the photo",
        }
    }

    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            ReconcileError::Graph(error) => error.retry_after(),
            _ => None,
        }
    }
}
