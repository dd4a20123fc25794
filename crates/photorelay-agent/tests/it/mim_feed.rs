//! The feed for Microsoft Identity Manager as its readers find it: whole, pinned, and never smaller than was decided.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use photorelay_agent::connectors::mim::{
    Checksum, FeedReader, FeedStore, KeySource, LineState, MimConnector, MimSettings, PersonLine, Publication,
    PublishOptions,
};
use photorelay_agent::connectors::{Connector, ConnectorError, Replacement};
use photorelay_core::contract::Identity;
use photorelay_core::id::{Digest, UserId};
use tempfile::TempDir;
use uuid::Uuid;

const DAY: i64 = 24 * 3600;

pub(crate) fn settings(feed: &Path) -> MimSettings {
    MimSettings {
        feed: feed.to_owned(),
        state: feed.join("state"),
        rendition: "thumbnailPhoto".to_owned(),
        key: KeySource::UserId,
        checksum: Checksum::Sha256,
        publish_every: Duration::from_secs(1),
        tombstone_days: 90,
        shrink_percent: 1,
        scripts: None,
    }
}

pub(crate) struct Feed {
    pub(crate) dir: TempDir,
    pub(crate) store: Arc<FeedStore>,
    pub(crate) connector: MimConnector,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(edit: fn(&mut MimSettings)) -> Self {
        let dir = TempDir::new().unwrap();
        let mut settings = settings(dir.path());
        edit(&mut settings);
        let store = Arc::new(FeedStore::open(settings).unwrap());
        Self { dir, connector: MimConnector::new(Arc::clone(&store)), store }
    }

    /// What the agent does for one user.
    pub(crate) async fn show(&self, user: UserId, identity: &Identity, photo: Option<&[u8]>) {
        let (entry, present) = self.connector.find(user, identity).await.unwrap();
        self.connector.claim(user, identity, &entry).await.unwrap();
        let photo = photo.map(Bytes::copy_from_slice);
        let replaced = self.connector.replace(&entry, present.as_ref(), photo.as_ref()).await.unwrap();
        assert_eq!(replaced, Replacement::Done);
    }

    pub(crate) async fn show_many(&self, people: std::ops::Range<u32>) {
        for at in people {
            self.show(user(at), &identity(at), Some(&photo(at))).await;
        }
    }

    pub(crate) fn publish(&self) -> Publication {
        self.publish_with(filled_at(now()))
    }

    pub(crate) fn publish_with(&self, options: PublishOptions<'_>) -> Publication {
        self.store.publish(options).unwrap()
    }

    pub(crate) fn read(&self) -> FeedReader {
        FeedReader::open(self.dir.path()).unwrap().unwrap()
    }
}

/// Of a feed that was filled.
pub(crate) fn filled_at(now: i64) -> PublishOptions<'static> {
    PublishOptions { now, is_filled: true, ..PublishOptions::default() }
}

pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

pub(crate) fn user(at: u32) -> UserId {
    // The first byte is spread, as in the random ids of Entra.
    UserId::from_uuid(Uuid::from_u128(u128::from(at.wrapping_mul(0x9E37_79B1)) << 96 | u128::from(at)))
}

pub(crate) fn identity(at: u32) -> Identity {
    Identity {
        anchor: Some(format!("anchor{at}==")),
        sid: Some(format!("S-1-5-21-1-2-3-{at}")),
        sam_account_name: Some(format!("user{at}")),
        domain: Some("contoso.test".to_owned()),
        ..Identity::default()
    }
}

fn photo(at: u32) -> Vec<u8> {
    format!("photo of {at}").into_bytes()
}

pub(crate) fn lines(reader: &FeedReader) -> Vec<PersonLine> {
    let mut lines = Vec::new();
    reader
        .for_each(|line| {
            lines.push(line);
            Ok(())
        })
        .unwrap();
    lines
}

pub(crate) fn line_of(reader: &FeedReader, user: UserId) -> PersonLine {
    lines(reader).into_iter().find(|line| line.user == user && line.state != LineState::Gone).unwrap()
}

#[tokio::test]
async fn a_change_is_published_as_one_segment_and_nothing_is_published_twice() {
    let feed = Feed::new();
    feed.show_many(0..300).await;
    let Publication::Published { head, photos } = feed.publish() else { panic!("not published") };
    assert_eq!((head.people, photos), (300, 300));
    let current = fs::read(feed.dir.path().join("current")).unwrap();
    assert_eq!(feed.publish(), Publication::Unchanged);
    assert_eq!(fs::read(feed.dir.path().join("current")).unwrap(), current);
    let later = filled_at(now() + 2 * 3600);
    assert_eq!(feed.publish_with(later), Publication::Unchanged);
    let young = feed.read().head;
    assert_eq!((young.published - head.published >= 2 * 3600, young.sequence), (true, head.sequence));

    let before = segments(feed.dir.path());
    feed.show(user(7), &identity(7), Some(b"another photo")).await;
    assert!(matches!(feed.publish(), Publication::Published { .. }));
    assert_eq!(segments(feed.dir.path()) - before, 1, "one segment is written");
    let line = line_of(&feed.read(), user(7));
    let photo = line.photo.unwrap();
    assert_eq!((photo.checksum, photo.bytes), (Digest::of(b"another photo").to_string(), 13));
    assert_eq!((line.key, line.anchor.as_str()), (user(7).to_string(), "anchor7=="));
    assert!(feed.read().verify().unwrap().damaged.is_empty());
}

