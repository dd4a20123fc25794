//! One entry of a person's audit trail. Entries are created once, never changed, and chained by `previous`.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::{Digest, TenantId, UserId};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    pub v: V1,
    /// 1 for a person's first entry, then without gaps.
    pub seq: u32,
    /// SHA-256 of the bytes of the entry before this one; [`Digest::ZERO`] for the first.
    pub previous: Digest,
    pub tenant_id: TenantId,
    pub user_id: UserId,
    pub kind: EntryKind,
    pub cause: Cause,
    pub observed_at: Timestamp,
    /// What Graph showed when this entry was made, whatever the entry then says should be.
    pub seen: Seen,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photo: Option<PhotoFacts>,
    #[serde(default)]
    pub renditions: Vec<RenditionFacts>,
    #[serde(default)]
    pub identity: Identity,
    /// Why a photo was refused, or what an operator gave as the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EntryKind {
    /// Graph showed this photo.
    Captured,
    /// Graph showed no photo, twice, the hold time apart.
    Removed,
    /// An operator put an earlier photo back.
    Restored,
    /// An operator had this person forgotten: photos are deleted and nothing is captured any more.
    Forgotten,
    /// Graph showed something that is not a photo we can safely use.
    Refused,
}

impl EntryKind {
    /// Whether a target has to hear of an entry of this kind.
    pub fn concerns_targets(self) -> bool {
        matches!(self, EntryKind::Captured | EntryKind::Removed | EntryKind::Restored)
    }
}

/// What led to an entry, with the id of the message or the command that did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    pub kind: CauseKind,
    pub id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CauseKind {
    Notification,
    Sweep,
    Operator,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// SHA-256 of the bytes that Graph returned; none if it showed no photo, or one too large to be read.
    pub sha256: Option<Digest>,
    pub media_etag: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhotoFacts {
    pub sha256: Digest,
    pub bytes: u64,
    pub content_type: String,
    /// Pixels, upright: after the EXIF orientation was applied.
    pub width: u32,
    pub height: u32,
    /// A perceptual fingerprint of the pixels, to recognise echoes.
    pub fingerprint: String,
}

impl fmt::Debug for PhotoFacts {
    /// Without the fingerprint, which is a small picture of the person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhotoFacts")
            .field("sha256", &self.sha256)
            .field("bytes", &self.bytes)
            .field("content_type", &self.content_type)
            .field("width", &self.width)
            .field("height", &self.height)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenditionFacts {
    /// The directory attribute that it is made for, such as `thumbnailPhoto`.
    pub name: String,
    pub sha256: Digest,
    pub bytes: u64,
    pub width: u32,
    pub height: u32,
}

/// Who the person is on premises, as Entra ID knew it when the entry was made.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// `onPremisesImmutableId`: the source anchor.
    pub anchor: Option<String>,
    pub sid: Option<String>,
    pub sam_account_name: Option<String>,
    pub domain: Option<String>,
}

impl fmt::Debug for Identity {
    /// Personal data: says only what is known, not what it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("anchor", &self.anchor.is_some())
            .field("sid", &self.sid.is_some())
            .field("sam_account_name", &self.sam_account_name.is_some())
            .field("domain", &self.domain.is_some())
            .finish()
    }
}

impl AuditEntry {
    /// Whether it would be news if Graph showed no photo: targets show one, and Graph did too. One that an operator put
    /// back while Graph showed none is not undone because Graph still shows none.
    pub fn expects_photo(&self) -> bool {
        let graph_showed_one = self.seen.sha256.is_some() || self.seen.media_etag.is_some();
        matches!(self.kind, EntryKind::Captured | EntryKind::Restored) && graph_showed_one
    }
}

impl Contract for AuditEntry {
    fn validate(&self) -> Result<(), String> {
        if self.seq == 0 {
            return Err("sequence numbers begin with 1".to_owned());
        }
        if (self.seq == 1) != (self.previous == Digest::ZERO) {
            return Err(format!("entry {} does not name the entry before it", self.seq));
        }
        let shows_photo = matches!(self.kind, EntryKind::Captured | EntryKind::Restored);
        if shows_photo && (self.photo.is_none() || self.renditions.is_empty()) {
            return Err(format!("entry {} has no photo or no rendition", self.seq));
        }
        Ok(())
    }
}
