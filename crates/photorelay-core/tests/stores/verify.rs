//! Every kind of tampering with the trail is found, and an intact trail is clean.

use jiff::Timestamp;
use photorelay_core::audit::{self, Finding, Problem, verify_all, verify_person};
use photorelay_core::contract::{self, EntryKind};
use photorelay_core::id::Digest;
use photorelay_core::names::{self, Container};

use crate::trails::*;

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
