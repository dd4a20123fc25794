//! Every kind of tampering with the trail is found, and an intact trail is clean.

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::Offset;
use photorelay_core::audit::{self, Finding, Problem, verify_all, verify_person};
use photorelay_core::contract::{
    self, AuditEntry, Cause, CauseKind, EntryKind, Identity, Outcome, PhotoFacts, Receipt, RenditionFacts, Seen, V1,
};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::store::embedded::EmbeddedBlobs;
use photorelay_core::store::{BlobStore, Metadata, list_all};
use photorelay_core::vault;
use tempfile::TempDir;

const TARGET: &str = "ad";

/// Trails in a folder, for a test to tamper with.
struct Trails {
    blobs: EmbeddedBlobs,
    folder: TempDir,
}

fn person(number: u32) -> UserId {
    format!("1f2c0b0e-0000-4000-8000-{number:012}").parse().unwrap()
}

fn on_day(day: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + day * 24 * 3600).unwrap()
}

fn checkpoint_of(day: i64) -> String {
    names::checkpoint(Offset::UTC.to_datetime(on_day(day)).date())
}

impl Trails {
    /// Trails of these users, each with three captured photos, their receipts and a head.
    async fn of(people: &[UserId]) -> Self {
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

    async fn previous(&self, user: UserId, seq: u32) -> Digest {
        match seq {
            1 => Digest::ZERO,
            _ => audit::read(&self.blobs, user, seq - 1).await.unwrap().unwrap().sha256,
        }
    }

    async fn entry(&self, user: UserId, seq: u32, kind: EntryKind) -> AuditEntry {
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
            v: V1,
            seq,
            previous: self.previous(user, seq).await,
            tenant_id: "7f3c0b0e-0000-4000-8000-000000000001".parse().unwrap(),
            user_id: user,
            kind,
            cause: Cause { kind: CauseKind::Sweep, id: "test".to_owned() },
            observed_at: Timestamp::UNIX_EPOCH,
            seen: Seen { sha256: shows_photo.then_some(sha256), media_etag: None },
            photo: shows_photo.then(|| PhotoFacts {
                sha256,
                bytes: photo.len() as u64,
                content_type: "image/jpeg".to_owned(),
                width: 1,
                height: 1,
                fingerprint: String::new(),
            }),
            renditions: if shows_photo {
                let (name, bytes) = ("thumbnailPhoto".to_owned(), rendition.len() as u64);
                vec![RenditionFacts { name, sha256: small, bytes, width: 1, height: 1 }]
            } else {
                Vec::new()
            },
            identity: Identity::default(),
            reason: None,
            traceparent: None,
        }
    }

    async fn commit(&self, user: UserId, seq: u32, kind: EntryKind) {
        let entry = self.entry(user, seq, kind).await;
        assert!(audit::commit(&self.blobs, entry).await.unwrap().is_some());
    }

    async fn receipt(&self, user: UserId, seq: u32) {
        let receipt = Receipt {
            v: V1,
            user_id: user,
            seq,
            target: TARGET.to_owned(),
            outcome: Outcome::Written,
            reason: None,
            entry_sha256: audit::read(&self.blobs, user, seq).await.unwrap().unwrap().sha256,
            before: None,
            after: None,
            server: "dc1".to_owned(),
            agent: "agent".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            traceparent: None,
        };
        let content = Bytes::from(contract::to_bytes(&receipt));
        let name = names::receipt(user, seq, TARGET);
        self.blobs.create(Container::Receipts, &name, "application/json", content).await.unwrap();
    }

    /// Takes the checkpoint of this day.
    async fn checkpoint(&self, day: i64) -> Option<audit::Taken> {
        audit::take_checkpoint(&self.blobs, on_day(day)).await.unwrap()
    }

    /// Removes the user's entries from this one on, and every other trace of them.
    async fn cut(&self, user: UserId, from: u32) {
        for seq in from..=3 {
            self.remove(Container::Audit, &names::audit_entry(user, seq)).await;
            self.remove(Container::Receipts, &names::receipt(user, seq, TARGET)).await;
        }
        self.remove(Container::State, &names::head(user)).await;
    }

    async fn head(&self, user: UserId, seq: u32) {
        let head =
            serde_json::json!({"v": 1, "userId": user, "seq": seq, "settled": true, "since": Timestamp::UNIX_EPOCH});
        let content = Bytes::from(head.to_string());
        let name = names::head(user);
        self.blobs.put(Container::State, &name, "application/json", content, &Metadata::new()).await.unwrap();
    }

