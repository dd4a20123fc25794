//! The feed as LDIF, and what a reader of LDIF that we did not write makes of it: `ldapmodify` on the Samba domain.

use std::fs;

use photorelay_agent::connectors::mim::{FeedStore, LdifKind, LdifNames};
use testkit::samba::Samba;

use crate::mim_feed::{Feed, identity, settings, user};

fn names(class: &str, key: &str, photo: &str, checksum: &str) -> LdifNames {
    let [object_class, key, photo, checksum] = [class, key, photo, checksum].map(|name| name.parse().unwrap());
    LdifNames { base_dn: "O=photorelay".to_owned(), object_class, key, photo, checksum }
}

#[tokio::test]
async fn a_delta_to_ldif_holds_all_changes_since_the_last_full_export_however_often_it_is_made() {
    let feed = Feed::new();
    feed.show_many(0..4).await;
    feed.publish();
    let names = names("EXOUser", "EXOUserKey", "EXOPhoto", "EXOPhotoChecksum");
    let file = feed.dir.path().join("mim.ldif");
    let export = |kind| feed.store.export_ldif(kind, &names, &file);
    assert!(export(LdifKind::Delta).unwrap_err().to_string().contains("no full export yet"));
    assert_eq!(export(LdifKind::Full).unwrap().written, 4);
    assert_eq!(fs::read_to_string(&file).unwrap().matches("objectClass: EXOUser").count(), 4);

    feed.show(user(0), &identity(0), Some(b"new")).await;
    feed.show(user(1), &identity(1), None).await;
    feed.store.remove(user(2)).unwrap();
    feed.show(user(9), &identity(9), Some(b"nine")).await;
    feed.publish();
    for _ in 0..2 {
        let made = export(LdifKind::Delta).unwrap();
        assert_eq!((made.written, made.deleted), (3, 1));
        let text = fs::read_to_string(&file).unwrap();
        let kinds: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("changetype: ")).collect();
        assert_eq!(kinds[0], "delete", "before what may take its place");
        assert_eq!(["add", "modify"].map(|kind| kinds.iter().filter(|it| **it == kind).count()), [1, 2]);
        assert!(text.contains("replace: EXOPhoto\n-\n"), "a photo that is gone has no value");
    }
    let before = fs::read(&file).unwrap();
    fs::remove_dir_all(feed.dir.path().join("photos")).unwrap();
    assert!(export(LdifKind::Full).is_err());
    assert_eq!(fs::read(&file).unwrap(), before, "nothing is written by halves");
    let epoch = feed.read().head.epoch;
    FeedStore::rebuild(settings(feed.dir.path())).unwrap();
    feed.publish();
    assert_ne!(feed.read().head.epoch, epoch);
    assert!(export(LdifKind::Delta).unwrap_err().to_string().contains("rebuilt"));
}

#[tokio::test]
async fn on_a_directory_ldapmodify_reads_the_same_photos() {
    let samba = Samba::shared().await;
    let feed = Feed::new();
    let names = LdifNames { base_dn: samba.unit.clone(), ..names("contact", "displayName", "thumbnailPhoto", "info") };
    let file = feed.dir.path().join("mim.ldif");
    feed.publish();
    feed.store.export_ldif(LdifKind::Full, &names, &file).unwrap();
    let apply = async || {
        feed.publish();
        feed.store.export_ldif(LdifKind::Delta, &names, &file).unwrap();
        samba.change(&fs::read_to_string(&file).unwrap()).await;
        // The next delta begins here.
        feed.store.export_ldif(LdifKind::Full, &names, &file).unwrap();
    };
    let shown = async |at: u32, attribute: &str| samba.values(&names.dn_of(&user(at).to_string()), attribute).await;
    let (face, other) = ([0xff, 0xd8, 0x00, 0x0a].repeat(200), b"\n:< other ".to_vec());
    feed.show(user(1), &identity(1), Some(&face)).await;
    feed.show(user(2), &identity(2), Some(&other)).await;
    apply().await;
    assert_eq!(shown(1, "thumbnailPhoto").await, [face]);
    assert_eq!(shown(2, "thumbnailPhoto").await, std::slice::from_ref(&other));
    let checksum = photorelay_core::id::Digest::of(&other).to_string();
    assert_eq!(shown(2, "info").await, [checksum.into_bytes()]);

    feed.show(user(1), &identity(1), Some(b"a new one")).await;
    feed.show(user(2), &identity(2), None).await;
    apply().await;
    assert_eq!(shown(1, "thumbnailPhoto").await, [b"a new one".to_vec()]);
    assert!(shown(2, "thumbnailPhoto").await.is_empty() && shown(2, "info").await.is_empty());
    assert_eq!(shown(2, "displayName").await.len(), 1, "the object stays");
    feed.store.remove(user(2)).unwrap();
    apply().await;
    let found = samba.people(&format!("(displayName={})", user(2)), &["displayName"]).await.unwrap();
    assert!(found.is_empty(), "{found:?}");
}
