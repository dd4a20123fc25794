//! What a checkpoint proves that the trail alone does not.

use photorelay_core::audit::{self, Problem, verify_all};
use photorelay_core::contract::{self, EntryKind};
use photorelay_core::id::Digest;
use photorelay_core::names::{self, Container};
use photorelay_core::store::{BlobStore, Metadata, list_all};

use crate::trails::*;

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

/// What a listing shows of an entry or a receipt that this digest and this cause belong to.
fn metadata(sha256: Digest, cause: Option<&str>) -> Metadata {
    let cause = cause.map(|cause| ("cause".to_owned(), cause.to_owned()));
    Metadata::from_iter([("sha256".to_owned(), sha256.to_string())].into_iter().chain(cause))
}

/// The same bytes, now or as an attacker leaves them, under this metadata.
async fn describe(trails: &Trails, container: Container, name: &str, metadata: &Metadata) {
    let bytes = trails.blobs.get(container, name, 1 << 20).await.unwrap().unwrap();
    trails.blobs.put(container, name, "application/json", bytes, metadata).await.unwrap();
}

async fn digest(trails: &Trails, container: Container, name: &str) -> Digest {
    Digest::of(&trails.blobs.get(container, name, 1 << 20).await.unwrap().unwrap())
}

#[tokio::test]
async fn a_checkpoint_takes_the_digests_that_a_listing_shows_and_is_the_same_as_one_that_reads() {
    let (described, read) = (Trails::of(&[person(1), person(2)]).await, Trails::of(&[person(1), person(2)]).await);
    for user in [person(1), person(2)] {
        let entry = names::audit_entry(user, 3);
        let sha256 = digest(&described, Container::Audit, &entry).await;
        describe(&described, Container::Audit, &entry, &metadata(sha256, Some("sweep"))).await;
        let receipt = names::receipt(user, 3, TARGET);
        let sha256 = digest(&described, Container::Receipts, &receipt).await;
        describe(&described, Container::Receipts, &receipt, &metadata(sha256, None)).await;
    }
    assert_eq!(described.checkpoint(0).await, read.checkpoint(0).await);
    assert_eq!(described.findings_of_all().await, []);
    // Incomplete or not valid: what it says is read from the entry.
    describe(&described, Container::Audit, &names::audit_entry(person(1), 3), &Metadata::new()).await;
    for trails in [&described, &read] {
        trails.commit(person(1), 4, EntryKind::Captured).await;
        trails.commit(person(2), 4, EntryKind::Captured).await;
    }
    let sha256 = digest(&described, Container::Audit, &names::audit_entry(person(1), 4)).await;
    describe(&described, Container::Audit, &names::audit_entry(person(1), 4), &metadata(sha256, None)).await;
    let taken = described.checkpoint(1).await;
    assert_eq!(taken.as_ref().unwrap().changes.by_sweep, 2);
    assert_eq!(taken, read.checkpoint(1).await);
}

#[tokio::test]
async fn metadata_that_was_changed_is_found_and_hides_no_change_of_the_bytes() {
    let trails = Trails::of(&[person(1)]).await;
    let (entry, wrong) = (names::audit_entry(person(1), 3), Digest::of(b"something else"));
    let right = digest(&trails, Container::Audit, &entry).await;
    for metadata in [metadata(wrong, Some("sweep")), metadata(right, Some("operator"))] {
        describe(&trails, Container::Audit, &entry, &metadata).await;
        let changed = Problem::MetadataChanged { blob: format!("audit/{entry}") };
        assert_eq!(trails.only_finding(person(1)).await, (Some(3), changed));
    }
    let receipt = names::receipt(person(1), 3, TARGET);
    describe(&trails, Container::Audit, &entry, &Metadata::new()).await;
    describe(&trails, Container::Receipts, &receipt, &metadata(wrong, None)).await;
    let changed = Problem::MetadataChanged { blob: format!("receipts/{receipt}") };
    assert_eq!(trails.only_finding(person(1)).await, (Some(3), changed));
    describe(&trails, Container::Receipts, &receipt, &Metadata::new()).await;

    // The bytes are changed, and the metadata that the next checkpoint takes is what it was.
    let mut forged = audit::read(&trails.blobs, person(1), 3).await.unwrap().unwrap().entry;
    forged.reason = Some("forged".to_owned());
    let bytes = contract::to_bytes(&forged).into();
    trails.blobs.put(Container::Audit, &entry, "x/y", bytes, &metadata(right, Some("sweep"))).await.unwrap();
    trails.remove(Container::Receipts, &receipt).await;
    trails.checkpoint(0).await.unwrap();
    let problems: Vec<Problem> = trails.findings(person(1)).await.into_iter().map(|found| found.problem).collect();
    let saw = |problem: &Problem| matches!(problem, Problem::NotWhatTheCheckpointSaw { saw, .. } if *saw == right);
    assert!(problems.iter().any(saw), "{problems:#?}");
    // Metadata that agrees with the forgery does not help it against the checkpoint.
    let agreeing = metadata(digest(&trails, Container::Audit, &entry).await, Some("sweep"));
    describe(&trails, Container::Audit, &entry, &agreeing).await;
    let problems: Vec<Problem> = trails.findings(person(1)).await.into_iter().map(|found| found.problem).collect();
    assert!(problems.len() == 1 && saw(&problems[0]), "{problems:#?}");
}