    /// Overwrites a blob, as an attacker with write access could.
    async fn overwrite(&self, container: Container, name: &str, content: impl Into<Bytes>) {
        self.blobs.put(container, name, "x/y", content.into(), &Metadata::new()).await.unwrap();
    }

    async fn remove(&self, container: Container, name: &str) {
        assert!(self.blobs.get(container, name, 1 << 20).await.unwrap().is_some(), "{name} is there to be removed");
        self.blobs.delete(container, name).await.unwrap();
    }

    /// The findings of both verifications, of one user and of all, which must agree.
    async fn findings(&self, user: UserId) -> Vec<Finding> {
        let of_person = verify_person(&self.blobs, user).await.unwrap().findings;
        let of_all = verify_all(&self.blobs).await.unwrap().findings;
        assert_eq!(of_person, of_all);
        of_all
    }

    async fn only_finding(&self, user: UserId) -> (Option<u32>, Problem) {
        let mut findings = self.findings(user).await;
        assert_eq!(findings.len(), 1, "{findings:#?}");
        let finding = findings.remove(0);
        assert_eq!(finding.user, Some(user));
        assert!(finding.to_string().contains(&user.to_string()), "{finding}");
        (finding.seq, finding.problem)
    }
}

#[tokio::test]
async fn an_intact_trail_is_clean() {
    let people: Vec<_> = (1..=20).map(person).collect();
    let trails = Trails::of(&people).await;
    trails.checkpoint(1).await;
    trails.checkpoint(2).await;
    trails.overwrite(Container::Receipts, &names::kept_value(person(1), Digest::of(b"old")), "old").await;
    let report = verify_all(&trails.blobs).await.unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
    assert_eq!((report.people, report.entries, report.blobs), (20, 60, 120));
    let report = verify_person(&trails.blobs, person(7)).await.unwrap();
    assert_eq!((report.people, report.entries, report.is_clean()), (1, 3, true));
}

#[tokio::test]
async fn an_empty_trail_is_clean() {
    let trails = Trails::of(&[]).await;
    assert!(trails.findings(person(1)).await.is_empty());
}

#[tokio::test]
async fn a_changed_entry_breaks_the_chain_at_the_one_after_it() {
    let trails = Trails::of(&[person(1), person(2), person(3)]).await;
    let mut entry = audit::read(&trails.blobs, person(2), 2).await.unwrap().unwrap().entry;
    let true_digest = Digest::of(&contract::to_bytes(&entry));
    entry.observed_at = Timestamp::from_second(1).unwrap();
    let forged = contract::to_bytes(&entry);
    trails.overwrite(Container::Audit, &names::audit_entry(person(2), 2), forged.clone()).await;
    let report = verify_all(&trails.blobs).await.unwrap();
    let problem = Problem::ChainBroken { names: true_digest, found: Digest::of(&forged) };
    assert_eq!(report.findings, [Finding { user: Some(person(2)), seq: Some(3), problem }]);
    assert_eq!(report.people, 3);
}

#[tokio::test]
async fn a_chain_that_was_rewritten_to_its_end_is_found_by_the_receipt() {
    let trails = Trails::of(&[person(1)]).await;
    for seq in 2..=3 {
        let mut entry = trails.entry(person(1), seq, EntryKind::Captured).await;
        entry.cause.id = "forged".to_owned();
        trails.overwrite(Container::Audit, &names::audit_entry(person(1), seq), contract::to_bytes(&entry)).await;
    }
    let (seq, problem) = trails.only_finding(person(1)).await;
    assert!(matches!((seq, &problem), (Some(3), Problem::NotWhatTheAgentSaw { .. })), "{problem}");
}

#[tokio::test]
async fn a_missing_entry_is_named() {
    for gap in 1..=2 {
        let trails = Trails::of(&[person(1)]).await;
        trails.remove(Container::Audit, &names::audit_entry(person(1), gap)).await;
        assert_eq!(trails.only_finding(person(1)).await, (Some(gap), Problem::EntryMissing));
    }
}

