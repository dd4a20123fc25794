//! A feed that is not whole is not published: before it was filled, after it lost people, was lost or was restored.

use std::fs;
use std::path::Path;

use photorelay_agent::connectors::Connector as _;
use photorelay_agent::connectors::mim::{FeedReader, FeedStore, LineState, Publication, PublishOptions};
use photorelay_core::contract::{PublishedFeed, V1};
use tempfile::TempDir;

use crate::mim_feed::{Feed, filled_at, identity, line_of, lines, now, settings, user};

#[tokio::test]
async fn a_feed_that_lost_people_is_withheld_until_an_operator_lets_it_go() {
    let feed = Feed::new();
    feed.show_many(0..100).await;
    feed.publish();
    let state = rusqlite::Connection::open(feed.dir.path().join("state/feed.sqlite")).unwrap();
    state.execute("DELETE FROM people WHERE user_id NOT IN (SELECT user_id FROM people LIMIT 10)", []).unwrap();
    state.execute("UPDATE segments SET dirty = 1", []).unwrap();
    feed.show(user(0), &identity(0), Some(b"a change")).await;

    let Publication::Withheld { reason } = feed.publish() else { panic!("published") };
    assert!(reason.contains("from 100 to 1") && reason.contains("--allow-shrink"), "{reason}");
    assert_eq!(lines(&feed.read()).len(), 100, "importers keep what they have");
    let allowed = feed.publish_with(PublishOptions { allow_shrink: true, ..filled_at(now()) });
    assert!(matches!(allowed, Publication::Published { .. }));
    assert!(lines(&feed.read()).len() <= 11);
}

#[tokio::test]
async fn photos_that_went_by_decisions_are_published_and_others_are_not() {
    let feed = Feed::new();
    feed.show_many(0..100).await;
    feed.publish();
    for at in 0..50 {
        feed.show(user(at), &identity(at), None).await;
    }
    assert!(matches!(feed.publish(), Publication::Published { photos: 50, .. }));
    assert_eq!(line_of(&feed.read(), user(3)).state, LineState::NoPhoto);

    let state = rusqlite::Connection::open(feed.dir.path().join("state/feed.sqlite")).unwrap();
    state.execute("UPDATE people SET photo = NULL", []).unwrap();
    state.execute("UPDATE segments SET dirty = 1", []).unwrap();
    assert!(matches!(feed.publish(), Publication::Withheld { reason } if reason.contains("50 to 0 photos")));
}

#[tokio::test]
async fn a_feed_that_was_lost_waits_until_it_is_filled_again_under_a_new_epoch() {
    let feed = Feed::new();
    feed.show_many(0..100).await;
    feed.publish();
    let known = known(&feed);
    let lost = Feed::new();
    lost.show_many(0..10).await;
    let options = PublishOptions { known: Some(&known), allow_shrink: false, ..filled_at(now()) };
    assert!(matches!(lost.publish_with(options), Publication::Withheld { .. }));
    assert!(FeedReader::open(lost.dir.path()).unwrap().is_none());
    lost.show_many(10..100).await;
    assert!(matches!(lost.publish_with(options), Publication::Published { .. }));
    assert_ne!(lost.read().head.epoch, feed.read().head.epoch);
    assert_ne!(lost.connector.scope(), feed.connector.scope(), "the full reconciliation is due at once");
}

#[tokio::test]
async fn a_feed_that_was_restored_from_a_backup_begins_a_new_epoch() {
    let feed = Feed::new();
    feed.show_many(0..5).await;
    feed.publish();
    let backup = TempDir::new().unwrap();
    copy(feed.dir.path(), backup.path());
    feed.show_many(5..9).await;
    feed.publish();
    let known = known(&feed);

    let restored = FeedStore::open(settings(backup.path())).unwrap();
    let options = PublishOptions { known: Some(&known), allow_shrink: true, ..filled_at(now()) };
    let Publication::Published { head, .. } = restored.publish(options).unwrap() else { panic!("not published") };
    assert_ne!(head.epoch, feed.read().head.epoch, "a watermark of the other one says nothing here");
}

fn known(feed: &Feed) -> PublishedFeed {
    let head = feed.read().head;
    let (epoch, sequence, people) = (head.epoch.0, head.sequence, head.people);
    let at = jiff::Timestamp::from_second(now()).unwrap();
    PublishedFeed { v: V1, target: "mim".to_owned(), epoch, sequence, people, photos: people, at }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => {
                fs::create_dir(&target).unwrap();
                copy(&entry.path(), &target);
            }
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[tokio::test]
async fn a_feed_is_not_published_before_it_was_filled_once() {
    let feed = Feed::new();
    feed.show_many(0..3).await;
    let under_way = PublishOptions { is_filled: false, ..filled_at(now()) };
    assert_eq!(feed.publish_with(under_way), Publication::Filling);
    assert!(FeedReader::open(feed.dir.path()).unwrap().is_none(), "a full import would delete who is missing");
    assert!(matches!(feed.publish(), Publication::Published { .. }));
    feed.show(user(0), &identity(0), None).await;
    assert!(matches!(feed.publish_with(under_way), Publication::Published { .. }), "once is enough");
    FeedStore::rebuild(settings(feed.dir.path())).unwrap();
    assert!(matches!(feed.publish_with(under_way), Publication::Published { .. }), "a rebuilt feed has everyone");
}
