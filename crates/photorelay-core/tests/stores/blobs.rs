//! The guarantees of every blob store.

use std::sync::Arc;

use bytes::Bytes;
use photorelay_core::names::Container;
use photorelay_core::store::{Creation, Listing, Metadata, StoreError, list_all};

use crate::bench::Bench;
use crate::on_every_backend;

on_every_backend! {
    one_of_many_racing_writers_creates_the_blob,
    creating_again_changes_nothing,
    putting_replaces_bytes_and_metadata,
    bytes_come_back_as_they_were,
    a_blob_that_does_not_exist_is_no_error,
    a_blob_over_the_limit_is_not_read,
    a_listing_is_in_name_order_page_by_page,
    a_listing_holds_lengths_and_metadata,
    a_blob_and_the_folder_of_others_may_have_one_name,
    a_deleted_blob_is_gone_and_can_be_created_anew,
    odd_names_and_metadata_are_refused,
    ensuring_twice_is_harmless,
}

const JPEG: &str = "image/jpeg";
const LIMIT: u64 = 1 << 20;

fn metadata(etag: &str) -> Metadata {
    Metadata::from([("etag".to_owned(), etag.to_owned())])
}

async fn get(bench: &Bench, name: &str) -> Option<Bytes> {
    bench.blobs.get(Container::Audit, name, LIMIT).await.unwrap()
}

async fn one_of_many_racing_writers_creates_the_blob(bench: &Bench) {
    let name = bench.name("00000001.json");
    let race = (0..16_u8).map(|writer| {
        let (blobs, name) = (Arc::clone(&bench.blobs), name.clone());
        let content = Bytes::from(vec![writer; 3_000]);
        async move { (blobs.create(Container::Audit, &name, JPEG, content.clone()).await.unwrap(), content) }
    });
    let outcomes = futures::future::join_all(race).await;
    let winners: Vec<_> = outcomes.into_iter().filter(|(creation, _)| *creation == Creation::Created).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(get(bench, &name).await.unwrap(), winners[0].1);
}

async fn creating_again_changes_nothing(bench: &Bench) {
    let name = bench.name("00000001.json");
    let create = |content: &'static str| bench.blobs.create(Container::Audit, &name, JPEG, Bytes::from(content));
    assert_eq!(create("first").await.unwrap(), Creation::Created);
    assert_eq!(create("second").await.unwrap(), Creation::AlreadyExists);
    assert_eq!(get(bench, &name).await.unwrap(), "first");
}

async fn putting_replaces_bytes_and_metadata(bench: &Bench) {
    let name = bench.name("head.json");
    for (content, metadata) in
        [("one", metadata("W/\"1\"")), ("second", metadata("W/\"2\"")), ("third", Metadata::new())]
    {
        bench.blobs.put(Container::Audit, &name, JPEG, Bytes::from(content), &metadata).await.unwrap();
        assert_eq!(get(bench, &name).await.unwrap(), content);
        let listing = Listing { with_metadata: true, ..Listing::of(&bench.prefix) };
        let page = bench.blobs.list(Container::Audit, listing).await.unwrap();
        assert_eq!(page.blobs.len(), 1);
        assert_eq!(page.blobs[0].metadata, metadata);
    }
}

async fn bytes_come_back_as_they_were(bench: &Bench) {
    let five_mebibytes: Vec<u8> = (0..5 << 20).map(|i: u32| (i % 251) as u8).collect();
    for content in [vec![], vec![0], (0..=255).collect(), b"\r\n\0\xff".to_vec(), five_mebibytes] {
        let name = bench.name(&format!("{}-bytes", content.len()));
        let content = Bytes::from(content);
        bench.blobs.create(Container::Photos, &name, JPEG, content.clone()).await.unwrap();
        let found = bench.blobs.get(Container::Photos, &name, 8 << 20).await.unwrap().unwrap();
        assert!(found == content, "{} bytes came back as {}", content.len(), found.len());
    }
}

async fn a_blob_that_does_not_exist_is_no_error(bench: &Bench) {
    assert_eq!(get(bench, &bench.name("nothing.json")).await, None);
    assert_eq!(get(bench, &bench.name("deep/down/nothing")).await, None);
    bench.blobs.delete(Container::Audit, &bench.name("nothing.json")).await.unwrap();
    let page = bench.blobs.list(Container::Audit, Listing::of(&bench.prefix)).await.unwrap();
    assert!(page.blobs.is_empty() && page.next.is_none());
}

async fn a_blob_over_the_limit_is_not_read(bench: &Bench) {
    let name = bench.name("large.bin");
    bench.blobs.create(Container::Photos, &name, JPEG, Bytes::from(vec![7; 1000])).await.unwrap();
    assert_eq!(bench.blobs.get(Container::Photos, &name, 1000).await.unwrap().unwrap().len(), 1000);
    for limit in [0, 1, 999] {
        let refused = bench.blobs.get(Container::Photos, &name, limit).await.unwrap_err();
        assert!(matches!(refused, StoreError::TooLarge { bytes: 1000, limit: l, .. } if l == limit), "{refused:?}");
    }
}

