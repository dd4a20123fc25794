//! One photo that cannot be read is a discovery error of its user alone.

use std::fs;

use psma_sim::{Import, ManagementAgent, PsmaVersion, RunReport, RunResult};

use crate::feed::{TestFeed, hex, photo_path, space, user_id};

/// A feed of five users whose user 1 has the photo `b"four"`, imported; then that photo changes.
fn changed_photo(version: PsmaVersion) -> (TestFeed, ManagementAgent, String) {
    let mut feed = TestFeed::of(5);
    let mut agent = feed.agent(version);
    assert!(agent.run(Import::full()).unwrap().is_clean());
    feed.put(1, Some(b"four".to_vec()));
    feed.remove(4);
    feed.put(0, Some(b"beside".to_vec()));
    feed.publish();
    (feed, agent, photo_path(&hex(b"four")))
}

/// The run names the user and the file, changes the others, deletes nothing that is only missing, and keeps the watermark.
fn is_error_of_one(report: &RunReport, wanted: &str) {
    assert_eq!(report.result, RunResult::CompletedDiscoveryErrors, "{report:?}");
    let [(dn, name, detail)] = &report.errors[..] else { panic!("{report:?}") };
    assert_eq!((dn.as_str(), name.as_str()), (user_id(1).as_str(), "photo-unreadable"));
    for part in [wanted, &user_id(1), &hex(b"four"), "copy it again", "Then run the import again"] {
        assert!(detail.contains(part), "{detail:?} does not say {part:?}");
    }
    assert!(report.has_no_hidden_mistake(), "{report:?}");
}

fn damage_and_repair(damage: impl Fn(&TestFeed, &str), wanted: &str) {
    for version in PsmaVersion::ALL {
        for import in [Import::full().paged(2), Import::delta().paged(2)] {
            let (feed, mut agent, photo) = changed_photo(version);
            let (before, watermark) = (space(&agent), agent.watermark().to_owned());
            damage(&feed, &photo);
            is_error_of_one(&agent.run(import).unwrap(), wanted);
            assert_eq!(agent.watermark(), watermark);
            assert_eq!(space(&agent).get(&user_id(1)), before.get(&user_id(1)), "the old photo stays");
            assert_eq!(space(&agent).get(&user_id(0)), feed.expected().get(&user_id(0)), "the others go on");
            feed.write(&photo, b"four");
            assert!(agent.run(import).unwrap().is_clean());
            assert_eq!(space(&agent), feed.expected());
        }
    }
}

#[test]
fn a_photo_that_is_missing() {
    damage_and_repair(|feed, photo| fs::remove_file(feed.path().join(photo)).unwrap(), "is missing or not readable");
}

#[test]
fn a_photo_of_the_wrong_length() {
    damage_and_repair(|feed, photo| feed.write(photo, b"fou"), "has 3 bytes instead of 4");
}

#[test]
fn after_an_error_a_full_import_obsoletes_nothing() {
    let (feed, mut agent, photo) = changed_photo(PsmaVersion::V6_1);
    fs::remove_file(feed.path().join(photo)).unwrap();
    assert_eq!(agent.run(Import::full()).unwrap().deletes, 0);
    assert!(space(&agent).contains_key(&user_id(4)));
}

#[test]
fn a_photo_of_the_right_length_with_other_bytes_is_found_with_verify() {
    let (feed, agent, photo) = changed_photo(PsmaVersion::V6_1);
    feed.write(&photo, b"FOUR");
    let mut trusting = agent;
    assert!(trusting.run(Import::delta()).unwrap().is_clean(), "without the setting only the length is compared");
    let mut verifying = feed.agent(PsmaVersion::V6_1).with("Verify", "1");
    is_error_of_one(&verifying.run(Import::full()).unwrap(), "does not have the digest in its name");
    feed.write(&photo, b"four");
    assert!(verifying.run(Import::full()).unwrap().is_clean());
    assert_eq!(space(&verifying), feed.expected());
}

#[test]
fn a_photo_that_another_program_holds_is_an_error_of_its_user_or_stops_the_run() {
    for version in PsmaVersion::ALL {
        let (feed, mut agent, photo) = changed_photo(version);
        let before = space(&agent);
        agent.lock_file(&feed.path().join(&photo));
        let report = agent.run(Import::delta()).unwrap();
        if version == PsmaVersion::V6_0Build1050 {
            // There, an error that was caught may count as one that was not.
            assert!(report.exception().is_some(), "{report:?}");
            assert_eq!(space(&agent), before);
        } else {
            is_error_of_one(&report, "being used by another process");
        }
    }
}
