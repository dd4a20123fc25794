//! Every format that photorelay stores or sends: blobs and queue messages, each with a version `v` and a golden file in
//! the tests.
//!
//! Bytes from a queue or a container are untrusted: [`parse`] checks their length before parsing them.
//! Unknown members are ignored, so that an older program can read what a newer one wrote in the same version.

mod agents;
mod approval;
mod audit;
mod check;
mod checkpoint;
mod dead_letter;
mod decode_marker;
mod embedded;
mod feed;
mod figures;
mod folder;
mod head;
mod heartbeat;
mod lifecycle;
mod note;
mod population;
mod preview;
mod receipt;
mod succession;
mod sweep;
mod unreadable;
mod watch;
mod writeback;

pub use agents::{DailyWrites, ReconciliationCursor, StopSwitch};
pub use approval::{ApprovalReason, Decision, DeletionSlot, PendingApproval, Verdict};
pub use audit::{AuditEntry, Cause, CauseKind, EntryKind, Identity, PhotoFacts, RenditionFacts, Seen};
pub use check::{Absence, CheckMessage, FetchPolicy, MAX_PEOPLE_PER_CHECK};
pub use checkpoint::{
    Checkpoint, CheckpointLink, CheckpointPage, ENDS_PER_PAGE, MAX_RECEIPTS_PER_END, PageLink, ReceiptEnd, TrailEnd,
};
pub use dead_letter::DeadLetter;
pub use decode_marker::DecodeMarker;
pub use embedded::{FileVersion, MetadataFile};
pub use feed::PublishedFeed;
pub use figures::{CaptureFigures, LatencyHistogram, WritebackFigures};
pub use folder::FolderOwner;
pub use head::{CaptureStatus, EchoSighting, Head};
pub use heartbeat::{Heartbeat, RefusalStreak};
pub use lifecycle::{LifecycleEvent, LifecycleMessage};
pub use note::{Note, NoteKind, ShownValue, UndoneChange};
pub use population::{
    MAX_MEMBERS_PER_SEGMENT, MemberList, Population, PopulationQuery, PopulationSegment, SegmentLink,
    UnreferencedSegments,
};
pub use preview::{Preview, PreviewPage, PreviewRow, PreviewState, ROWS_PER_PREVIEW_PAGE};
pub use receipt::{Outcome, Receipt};
pub use succession::{ObjectClaim, Succession};
pub use sweep::{ContinueSweep, SweepCursor, SweepLease, SweepUnderWay};
pub use unreadable::UnreadableUser;
pub use watch::{FoundBy, NotificationActivity, SweptLast};
pub use writeback::{BlobDigest, EventType, UndoRequest, WriteBack, WriteBackData, WriteBackRendition};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The default size limit, in bytes of JSON. photorelay itself writes far smaller documents.
pub const MAX_CONTRACT_BYTES: usize = 64 * 1024;

/// Most messages fit into this, so that they are written without growing a buffer.
const USUAL_CONTRACT_BYTES: usize = 512;

/// Why bytes are not a valid contract. Every variant is permanent: reading the bytes again does not help.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    #[error("{bytes} bytes exceed the limit of {limit}")]
    TooLarge { bytes: usize, limit: usize },
    #[error("written by a newer version (v{found}, this program supports v{known}): update this program")]
    Newer { found: u64, known: u64 },
    #[error("not valid: {0}")]
    Invalid(String),
}

/// A document with a version.
pub trait Contract: Serialize + DeserializeOwned {
    const VERSION: u64 = 1;

    /// Documents of this version and of later ones up to [`Self::VERSION`] are read.
    const OLDEST_VERSION: u64 = Self::VERSION;

    /// The JSON pointer of the version: a top-level member by default.
    const VERSION_POINTER: &'static str = "/v";

    /// The version of documents that name none, because they predate versioning.
    const UNVERSIONED: Option<u64> = None;

    /// Larger documents are refused before parsing, in bytes.
    const MAX_BYTES: usize = MAX_CONTRACT_BYTES;

    /// Checks the rules that the types cannot express.
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Parses a contract. On `Err` the bytes must be dead-lettered, not retried.
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
        Some(found) if found >= C::OLDEST_VERSION => {}
        _ => return Err(ContractError::Invalid("no version `v`".to_owned())),
    }
    let contract: C = serde_json::from_value(value).map_err(|e| ContractError::Invalid(e.to_string()))?;
    contract.validate().map_err(ContractError::Invalid)?;
    Ok(contract)
}

/// Serialises a contract to the bytes to store or send.
pub fn to_bytes<C: Contract>(contract: &C) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL_CONTRACT_BYTES);
    serde_json::to_writer(&mut bytes, contract).expect("a contract has string keys only and always serialises");
    bytes
}

/// The only version of most contracts so far; deserialising any other number fails.
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

/// The version of a document of which both are read; new ones are of the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub enum V1OrV2 {
    V1,
    V2,
}

impl TryFrom<u64> for V1OrV2 {
    type Error = String;

    fn try_from(version: u64) -> Result<Self, String> {
        match version {
            1 => Ok(Self::V1),
            2 => Ok(Self::V2),
            _ => Err(format!("version {version} instead of 1 or 2")),
        }
    }
}

impl From<V1OrV2> for u64 {
    fn from(version: V1OrV2) -> u64 {
        match version {
            V1OrV2::V1 => 1,
            V1OrV2::V2 => 2,
        }
    }
}
