//! The write-back message: a CloudEvents 1.0 event in structured JSON, a claim check that never carries photo bytes.
//!
//! It asks an agent to bring this user's targets up to at least this sequence number, or to undo what this one did. The audit entry, not the message,
//! is authoritative.
//! Format: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AuditEntry, Contract, EntryKind, Identity, V1};
use crate::id::{Digest, TenantId, UserId};
use crate::names;
use crate::operator::OperatorSignature;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WriteBack {
    pub specversion: SpecVersion,
    /// `{userId}/{seq}`, for a request to undo `{userId}/{seq}/undo`
    pub id: String,
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// `/tenants/{tenantId}`
    pub source: String,
    /// `users/{userId}`
    pub subject: String,
    pub time: Timestamp,
    pub datacontenttype: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    pub data: WriteBackData,
}

/// CloudEvents 1.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpecVersion {
    #[serde(rename = "1.0")]
    V1_0,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventType {
    #[serde(rename = "photorelay.photo.changed.v1")]
    Changed,
    #[serde(rename = "photorelay.photo.removed.v1")]
    Removed,
    /// An operator asks to undo what this entry did to the target.
    #[serde(rename = "photorelay.photo.undo.v1")]
    Undo,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WriteBackData {
    pub v: V1,
    pub seq: u32,
    /// SHA-256 of the audit entry's bytes.
    pub entry_sha256: Digest,
    /// When the message was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announced_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photo: Option<BlobDigest>,
    #[serde(default)]
    pub renditions: Vec<WriteBackRendition>,
    #[serde(default)]
    pub identity: Identity,
    /// In a request to undo: by which operator, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<UndoRequest>,
}

/// Which operator asks to undo an entry, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoRequest {
    pub by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A blob of the `photos` container and the digest that its bytes must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobDigest {
    pub sha256: Digest,
    pub blob: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteBackRendition {
    pub name: String,
    pub sha256: Digest,
    pub blob: String,
}

impl WriteBack {
    /// The event that announces an entry, or `None` if entries of this kind are not announced.
    pub fn announcing(entry: &AuditEntry, entry_sha256: Digest) -> Option<Self> {
        let event_type = match entry.kind {
            EntryKind::Captured | EntryKind::Restored => EventType::Changed,
            EntryKind::Removed | EntryKind::Forgotten => EventType::Removed,
            EntryKind::Refused => return None,
        };
        let user = entry.user_id;
        let photo = entry.photo.as_ref().filter(|_| event_type == EventType::Changed);
        Some(Self {
            specversion: SpecVersion::V1_0,
            id: format!("{user}/{}", entry.seq),
            event_type,
            source: source_of(entry.tenant_id),
            subject: format!("users/{user}"),
            time: entry.observed_at,
            datacontenttype: "application/json".to_owned(),
            traceparent: entry.traceparent.clone(),
            data: WriteBackData {
                v: V1,
                seq: entry.seq,
                entry_sha256,
                announced_at: None,
                photo: photo.map(|p| BlobDigest { sha256: p.sha256, blob: names::photo(user, p.sha256) }),
                renditions: photo
                    .map(|p| {
                        let renditions = entry.renditions.iter();
                        renditions
                            .map(|r| WriteBackRendition {
                                name: r.name.clone(),
                                sha256: r.sha256,
                                blob: names::rendition(user, p.sha256, &r.name, r.sha256),
                            })
                            .collect()
                    })
                    .unwrap_or_default(),
                identity: entry.identity.clone(),
                undo: None,
            },
        })
    }

    /// The event as it is sent at this moment.
    pub fn sent_now(mut self) -> Self {
        self.data.announced_at = Some(Timestamp::now());
        self
    }

    /// The event that asks an agent to undo what this entry did to its target.
    pub fn asking_to_undo(entry: &AuditEntry, entry_sha256: Digest, signature: &OperatorSignature) -> Self {
        let user = entry.user_id;
        Self {
            specversion: SpecVersion::V1_0,
            id: format!("{user}/{}/undo", entry.seq),
            event_type: EventType::Undo,
            source: source_of(entry.tenant_id),
            subject: format!("users/{user}"),
            time: Timestamp::now(),
            datacontenttype: "application/json".to_owned(),
            traceparent: None,
            data: WriteBackData {
                v: V1,
                seq: entry.seq,
                entry_sha256,
                announced_at: None,
                photo: None,
                renditions: Vec::new(),
                identity: entry.identity.clone(),
                undo: Some(UndoRequest { by: signature.by(), reason: signature.reason() }),
            },
        }
    }

    /// The user that the event concerns.
    pub fn user_id(&self) -> Result<UserId, String> {
        let id = self.subject.strip_prefix("users/").ok_or("subject does not name a user")?;
        id.parse().map_err(|e| format!("subject: {e}"))
    }

    /// Whether the event comes from this tenant.
    pub fn is_from(&self, tenant: TenantId) -> bool {
        self.source == source_of(tenant)
    }
}

fn source_of(tenant: TenantId) -> String {
    format!("/tenants/{tenant}")
}

impl Contract for WriteBack {
    const VERSION_POINTER: &'static str = "/data/v";
    const MAX_BYTES: usize = 4 * 1024;

    fn validate(&self) -> Result<(), String> {
        let user = self.user_id()?;
        let is_undo = self.event_type == EventType::Undo;
        let suffix = if is_undo { "/undo" } else { "" };
        if self.data.seq == 0 || self.id != format!("{user}/{}{suffix}", self.data.seq) {
            return Err(format!("id is not {{userId}}/{{seq}}{suffix}"));
        }
        if is_undo != self.data.undo.is_some() {
            return Err("only a request to undo names an operator, and always does".to_owned());
        }
        Ok(())
    }
}