#[tokio::test]
async fn an_unreadable_or_misplaced_entry_is_named() {
    let entry_of_another = {
        let trails = Trails::of(&[person(9)]).await;
        contract::to_bytes(&audit::read(&trails.blobs, person(9), 2).await.unwrap().unwrap().entry)
    };
    for content in [b"{".to_vec(), vec![b' '; 100_000], entry_of_another] {
        let trails = Trails::of(&[person(1)]).await;
        trails.overwrite(Container::Audit, &names::audit_entry(person(1), 2), content).await;
        let (seq, problem) = trails.only_finding(person(1)).await;
        assert!(matches!((seq, &problem), (Some(2), Problem::EntryUnreadable { .. })), "{problem}");
    }
}

#[tokio::test]
async fn a_cut_tail_is_found_by_the_receipt_and_by_the_head() {
    let trails = Trails::of(&[person(1), person(2)]).await;
    trails.remove(Container::Audit, &names::audit_entry(person(1), 3)).await;
    let findings = trails.findings_of_all().await;
    assert_eq!(findings.len(), 2, "{findings:#?}");
    for finding in &findings {
        assert_eq!((finding.user, finding.seq), (Some(person(1)), Some(3)));
        assert!(matches!(finding.problem, Problem::TailCut { trail_ends_at: 2, .. }), "{finding}");
    }
    trails.remove(Container::State, &names::head(person(1))).await;
    assert_eq!(trails.findings_of_all().await, findings[..1]);
    trails.remove(Container::Receipts, &names::receipt(person(1), 3, TARGET)).await;
    trails.head(person(1), 3).await;
    assert_eq!(trails.findings_of_all().await, findings[1..]);
}

#[tokio::test]
async fn a_user_without_any_entry_is_missing_if_a_head_or_a_receipt_exists() {
    let trails = Trails::of(&[person(1), person(2), person(3)]).await;
    for seq in 1..=3 {
        trails.remove(Container::Audit, &names::audit_entry(person(2), seq)).await;
    }
    let (_, problem) = trails.only_finding(person(2)).await;
    assert!(matches!(problem, Problem::PersonMissing { .. }), "{problem}");
    for seq in 1..=3 {
        trails.remove(Container::Receipts, &names::receipt(person(2), seq, TARGET)).await;
    }
    let (_, problem) = trails.only_finding(person(2)).await;
    assert!(matches!(&problem, Problem::PersonMissing { evidence } if evidence.starts_with("state/")), "{problem}");
    // A head of a user who never had a photo: nothing is missing.
    trails.head(person(2), 0).await;
    assert!(trails.findings(person(2)).await.is_empty());
}

