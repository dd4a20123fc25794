//! One entry of a user's audit trail. Entries are created once, never changed, and chained by `previous`.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1OrV2};
use crate::id::{Digest, TenantId, UserId};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// An entry of version 1 holds the photo's fingerprint; one of version 2, nothing in which the user can be recognised.
    pub v: V1OrV2,
    /// 1 for a user's first entry, then without gaps.
    pub seq: u32,
    /// SHA-256 of the previous entry's bytes; [`Digest::ZERO`] for the first entry.
    pub previous: Digest,
    pub tenant_id: TenantId,
    pub user_id: UserId,
    pub kind: EntryKind,
    pub cause: Cause,
    /// When the reconciliation or the command that made the entry began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begun_at: Option<Timestamp>,
    /// When the entry was made, with what Graph had returned by then.
    pub observed_at: Timestamp,
    /// What Graph returned when this entry was made, which may differ from the photo that the entry prescribes.
    pub seen: Seen,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photo: Option<PhotoFacts>,
    #[serde(default)]
    pub renditions: Vec<RenditionFacts>,
    #[serde(default)]
    pub identity: Identity,
    /// The operator behind an entry that one asked for, as they gave their name or their account does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why a photo was refused, or the reason that an operator gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EntryKind {
    /// Graph returned this photo.
    Captured,
    /// Graph returned no photo twice, with the hold time in between.
    Removed,
    /// An operator restored an earlier photo.
    Restored,
    /// An operator forgot this user: the photos are deleted and nothing is captured any more.
    Forgotten,
    /// Graph returned something that is not a photo or cannot be used safely.
    Refused,
}

impl EntryKind {
    /// As operators, logs and metrics name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Removed => "removed",
            Self::Restored => "restored",
            Self::Forgotten => "forgotten",
            Self::Refused => "refused",
        }
    }

    /// Whether entries of this kind are announced to targets. Of a user who was forgotten, copies have to be erased.
    pub fn concerns_targets(self) -> bool {
        !matches!(self, EntryKind::Refused)
    }
}

/// The cause of an entry, with the id of the message or command behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    pub kind: CauseKind,
    pub id: String,
    /// When the notification was accepted, the sweep found a difference, or the command began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl CauseKind {
    /// As operators and metrics name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Notification => "notification",
            Self::Sweep => "sweep",
            Self::Operator => "operator",
        }
    }
}

impl Cause {
    /// A cause whose time is not known.
    pub fn new(kind: CauseKind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into(), at: None }
    }

    /// A cause of this moment.
    pub fn now(kind: CauseKind, id: impl Into<String>) -> Self {
        Self { at: Some(Timestamp::now()), ..Self::new(kind, id) }
    }
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
    /// SHA-256 of the bytes that Graph returned; `None` if there was no photo or it was too large to read.
    pub sha256: Option<Digest>,
    pub media_etag: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhotoFacts {
    pub sha256: Digest,
    pub bytes: u64,
    pub content_type: String,
    /// Pixels, after applying the EXIF orientation.
    pub width: u32,
    pub height: u32,
    /// In version 1, a perceptual fingerprint of the pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

impl fmt::Debug for PhotoFacts {
    /// Omits the fingerprint, which is a small picture of the user.
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
    /// The directory attribute that the rendition is for, such as `thumbnailPhoto`.
    pub name: String,
    pub sha256: Digest,
    pub bytes: u64,
    pub width: u32,
    pub height: u32,
}

/// The user's on-premises identity, as Entra ID recorded it when the entry was made.
///
/// The last three are personal data that no directory needs: absent unless `PHOTORELAY_IDENTITY_EXTRA` names them. An entry
/// is never changed, so what it holds stays as long as the trail.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// `onPremisesImmutableId`: the source anchor.
    pub anchor: Option<String>,
    pub sid: Option<String>,
    pub sam_account_name: Option<String>,
    pub domain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub employee_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_principal_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
}

impl fmt::Debug for Identity {
    /// Personal data: shows only which values are known, not the values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("anchor", &self.anchor.is_some())
            .field("sid", &self.sid.is_some())
            .field("sam_account_name", &self.sam_account_name.is_some())
            .field("domain", &self.domain.is_some())
            .field("employee_id", &self.employee_id.is_some())
            .field("user_principal_name", &self.user_principal_name.is_some())
            .field("mail", &self.mail.is_some())
            .finish()
    }
}

impl AuditEntry {
    /// Whether an absent photo in Graph would be a change: targets show one, and so did Graph. A photo that an operator
    /// restored while Graph had none is not removed just because Graph still has none.
    pub fn expects_photo(&self) -> bool {
        let graph_showed_one = self.seen.sha256.is_some() || self.seen.media_etag.is_some();
        matches!(self.kind, EntryKind::Captured | EntryKind::Restored) && graph_showed_one
    }
}

impl Contract for AuditEntry {
    const VERSION: u64 = 2;
    const OLDEST_VERSION: u64 = 1;

    fn validate(&self) -> Result<(), String> {
        if self.seq == 0 {
            return Err("sequence numbers start at 1".to_owned());
        }
        if (self.seq == 1) != (self.previous == Digest::ZERO) {
            return Err(format!("entry {} does not name its predecessor", self.seq));
        }
        if self.photo.as_ref().is_some_and(|photo| photo.fingerprint.is_some() != (self.v == V1OrV2::V1)) {
            return Err(format!("entry {}: a fingerprint belongs to version 1, and to no other", self.seq));
        }
        let shows_photo = matches!(self.kind, EntryKind::Captured | EntryKind::Restored);
        if shows_photo && (self.photo.is_none() || self.renditions.is_empty()) {
            return Err(format!("entry {} has no photo or no rendition", self.seq));
        }
        Ok(())
    }
}
