//! The write-back message: a CloudEvents 1.0 event in structured JSON, a claim check that never carries photo bytes.
//!
//! It asks an agent to bring this user's targets up to at least this sequence number. The audit entry, not the message,
//! is authoritative.
//! Format: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AuditEntry, Contract, EntryKind, Identity, V1};
use crate::id::{Digest, TenantId, UserId};
use crate::names;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WriteBack {
    pub specversion: SpecVersion,
    /// `{userId}/{seq}`
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
            EntryKind::Removed => EventType::Removed,
            EntryKind::Forgotten | EntryKind::Refused => return None,
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
            },
        })
    }

    /// The event as it is sent at this moment.
    pub fn sent_now(mut self) -> Self {
        self.data.announced_at = Some(Timestamp::now());
        self
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
        if self.data.seq == 0 || self.id != format!("{user}/{}", self.data.seq) {
            return Err("id is not {userId}/{seq}".to_owned());
        }
        Ok(())
    }
}
