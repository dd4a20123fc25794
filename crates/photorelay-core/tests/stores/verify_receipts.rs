//! Receipts that were changed or removed are found, and so are photos that no entry names or that were stored otherwise.

use bytes::Bytes;
use photorelay_core::audit::{Problem, verify_all, verify_person};
use photorelay_core::contract::{self, Outcome, Receipt};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container, ReceiptName};
use photorelay_core::store::{BlobStore, Listed, list_all};

use crate::bench::Bench;
use crate::trails::*;

async fn receipt(trails: &Trails, seq: u32) -> Receipt {
    let name = names::receipt(person(1), seq, TARGET);
    let bytes = trails.blobs.get(Container::Receipts, &name, 65_536).await.unwrap().unwrap();
    contract::parse(&bytes).unwrap()
}

async fn put(trails: &Trails, name: &str, receipt: &Receipt) {
    trails.overwrite(Container::Receipts, name, contract::to_bytes(receipt)).await;
}

#[tokio::test]
async fn a_receipt_that_does_not_say_what_its_name_or_its_entry_says_is_named() {
    let lies: [fn(&mut Receipt); 5] = [
        |receipt| receipt.after = Some(Digest::of(b"another value")),
        |receipt| receipt.after = None,
        |receipt| receipt.seq += 1,
        |receipt| receipt.target = "hr".to_owned(),
        |receipt| (receipt.outcome, receipt.reason) = (Outcome::Refused, None),
    ];
    // Of any entry, not only of the newest one.
    for (at, lie) in lies.into_iter().enumerate() {
        for seq in [1, 3] {
            let trails = Trails::of(&[person(1)]).await;
            let mut changed = receipt(&trails, seq).await;
            lie(&mut changed);
            put(&trails, &names::receipt(person(1), seq, TARGET), &changed).await;
            let found = trails.only_finding(person(1)).await;
            assert!(matches!(found, (Some(at), Problem::ReceiptContradicts { .. }) if at == seq), "{at}: {found:?}");
        }
    }
}

#[tokio::test]
async fn a_receipt_that_is_missing_from_the_row_of_its_entry_is_named() {
    let trails = Trails::of(&[person(1)]).await;
    let first = ReceiptName::first(person(1), 2, TARGET);
    let (second, third) = (first.next(), first.next().next());
    let left = receipt(&trails, 2).await;
    put(&trails, &second.to_string(), &left).await;
    put(&trails, &third.to_string(), &left).await;
    assert!(trails.findings(person(1)).await.is_empty());
    for missing in [second, first] {
        trails.remove(Container::Receipts, &missing.to_string()).await;
        let named = trails.findings(person(1)).await.into_iter().any(|finding| {
            matches!(finding.problem, Problem::ReceiptMissing { receipt, .. } if receipt == format!("receipts/{missing}"))
        });
        // The first is not missed once the second is gone too: one gap is named, and it is that of the second.
        assert_eq!(named, missing.number == 2, "{missing}");
    }
}

#[tokio::test]
async fn a_receipt_that_was_changed_or_removed_after_a_checkpoint_is_named() {
    let trails = Trails::of(&[person(1), person(2)]).await;
    trails.checkpoint(1).await.unwrap();
    let (name, checkpoint) = (names::receipt(person(1), 3, TARGET), format!("audit/{}", checkpoint_of(1)));
    let blob = format!("receipts/{name}");
    let left = receipt(&trails, 3).await;
    // Nothing else contradicts it: the photo was refused, it says.
    let reason = Some("no right to write".to_owned());
    put(&trails, &name, &Receipt { outcome: Outcome::Refused, reason, after: None, ..left.clone() }).await;
    let changed = Problem::ReceiptChanged { receipt: blob.clone(), checkpoint: checkpoint.clone() };
    assert_eq!(trails.only_finding(person(1)).await, (Some(3), changed));
    trails.remove(Container::Receipts, &name).await;
    let missing = Problem::ReceiptMissing { receipt: blob.clone(), evidence: checkpoint };
    assert_eq!(trails.only_finding(person(1)).await, (Some(3), missing));
    // The next checkpoint carries forward what this one recorded, and an untouched receipt stays clean.
    trails.checkpoint(2).await.unwrap();
    let (_, problem) = trails.only_finding(person(1)).await;
    assert!(matches!(&problem, Problem::ReceiptMissing { receipt, .. } if *receipt == blob), "{problem}");
    put(&trails, &name, &left).await;
    assert!(trails.findings(person(1)).await.is_empty());
}

#[tokio::test]
async fn a_photo_that_no_entry_names_is_counted_if_it_is_whole_and_named_if_it_is_not() {
    let trails = Trails::of(&[person(1)]).await;
    let whole = Digest::of(b"a worker ended before its commit");
    trails.overwrite(Container::Photos, &names::photo(person(1), whole), "a worker ended before its commit").await;
    let report = verify_all(&trails.blobs).await.unwrap();
    assert_eq!((report.is_clean(), report.unreferenced), (true, 1));
    let planted = [
        names::photo(person(1), Digest::of(b"one thing")),
        format!("{}/passwords.txt", person(1)),
        "notes.txt".to_owned(),
    ];
    for name in &planted {
        trails.overwrite(Container::Photos, name, "another thing").await;
    }
    let mut found: Vec<String> =
        trails.findings_of_all().await.iter().map(|finding| finding.problem.to_string()).collect();
    found.sort();
    assert_eq!(found.len(), planted.len(), "{found:?}");
    for name in &planted {
        assert!(found.iter().any(|problem| problem.contains(&format!("photos/{name}"))), "{name}: {found:?}");
    }
}

#[tokio::test]
async fn a_photo_that_is_stored_as_another_kind_of_file_is_named_on_azurite() {
    let bench = Bench::azurite().await;
    // In a store that keeps content types, the trail of a user of this test alone.
    let user: UserId = bench.prefix.trim_end_matches('/').parse().unwrap();
    let trails = Trails::of(&[user]).await;
    for container in [Container::Audit, Container::Photos, Container::Receipts] {
        let content_type = if container == Container::Photos { "image/jpeg" } else { "application/json" };
        for Listed { name, .. } in list_all(&trails.blobs, container, &bench.prefix).await.unwrap() {
            let content = trails.blobs.get(container, &name, 1 << 20).await.unwrap().unwrap();
            bench.blobs.create(container, &name, content_type, content).await.unwrap();
        }
    }
    assert!(verify_person(&*bench.blobs, user).await.unwrap().is_clean());
    let photo = Bytes::from(format!("photo 2 of {user}"));
    let name = names::photo(user, Digest::of(&photo));
    bench.blobs.put(Container::Photos, &name, "text/html", photo, &Default::default()).await.unwrap();
    let findings = verify_person(&*bench.blobs, user).await.unwrap().findings;
    let problem = Problem::ContentTypeChanged { blob: format!("photos/{name}"), content_type: "text/html".to_owned() };
    assert_eq!(findings.into_iter().map(|finding| finding.problem).collect::<Vec<_>>(), [problem]);
}