#[tokio::test]
async fn foreign_blobs_are_reported() {
    let trails = Trails::of(&[person(1)]).await;
    for name in ["notes.txt", "0000/00000001.json", "zzz/x.json"] {
        trails.overwrite(Container::Audit, name, "x").await;
    }
    let inside = format!("{}/00000002-copy.json", person(1));
    trails.overwrite(Container::Audit, &inside, "x").await;
    let report = verify_all(&trails.blobs).await.unwrap();
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| match &finding.problem {
            Problem::ForeignBlob { blob } => blob.clone(),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(found, ["audit/0000/00000001.json", &format!("audit/{inside}"), "audit/notes.txt", "audit/zzz/x.json"]);
}

#[tokio::test]
async fn a_changed_or_missing_photo_is_named_with_its_entry() {
    let user = person(1);
    let photo = Digest::of(format!("photo 2 of {user}").as_bytes());
    let small = Digest::of(format!("thumbnail 2 of {user}").as_bytes());
    for name in [names::photo(user, photo), names::rendition(user, photo, "thumbnailPhoto", small)] {
        let blob = format!("photos/{name}");
        let trails = Trails::of(&[user]).await;
        for content in ["changed", "changed, and longer than it was when it was captured: enough to be over any limit"]
        {
            trails.overwrite(Container::Photos, &name, content).await;
            assert_eq!(trails.only_finding(user).await, (Some(2), Problem::BlobChanged { blob: blob.clone() }));
        }
        trails.remove(Container::Photos, &name).await;
        assert_eq!(trails.only_finding(user).await, (Some(2), Problem::BlobMissing { blob }));
        // A forgotten user has no photos, and none are reported as missing.
        trails.commit(user, 4, EntryKind::Forgotten).await;
        assert!(trails.findings(user).await.is_empty());
    }
}

#[tokio::test]
async fn a_removed_photo_leaves_the_trail_clean() {
    let trails = Trails::of(&[person(1)]).await;
    trails.commit(person(1), 4, EntryKind::Removed).await;
    trails.commit(person(1), 5, EntryKind::Captured).await;
    assert!(trails.findings(person(1)).await.is_empty());
}

#[tokio::test]
async fn a_head_or_a_receipt_that_cannot_be_read_is_named() {
    let trails = Trails::of(&[person(1)]).await;
    trails.overwrite(Container::State, &names::head(person(1)), "{").await;
    let (_, problem) = trails.only_finding(person(1)).await;
    assert!(matches!(problem, Problem::EvidenceUnreadable { .. }), "{problem}");
    assert!(trails.folder.path().exists());
}

impl Trails {
    async fn findings_of_all(&self) -> Vec<Finding> {
        verify_all(&self.blobs).await.unwrap().findings
    }
}

#[tokio::test]
async fn a_checkpoint_is_taken_once_a_day_and_never_without_a_trail() {
    let trails = Trails::of(&[]).await;
    assert_eq!(trails.checkpoint(1).await, None);
    let trails = Trails::of(&[person(1), person(2)]).await;
    assert_eq!(trails.checkpoint(1).await.unwrap().people, 2);
    assert_eq!(trails.checkpoint(1).await, None);
    assert_eq!(trails.checkpoint(0).await, None, "a clock that went back changes nothing");
    trails.commit(person(2), 4, EntryKind::Captured).await;
    let second = trails.checkpoint(2).await.unwrap();
    assert_eq!((second.people, second.changes.by_sweep, second.cut.len()), (2, 1, 0));
    let report = verify_all(&trails.blobs).await.unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
    assert_eq!((report.checkpoints, report.newest_checkpoint), (2, Some((second.day, second.sha256))));
}

#[tokio::test]
async fn two_who_take_the_checkpoint_at_once_take_one() {
    let trails = Trails::of(&[person(1), person(2)]).await;
    let (one, other) = tokio::join!(trails.checkpoint(1), trails.checkpoint(1));
    assert_eq!(usize::from(one.is_some()) + usize::from(other.is_some()), 1);
    assert!(verify_all(&trails.blobs).await.unwrap().is_clean());
}

#[tokio::test]
async fn a_tail_that_was_cut_with_head_and_receipts_is_found_by_the_checkpoint_and_by_later_ones() {
    let trails = Trails::of(&[person(1), person(2), person(3)]).await;
    trails.checkpoint(1).await.unwrap();
    trails.cut(person(2), 3).await;
    let evidence = |day| format!("audit/{}", checkpoint_of(day));
    let cut = |day| (Some(3), Problem::TailCut { trail_ends_at: 2, evidence: evidence(day) });
    assert_eq!(trails.only_finding(person(2)).await, cut(1));
    // The next checkpoint reports it at once, and carries forward what the previous one recorded.
    assert_eq!(trails.checkpoint(2).await.unwrap().cut, [person(2)]);
    assert_eq!(trails.only_finding(person(2)).await, cut(2));
    // New entries after the truncation do not hide it.
    trails.commit(person(2), 3, EntryKind::Removed).await;
    let (seq, problem) = trails.only_finding(person(2)).await;
    assert!(matches!((seq, &problem), (Some(3), Problem::NotWhatTheCheckpointSaw { .. })), "{problem}");
}

#[tokio::test]
async fn a_user_whose_every_trace_was_removed_is_found_by_the_checkpoint() {
    for gone in [person(1), person(2), person(3)] {
        let trails = Trails::of(&[person(1), person(2), person(3)]).await;
        trails.checkpoint(1).await.unwrap();
        trails.cut(gone, 1).await;
        let evidence = format!("audit/{}", checkpoint_of(1));
        assert_eq!(trails.only_finding(gone).await, (None, Problem::PersonMissing { evidence }));
        assert_eq!(trails.checkpoint(2).await.unwrap().cut, [gone]);
    }
}

#[tokio::test]
async fn a_changed_missing_or_inserted_checkpoint_is_found_by_the_one_after_it() {
    let audit = |day| format!("audit/{}", checkpoint_of(day));
    let four_days = async || {
        let trails = Trails::of(&[person(1)]).await;
        for day in [1, 2, 4, 5] {
            trails.checkpoint(day).await.unwrap();
        }
        trails
    };
    let only = async |trails: &Trails| {
        let mut findings = trails.findings_of_all().await;
        assert_eq!(findings.len(), 1, "{findings:#?}");
        findings.remove(0).problem
    };

    let trails = four_days().await;
    assert!(trails.findings_of_all().await.is_empty(), "a day without a checkpoint is none that is missing");
    let original = trails.blobs.get(Container::Audit, &checkpoint_of(2), 1 << 20).await.unwrap().unwrap();
    let changed = String::from_utf8_lossy(&original).replace("\"people\":1", "\"people\":2");
    trails.overwrite(Container::Audit, &checkpoint_of(2), changed).await;
    assert_eq!(only(&trails).await, Problem::CheckpointChanged { blob: audit(2), named_by: audit(4) });
    trails.remove(Container::Audit, &checkpoint_of(2)).await;
    assert_eq!(only(&trails).await, Problem::CheckpointMissing { blob: audit(2), named_by: audit(4) });
    trails.overwrite(Container::Audit, &checkpoint_of(2), original.clone()).await;
    trails.remove(Container::Audit, &checkpoint_of(1)).await;
    assert_eq!(only(&trails).await, Problem::CheckpointMissing { blob: audit(1), named_by: audit(2) });

    let trails = four_days().await;
    let inserted = String::from_utf8_lossy(&original).replace(&day_of(2), &day_of(3)).replace(&day_of(1), &day_of(2));
    trails.overwrite(Container::Audit, &checkpoint_of(3), inserted).await;
    let findings = trails.findings_of_all().await;
    let unchained = Problem::CheckpointUnchained { blob: audit(3), after: audit(4) };
    assert!(findings.iter().any(|finding| finding.problem == unchained), "{findings:#?}");
}

#[tokio::test]
async fn a_checkpoint_or_page_that_cannot_be_used_is_named_and_the_others_still_prove() {
    let trails = Trails::of(&[person(1), person(2)]).await;
    trails.checkpoint(1).await.unwrap();
    trails.checkpoint(2).await.unwrap();
    trails.cut(person(1), 3).await;
    trails.overwrite(Container::Audit, &checkpoint_of(2), "{").await;
    let findings = trails.findings_of_all().await;
    let [unreadable, cut] = &findings[..] else { panic!("{findings:#?}") };
    assert!(matches!(unreadable.problem, Problem::EvidenceUnreadable { .. }), "{unreadable}");
    assert!(matches!(&cut.problem, Problem::TailCut { evidence, .. } if evidence.contains(&day_of(1))), "{cut}");
    // Even that one has a successor, which is chained to what exists.
    assert!(trails.checkpoint(3).await.is_some());

    let trails = Trails::of(&[person(1)]).await;
    trails.checkpoint(1).await.unwrap();
    let listed = list_all(&trails.blobs, Container::Audit, "checkpoints/pages/").await.unwrap();
    trails.overwrite(Container::Audit, &listed[0].name, "{}").await;
    let (blob, named_by) = (format!("audit/{}", listed[0].name), format!("audit/{}", checkpoint_of(1)));
    let problem = Problem::CheckpointChanged { blob: blob.clone(), named_by: named_by.clone() };
    assert_eq!(trails.findings_of_all().await[0].problem, problem);
    trails.remove(Container::Audit, &listed[0].name).await;
    assert_eq!(trails.findings_of_all().await[0].problem, Problem::CheckpointMissing { blob, named_by });
    let stray = "checkpoints/notes.txt";
    trails.overwrite(Container::Audit, stray, "x").await;
    let strays = trails.findings_of_all().await;
    assert!(strays.iter().any(|finding| finding.to_string().contains(stray)), "{strays:#?}");
}

#[tokio::test]
async fn a_user_forgotten_after_a_checkpoint_raises_no_finding() {
    let trails = Trails::of(&[person(1), person(2)]).await;
    trails.checkpoint(1).await.unwrap();
    trails.commit(person(2), 4, EntryKind::Forgotten).await;
    for photo in list_all(&trails.blobs, Container::Photos, &names::person_prefix(person(2))).await.unwrap() {
        trails.remove(Container::Photos, &photo.name).await;
    }
    assert!(trails.findings(person(2)).await.is_empty());
    trails.checkpoint(2).await.unwrap();
    assert!(trails.findings(person(2)).await.is_empty());
}

fn day_of(day: i64) -> String {
    Offset::UTC.to_datetime(on_day(day)).date().to_string()
}