fn segments(feed: &Path) -> usize {
    let folders = fs::read_dir(feed.join("segments")).unwrap();
    folders.map(|folder| fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
}

#[tokio::test]
async fn a_reader_that_pinned_a_publication_is_not_disturbed_until_long_after() {
    let feed = Feed::new();
    feed.show_many(0..20).await;
    feed.publish();
    let pinned = feed.read();
    for at in 0..20 {
        feed.show(user(at), &identity(at), Some(b"the same for all")).await;
        feed.publish_with(filled_at(now() + i64::from(at)));
    }
    assert_eq!(pinned.verify().unwrap().damaged, Vec::<String>::new());
    assert_eq!(lines(&pinned).len(), 20);

    // Eight days later nobody reads it any more.
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs((now() - DAY) as u64);
    for kind in ["segments", "photos", "manifests"] {
        age(&feed.dir.path().join(kind), old);
    }
    feed.show(user(0), &identity(0), Some(b"once more")).await;
    feed.publish_with(filled_at(now() + 8 * DAY));
    assert!(pinned.verify().is_err(), "what nothing names is cleaned up");
    let report = feed.read().verify().unwrap();
    assert_eq!((report.people, report.damaged.len()), (20, 0), "what the present publication names stays");
    // What was replaced just now was touched, and stays for a while.
    assert_eq!(fs::read_dir(feed.dir.path().join("manifests")).unwrap().count(), 2);
}

fn age(folder: &Path, to: SystemTime) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => age(&path, to),
            false => File::options().append(true).open(path).unwrap().set_modified(to).unwrap(),
        }
    }
}

#[tokio::test]
async fn a_person_with_a_new_object_id_takes_the_line_over_and_the_old_key_is_deleted() {
    let feed = Feed::new();
    feed.show(user(1), &identity(1), Some(b"face")).await;
    feed.publish();
    let (entry, present) = feed.connector.find(user(2), &identity(1)).await.unwrap();
    assert_eq!(present.as_deref(), Some(b"face".as_slice()), "the same person");
    feed.connector.claim(user(2), &identity(1), &entry).await.unwrap();
    feed.publish();
    let reader = feed.read();
    let states: Vec<_> = lines(&reader).into_iter().map(|line| (line.user, line.state)).collect();
    assert_eq!(reader.head.people, 1);
    assert!(
        states.contains(&(user(1), LineState::Gone)) && states.contains(&(user(2), LineState::Photo)),
        "{states:?}"
    );

    // The old key comes back: its tombstone goes.
    feed.show(user(1), &identity(9), Some(b"another")).await;
    feed.publish();
    assert!(lines(&feed.read()).iter().all(|line| line.state == LineState::Photo));
}

#[tokio::test]
async fn tombstones_are_dropped_after_their_time_and_older_deltas_are_refused() {
    let feed = Feed::new();
    feed.show_many(0..3).await;
    feed.publish();
    assert!(feed.store.remove(user(1)).unwrap());
    assert!(!feed.store.remove(user(1)).unwrap());
    let Publication::Published { head, .. } = feed.publish_with(filled_at(now())) else { panic!("not published") };
    assert_eq!((head.floor, head.people), (0, 2));
    let tombstone = lines(&feed.read()).into_iter().find(|line| line.state == LineState::Gone).unwrap();
    let later = filled_at(now() + 91 * DAY);
    let Publication::Published { head, .. } = feed.publish_with(later) else { panic!("not published") };
    assert_eq!(head.floor, tombstone.sequence);
    assert!(head.sequence > tombstone.sequence, "another content has another number");
    assert_eq!(lines(&feed.read()).len(), 2);
}

#[tokio::test]
async fn a_missing_or_damaged_file_is_written_again() {
    let feed = Feed::new();
    feed.show_many(0..3).await;
    feed.publish();
    let photo_file = |at: u32| {
        let name = Digest::of(&photo(at)).to_string();
        feed.dir.path().join("photos").join(&name[..2]).join(format!("{name}.jpg"))
    };
    fs::write(photo_file(1), b"half").unwrap();
    assert_eq!(feed.read().verify().unwrap().damaged.len(), 1);
    let (_, present) = feed.connector.find(user(1), &identity(1)).await.unwrap();
    assert_eq!(present, None, "a damaged file is no photo");
    feed.show(user(1), &identity(1), Some(&photo(1))).await;

    fs::remove_dir_all(feed.dir.path().join("segments")).unwrap();
    assert!(FeedReader::open(feed.dir.path()).unwrap().unwrap().verify().is_err());
    assert!(matches!(feed.publish(), Publication::Published { .. }));
    assert_eq!(feed.read().verify().unwrap().damaged, Vec::<String>::new());
}

