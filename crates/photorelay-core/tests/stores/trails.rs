//! A store with the trails of a few users, for the tests that verify them.

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::Offset;
use photorelay_core::audit::{self, Finding, Problem, verify_all, verify_person};
use photorelay_core::contract::{
    self, AuditEntry, Cause, CauseKind, EntryKind, Identity, Outcome, PhotoFacts, Receipt, RenditionFacts, Seen, V1,
    V1OrV2,
};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::store::embedded::EmbeddedBlobs;
use photorelay_core::store::{BlobStore, Metadata};
use photorelay_core::vault;
use tempfile::TempDir;

pub(crate) const TARGET: &str = "ad";

/// Trails in a folder, for a test to tamper with.
pub(crate) struct Trails {
    pub(crate) blobs: EmbeddedBlobs,
    pub(crate) folder: TempDir,
}

pub(crate) fn person(number: u32) -> UserId {
    format!("1f2c0b0e-0000-4000-8000-{number:012}").parse().unwrap()
}

pub(crate) fn on_day(day: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + day * 24 * 3600).unwrap()
}

pub(crate) fn checkpoint_of(day: i64) -> String {
    names::checkpoint(Offset::UTC.to_datetime(on_day(day)).date())
}

impl Trails {
    /// Trails of these users, each with three captured photos, their receipts and a head.
    pub(crate) async fn of(people: &[UserId]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let blobs = EmbeddedBlobs::open(folder.path()).unwrap();
        for container in Container::ALL {
            blobs.ensure_container(container).await.unwrap();
        }
        let trails = Self { blobs, folder };
        for user in people {
            for seq in 1..=3 {
                trails.commit(*user, seq, EntryKind::Captured).await;
                trails.receipt(*user, seq).await;
            }
            trails.head(*user, 3).await;
        }
        trails
    }

    pub(crate) async fn previous(&self, user: UserId, seq: u32) -> Digest {
        match seq {
            1 => Digest::ZERO,
            _ => audit::read(&self.blobs, user, seq - 1).await.unwrap().unwrap().sha256,
        }
    }

    pub(crate) async fn entry(&self, user: UserId, seq: u32, kind: EntryKind) -> AuditEntry {
        let photo = Bytes::from(format!("photo {seq} of {user}"));
        let rendition = Bytes::from(format!("thumbnail {seq} of {user}"));
        let (sha256, small) = (Digest::of(&photo), Digest::of(&rendition));
        let shows_photo = matches!(kind, EntryKind::Captured | EntryKind::Restored);
        if shows_photo {
            vault::store_photo(&self.blobs, user, sha256, "image/jpeg", photo.clone()).await.unwrap();
            vault::store_rendition(&self.blobs, user, sha256, "thumbnailPhoto", small, rendition.clone())
                .await
                .unwrap();
        }
        AuditEntry {
            v: V1OrV2::V2,
            seq,
            previous: self.previous(user, seq).await,
            tenant_id: "7f3c0b0e-0000-4000-8000-000000000001".parse().unwrap(),
            user_id: user,
            kind,
            cause: Cause::new(CauseKind::Sweep, "test"),
            begun_at: None,
            observed_at: Timestamp::UNIX_EPOCH,
            seen: Seen { sha256: shows_photo.then_some(sha256), media_etag: None },
            photo: shows_photo.then(|| PhotoFacts {
                sha256,
                bytes: photo.len() as u64,
                content_type: "image/jpeg".to_owned(),
                width: 1,
                height: 1,
                fingerprint: None,
            }),
            renditions: if shows_photo {
                let (name, bytes) = ("thumbnailPhoto".to_owned(), rendition.len() as u64);
                vec![RenditionFacts { name, sha256: small, bytes, width: 1, height: 1 }]
            } else {
                Vec::new()
            },
            identity: Identity::default(),
            by: None,
            reason: None,
            traceparent: None,
        }
    }

    pub(crate) async fn commit(&self, user: UserId, seq: u32, kind: EntryKind) {
        let entry = self.entry(user, seq, kind).await;
        assert!(audit::commit(&self.blobs, entry).await.unwrap().is_some());
    }

    pub(crate) async fn receipt(&self, user: UserId, seq: u32) {
        let receipt = Receipt {
            v: V1,
            user_id: user,
            seq,
            target: TARGET.to_owned(),
            outcome: Outcome::Written,
            reason: None,
            entry_sha256: audit::read(&self.blobs, user, seq).await.unwrap().unwrap().sha256,
            before: None,
            after: Some(Digest::of(format!("thumbnail {seq} of {user}").as_bytes())),
            server: "dc1".to_owned(),
            agent: "agent".to_owned(),
            announced_at: None,
            received_at: None,
            at: Timestamp::UNIX_EPOCH,
            traceparent: None,
        };
        let content = Bytes::from(contract::to_bytes(&receipt));
        let name = names::receipt(user, seq, TARGET);
        self.blobs.create(Container::Receipts, &name, "application/json", content).await.unwrap();
    }

    /// Takes the checkpoint of this day.
    pub(crate) async fn checkpoint(&self, day: i64) -> Option<audit::Taken> {
        audit::take_checkpoint(&self.blobs, on_day(day)).await.unwrap()
    }

    /// Removes the user's entries from this one on, and every other trace of them.
    pub(crate) async fn cut(&self, user: UserId, from: u32) {
        for seq in from..=3 {
            self.remove(Container::Audit, &names::audit_entry(user, seq)).await;
            self.remove(Container::Receipts, &names::receipt(user, seq, TARGET)).await;
        }
        self.remove(Container::State, &names::head(user)).await;
    }

    pub(crate) async fn head(&self, user: UserId, seq: u32) {
        let head =
            serde_json::json!({"v": 1, "userId": user, "seq": seq, "settled": true, "since": Timestamp::UNIX_EPOCH});
        let content = Bytes::from(head.to_string());
        let name = names::head(user);
        self.blobs.put(Container::State, &name, "application/json", content, &Metadata::new()).await.unwrap();
    }

    /// Overwrites a blob, as an attacker with write access could.
    pub(crate) async fn overwrite(&self, container: Container, name: &str, content: impl Into<Bytes>) {
        self.blobs.put(container, name, "x/y", content.into(), &Metadata::new()).await.unwrap();
    }

    pub(crate) async fn remove(&self, container: Container, name: &str) {
        assert!(self.blobs.get(container, name, 1 << 20).await.unwrap().is_some(), "{name} is there to be removed");
        self.blobs.delete(container, name).await.unwrap();
    }

    /// The findings of both verifications, of one user and of all, which must agree.
    pub(crate) async fn findings(&self, user: UserId) -> Vec<Finding> {
        let of_person = verify_person(&self.blobs, user).await.unwrap().findings;
        let of_all = verify_all(&self.blobs).await.unwrap().findings;
        assert_eq!(of_person, of_all);
        of_all
    }

    pub(crate) async fn only_finding(&self, user: UserId) -> (Option<u32>, Problem) {
        let mut findings = self.findings(user).await;
        assert_eq!(findings.len(), 1, "{findings:#?}");
        let finding = findings.remove(0);
        assert_eq!(finding.user, Some(user));
        assert!(finding.to_string().contains(&user.to_string()), "{finding}");
        (finding.seq, finding.problem)
    }
}

impl Trails {
    pub(crate) async fn findings_of_all(&self) -> Vec<Finding> {
        verify_all(&self.blobs).await.unwrap().findings
    }
}

pub(crate) fn day_of(day: i64) -> String {
    Offset::UTC.to_datetime(on_day(day)).date().to_string()
}
