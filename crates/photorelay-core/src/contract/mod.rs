//! Everything that is written down: blobs and queue messages, each with a version `v` and a golden file in the tests.
//!
//! Bytes from a queue or a container are untrusted: [`parse`] bounds them before it looks at them.
//! Unknown members are ignored, so that an older program can read what a newer one of the same version wrote.

mod agents;
mod approval;
mod audit;
mod check;
mod checkpoint;
mod dead_letter;
mod embedded;
mod folder;
mod head;
mod heartbeat;
mod lifecycle;
mod population;
mod receipt;
mod sweep;
mod watch;
mod writeback;

pub use agents::{DailyWrites, ReconciliationCursor, StopSwitch};
pub use approval::{ApprovalReason, Decision, DeletionSlot, PendingApproval, Verdict};
pub use audit::{AuditEntry, Cause, CauseKind, EntryKind, Identity, PhotoFacts, RenditionFacts, Seen};
pub use check::{Absence, CheckMessage, FetchPolicy, MAX_PEOPLE_PER_CHECK};
pub use checkpoint::{Checkpoint, CheckpointLink, CheckpointPage, ENDS_PER_PAGE, PageLink, TrailEnd};
pub use dead_letter::DeadLetter;
pub use embedded::{FileVersion, MetadataFile};
pub use folder::FolderOwner;
pub use head::{CaptureStatus, EchoSighting, Head};
pub use heartbeat::Heartbeat;
pub use lifecycle::{LifecycleEvent, LifecycleMessage};
pub use population::Population;
pub use receipt::{Note, NoteKind, Outcome, Receipt};
pub use sweep::{ContinueSweep, SweepCursor, SweepLease, SweepUnderWay};
pub use watch::{FoundBy, NotificationActivity, SweptLast};
pub use writeback::{BlobDigest, EventType, WriteBack, WriteBackData, WriteBackRendition};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// No contract of ours comes near this; what is larger was not written by us. Bytes of JSON.
pub const MAX_CONTRACT_BYTES: usize = 64 * 1024;

/// Why bytes are not the contract that they should be. Each of these is permanent: reading again does not help.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    #[error("{bytes} bytes, more than the {limit} that it may have")]
    TooLarge { bytes: usize, limit: usize },
    #[error("written by a newer version (v{found}, this program knows v{known}): update this program")]
    Newer { found: u64, known: u64 },
    #[error("not valid: {0}")]
    Invalid(String),
}

/// A document with a version.
pub trait Contract: Serialize + DeserializeOwned {
    const VERSION: u64 = 1;

    /// Where the version stands: at the top by default.
    const VERSION_POINTER: &'static str = "/v";

    /// The version of documents that were written before they named one.
    const UNVERSIONED: Option<u64> = None;

    /// What is larger is refused before it is looked at, in bytes.
    const MAX_BYTES: usize = MAX_CONTRACT_BYTES;

    /// What the types alone cannot say.
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Reads a contract; an `Err` means that the bytes must be dead-lettered, not tried again.
pub fn parse<C: Contract>(bytes: &[u8]) -> Result<C, ContractError> {
    if bytes.len() > C::MAX_BYTES {
        return Err(ContractError::TooLarge { bytes: bytes.len(), limit: C::MAX_BYTES });
    }
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|e| ContractError::Invalid(e.to_string()))?;
    let version = match value.pointer(C::VERSION_POINTER) {
        None => C::UNVERSIONED,
        Some(version) => version.as_u64(),
    };
    match version {
        Some(found) if found > C::VERSION => return Err(ContractError::Newer { found, known: C::VERSION }),
        Some(found) if found == C::VERSION => {}
        _ => return Err(ContractError::Invalid("no version `v`".to_owned())),
    }
    let contract: C = serde_json::from_value(value).map_err(|e| ContractError::Invalid(e.to_string()))?;
    contract.validate().map_err(ContractError::Invalid)?;
    Ok(contract)
}

/// The bytes to store or send.
pub fn to_bytes<C: Contract>(contract: &C) -> Vec<u8> {
    serde_json::to_vec(contract).expect("a contract has string keys only and always serialises")
}

/// The only version so far; refuses every other number while reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct V1;

impl TryFrom<u64> for V1 {
    type Error = String;

    fn try_from(version: u64) -> Result<Self, String> {
        if version == 1 { Ok(V1) } else { Err(format!("version {version} instead of 1")) }
    }
}

impl From<V1> for u64 {
    fn from(_: V1) -> u64 {
        1
    }
}