async fn a_listing_is_in_name_order_page_by_page(bench: &Bench) {
    // In the order of whole names: `-` sorts before `.`, `.` before `/`, and `/` before digits.
    let names = ["a", "a-b", "a.json", "a/00000001.json", "a/00000002.json", "a/b/c", "a0", "b/x.json", "c"];
    for name in names.iter().rev() {
        let content = Bytes::from_static(b"x");
        bench.blobs.create(Container::Audit, &bench.name(name), JPEG, content).await.unwrap();
    }
    let full: Vec<String> = names.iter().map(|name| bench.name(name)).collect();
    for page_size in [1, 2, 4, 9, 100] {
        let (mut found, mut continuation) = (Vec::new(), None::<String>);
        loop {
            let listing = Listing { page_size, continuation: continuation.as_deref(), ..Listing::of(&bench.prefix) };
            let page = bench.blobs.list(Container::Audit, listing).await.unwrap();
            assert!(page.blobs.len() <= page_size as usize);
            found.extend(page.blobs.into_iter().map(|blob| blob.name));
            continuation = page.next;
            if continuation.is_none() {
                break;
            }
        }
        assert_eq!(found, full, "pages of {page_size}");
    }
    let below_a = list_all(&*bench.blobs, Container::Audit, &bench.name("a/")).await.unwrap();
    assert_eq!(below_a.iter().map(|blob| &blob.name).collect::<Vec<_>>(), full[3..6].iter().collect::<Vec<_>>());
    let begins_with_a = list_all(&*bench.blobs, Container::Audit, &bench.name("a")).await.unwrap();
    assert_eq!(begins_with_a.len(), 7);
}

async fn a_listing_holds_lengths_and_metadata(bench: &Bench) {
    let etag = "W/\"0x8DCABCDEF\"";
    let name = bench.name("head.json");
    bench.blobs.put(Container::State, &name, JPEG, Bytes::from_static(b"12345"), &metadata(etag)).await.unwrap();
    let plain = bench.blobs.list(Container::State, Listing::of(&bench.prefix)).await.unwrap();
    assert_eq!((plain.blobs[0].bytes, plain.blobs[0].metadata.len()), (5, 0));
    let listing = Listing { with_metadata: true, ..Listing::of(&bench.prefix) };
    let full = bench.blobs.list(Container::State, listing).await.unwrap();
    assert_eq!(full.blobs[0].metadata, metadata(etag));
}

async fn a_blob_and_the_folder_of_others_may_have_one_name(bench: &Bench) {
    let (photo, rendition) = (bench.name("5e88"), bench.name("5e88/thumbnailPhoto-9f2c.jpg"));
    for name in [&photo, &rendition] {
        bench.blobs.create(Container::Photos, name, JPEG, Bytes::from(name.clone())).await.unwrap();
    }
    for name in [&photo, &rendition] {
        assert_eq!(bench.blobs.get(Container::Photos, name, LIMIT).await.unwrap().unwrap(), name);
    }
    let listed = list_all(&*bench.blobs, Container::Photos, &bench.prefix).await.unwrap();
    assert_eq!(listed.into_iter().map(|blob| blob.name).collect::<Vec<_>>(), [photo, rendition]);
}

async fn a_deleted_blob_is_gone_and_can_be_created_anew(bench: &Bench) {
    let name = bench.name("head.json");
    let content = Bytes::from_static(b"x");
    bench.blobs.put(Container::State, &name, JPEG, content.clone(), &metadata("old")).await.unwrap();
    for _ in 0..2 {
        bench.blobs.delete(Container::State, &name).await.unwrap();
        assert_eq!(bench.blobs.get(Container::State, &name, LIMIT).await.unwrap(), None);
    }
    assert_eq!(bench.blobs.create(Container::State, &name, JPEG, content).await.unwrap(), Creation::Created);
    let listing = Listing { with_metadata: true, ..Listing::of(&bench.prefix) };
    let page = bench.blobs.list(Container::State, listing).await.unwrap();
    assert_eq!(page.blobs[0].metadata, Metadata::new());
}

async fn odd_names_and_metadata_are_refused(bench: &Bench) {
    let content = || Bytes::from_static(b"x");
    for name in
        ["", "..", "../x", "/etc/passwd", "a/../../x", "a\\b", "a//b", ".hidden", "a\0b", "a b", &"x".repeat(2000)]
    {
        let created = bench.blobs.create(Container::Audit, name, JPEG, content()).await;
        let put = bench.blobs.put(Container::Audit, name, JPEG, content(), &Metadata::new()).await;
        let got = bench.blobs.get(Container::Audit, name, LIMIT).await;
        let deleted = bench.blobs.delete(Container::Audit, name).await;
        for error in [created.map(drop), put, got.map(drop), deleted] {
            assert!(matches!(error, Err(StoreError::Invalid { .. })), "{name:?}: {error:?}");
        }
    }
    let listed = bench.blobs.list(Container::Audit, Listing::of("../")).await;
    assert!(matches!(listed, Err(StoreError::Invalid { .. })), "{listed:?}");
    let name = bench.name("head.json");
    let put = bench.blobs.put(Container::State, &name, JPEG, content(), &metadata("line\nbreak")).await;
    assert!(matches!(put, Err(StoreError::Invalid { .. })), "{put:?}");
    assert_eq!(bench.blobs.get(Container::State, &name, LIMIT).await.unwrap(), None);
}

async fn ensuring_twice_is_harmless(bench: &Bench) {
    let name = bench.name("kept.json");
    bench.blobs.create(Container::Agents, &name, JPEG, Bytes::from_static(b"x")).await.unwrap();
    bench.blobs.ensure_container(Container::Agents).await.unwrap();
    assert!(bench.blobs.get(Container::Agents, &name, LIMIT).await.unwrap().is_some());
    bench.queues.send(&bench.queue, vec![photorelay_core::queue::Outgoing::now("x")]).await.unwrap();
    bench.queues.ensure_queue(&bench.queue).await.unwrap();
    assert_eq!(bench.queues.count(&bench.queue).await.unwrap(), 1);
}