#[tokio::test]
async fn two_people_with_one_key_are_refused_with_both_ways_out() {
    let feed = Feed::with(|settings| settings.key = KeySource::SamAccountName);
    feed.show(user(1), &identity(1), Some(b"one")).await;
    let other = Identity { sam_account_name: identity(1).sam_account_name, ..identity(2) };
    let refused = feed.connector.find(user(2), &other).await.unwrap_err();
    let ConnectorError::Refused(reason) = &refused else { panic!("{refused:?}") };
    assert!(reason.contains(&user(1).to_string()) && reason.contains("samAccountName"), "{reason}");
    let shouting = Identity { sam_account_name: Some("USER1".to_owned()), ..identity(5) };
    assert!(matches!(feed.connector.find(user(5), &shouting).await, Err(ConnectorError::Refused(_))));
    let nameless = Identity { sam_account_name: None, ..identity(3) };
    assert!(matches!(feed.connector.find(user(3), &nameless).await, Err(ConnectorError::Refused(_))));
    let cloud = Identity { anchor: None, ..identity(4) };
    assert!(matches!(feed.connector.find(user(4), &cloud).await, Err(ConnectorError::Refused(_))));
}

#[tokio::test]
async fn a_key_that_is_personal_data_has_to_be_in_the_audit_entry() {
    let feed = Feed::with(|settings| settings.key = KeySource::EmployeeId);
    let employee = Identity { employee_id: Some("100042".to_owned()), ..identity(1) };
    feed.show(user(1), &employee, Some(b"one")).await;
    feed.publish();
    assert_eq!(line_of(&feed.read(), user(1)).key, "100042");
    let refused = feed.connector.find(user(2), &identity(2)).await.unwrap_err();
    assert!(refused.to_string().contains("PHOTORELAY_IDENTITY_EXTRA"), "{refused}");
    let with_mail = MimSettings { key: KeySource::Mail, ..settings(feed.dir.path()) };
    let refused = FeedStore::rebuild(with_mail).unwrap_err().to_string();
    assert!(refused.contains("PHOTORELAY_MIM_ANCHOR=mail") && refused.contains("fills a new feed"), "{refused}");

    // A key that is not changed needs no entry.
    let key = KeySource::EmployeeId;
    let with_md5 = MimSettings { key, checksum: Checksum::Md5, ..settings(feed.dir.path()) };
    assert_eq!(FeedStore::rebuild(with_md5.clone()).unwrap(), 1);
    FeedStore::open(with_md5).unwrap().publish(filled_at(now())).unwrap();
    let line = line_of(&feed.read(), user(1));
    assert_eq!((line.key.as_str(), line.photo.unwrap().checksum), ("100042", Checksum::Md5.of(b"one")));
}

#[tokio::test]
async fn settings_that_are_in_the_feed_already_are_changed_by_a_rebuild_only() {
    let feed = Feed::new();
    feed.show_many(0..4).await;
    feed.publish();
    let epoch = feed.read().head.epoch;
    let changed = MimSettings { key: KeySource::Anchor, checksum: Checksum::Md5, ..settings(feed.dir.path()) };
    let refused = FeedStore::open(changed.clone()).unwrap_err().to_string();
    assert!(refused.contains("PHOTORELAY_MIM_ANCHOR=userId") && refused.contains("rebuild"), "{refused}");

    assert_eq!(FeedStore::rebuild(changed.clone()).unwrap(), 4);
    let store = FeedStore::open(changed).unwrap();
    store.publish(filled_at(now())).unwrap();
    let reader = feed.read();
    assert_ne!(reader.head.epoch, epoch);
    let line = line_of(&reader, user(2));
    assert_eq!((line.key.as_str(), line.photo.unwrap().checksum), ("anchor2==", Checksum::Md5.of(&photo(2))));
}

#[tokio::test]
async fn a_feed_that_was_tampered_with_is_not_read() {
    let feed = Feed::new();
    feed.show_many(0..30).await;
    feed.publish();
    let current = feed.dir.path().join("current");
    let whole = fs::read_to_string(&current).unwrap();
    let refused = || FeedReader::open(feed.dir.path()).unwrap_err().to_string();
    fs::write(&current, &whole[..30]).unwrap();
    assert!(refused().contains("not one line"), "{}", refused());
    fs::write(&current, whole.replacen('1', "9", 1)).unwrap();
    assert!(refused().contains("version 9"), "{}", refused());
    fs::write(&current, vec![b'1'; 5000]).unwrap();
    assert!(refused().contains("larger than"), "{}", refused());
    fs::write(&current, &whole).unwrap();
    let manifest = feed.dir.path().join("manifests").join(whole.split('\t').nth(4).unwrap());
    fs::write(manifest, b"other").unwrap();
    assert!(refused().contains("not what its digest says") && refused().contains("copy it again"), "{}", refused());
}
