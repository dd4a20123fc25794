//! A feed that is wrong as a whole: the run stops with what to do, and the connector space stays as it was.

use std::fs;

use psma_sim::{Import, ManagementAgent, PsmaVersion};

use crate::feed::{NOW, TestFeed, files_below, space};

const COPY: &str = "copy it again, with the file current last";
const FULL: &str = "Run a full import";

/// A feed whose last state is imported, in every version.
fn imported() -> impl Iterator<Item = (TestFeed, ManagementAgent)> {
    PsmaVersion::ALL.into_iter().map(|version| {
        let mut feed = TestFeed::of(12);
        feed.remove(11);
        feed.publish();
        let mut agent = feed.agent(version);
        assert!(agent.run(Import::full().paged(5)).unwrap().is_clean());
        (feed, agent)
    })
}

/// The run stops with this text, and nothing has changed.
fn stops(agent: &mut ManagementAgent, import: Import, wanted: &[&str]) {
    let (before, watermark) = (space(agent), agent.watermark().to_owned());
    let report = agent.run(import).unwrap();
    let message = report.exception().unwrap_or_else(|| panic!("the run did not stop: {report:?}"));
    for part in wanted {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
    assert!(message.starts_with("photorelay: "), "{message:?}");
    assert_eq!((space(agent), agent.watermark()), (before, watermark.as_str()));
    assert_eq!(report.deletes, 0);
}

fn both_stop(agent: &mut ManagementAgent, wanted: &[&str]) {
    for import in [Import::full().paged(5), Import::delta().paged(5), Import::full(), Import::delta()] {
        stops(agent, import, wanted);
    }
}

fn edit_current(feed: &TestFeed, edit: impl Fn(&str) -> String) {
    let current = fs::read_to_string(feed.path().join("current")).unwrap();
    feed.write("current", edit(&current).as_bytes());
}

#[test]
fn a_feed_that_is_not_there_stops_the_run() {
    for (feed, mut agent) in imported() {
        fs::remove_file(feed.path().join("current")).unwrap();
        both_stop(&mut agent, &["no feed to read", "Check Feed"]);
    }
}

#[test]
fn a_feed_of_another_version_stops_the_run() {
    for (feed, mut agent) in imported() {
        edit_current(&feed, |current| current.replacen('1', "2", 1));
        both_stop(&mut agent, &["version 2, not 1", "Install the scripts"]);
    }
}

#[test]
fn a_current_that_is_cut_off_stops_the_run_wherever_it_was_cut() {
    for (feed, mut agent) in imported().take(1) {
        let whole = fs::read_to_string(feed.path().join("current")).unwrap();
        // The last two characters are a digit of the time and the line feed.
        for length in 0..whole.len() - 11 {
            feed.write("current", &whole.as_bytes()[..length]);
            stops(&mut agent, Import::full().paged(5), &["current is damaged or half copied", COPY]);
        }
    }
    for (feed, mut agent) in imported() {
        feed.write("current", b"<html>not found</html>\r\n");
        both_stop(&mut agent, &["current is damaged or half copied", COPY]);
    }
}

#[test]
fn a_manifest_that_is_missing_or_damaged_stops_the_run() {
    for (feed, mut agent) in imported() {
        let current = fs::read_to_string(feed.path().join("current")).unwrap();
        let path = feed.path().join("manifests").join(current.split('\t').nth(4).unwrap());
        let whole = fs::read(&path).unwrap();
        for damaged in [&whole[..whole.len() / 2], b"", &[whole.as_slice(), b"ff\t-\t0\t0\n"].concat()] {
            fs::write(&path, damaged).unwrap();
            both_stop(&mut agent, &["is damaged or half copied", COPY]);
        }
        fs::remove_file(&path).unwrap();
        both_stop(&mut agent, &["is missing or not readable", COPY]);
    }
}

#[test]
fn a_segment_that_is_missing_or_damaged_stops_the_run_before_it_deletes() {
    for (mut feed, mut agent) in imported() {
        let old = files_below(&feed.path().join("segments"));
        feed.put(3, Some(b"new".to_vec()));
        feed.publish();
        let new = files_below(&feed.path().join("segments")).into_iter().find(|path| !old.contains(path)).unwrap();
        let whole = fs::read(&new).unwrap();
        fs::write(&new, &whole[..whole.len() - 1]).unwrap();
        both_stop(&mut agent, &["is damaged or half copied", COPY]);
        fs::remove_file(&new).unwrap();
        both_stop(&mut agent, &["is missing or not readable", COPY]);
    }
}

#[test]
fn a_delta_of_a_rebuilt_feed_asks_for_a_full_import() {
    for (mut feed, mut agent) in imported() {
        feed.put(20, Some(b"new".to_vec()));
        feed.rebuild();
        feed.publish();
        stops(&mut agent, Import::delta().paged(5), &["the feed was rebuilt", FULL]);
        assert!(agent.run(Import::full().paged(5)).unwrap().is_clean());
        assert_eq!(space(&agent), feed.expected());
        assert!(agent.run(Import::delta().paged(5)).unwrap().is_clean());
    }
}

#[test]
fn a_delta_of_a_feed_that_went_back_asks_for_a_full_import() {
    for (feed, mut agent) in imported() {
        let watermark = agent.watermark().to_owned();
        let ahead = format!("{}9", watermark);
        agent.set_watermark(&ahead);
        stops(&mut agent, Import::delta().paged(5), &["older than the last import", FULL]);
        drop(feed);
    }
}

#[test]
fn a_delta_from_before_the_oldest_tombstone_asks_for_a_full_import() {
    for (mut feed, mut agent) in imported() {
        feed.remove(1);
        feed.drop_tombstones();
        feed.publish();
        stops(&mut agent, Import::delta().paged(5), &["too old for a delta", FULL]);
        assert!(agent.run(Import::full().paged(5)).unwrap().is_clean());
        assert_eq!(space(&agent), feed.expected());
    }
}

#[test]
fn a_delta_without_a_watermark_of_this_feed_asks_for_a_full_import() {
    for (feed, mut agent) in imported() {
        for foreign in ["", "-", "2026-11-30T06:00:00Z", "AAAAAQIDBA==", "1/1/1", "0|0", "2/x/3"] {
            agent.set_watermark(foreign);
            stops(&mut agent, Import::delta().paged(5), &["no watermark of this feed", FULL]);
        }
        drop(feed);
    }
}

#[test]
fn a_full_import_of_a_feed_without_users_stops_because_it_would_delete_all() {
    for (mut feed, mut agent) in imported() {
        for number in 0..12 {
            feed.remove(number);
        }
        feed.publish();
        for import in [Import::full().paged(5), Import::full()] {
            stops(&mut agent, import, &["the feed has no users", "See photorelay-agent mim status"]);
        }
    }
}

#[test]
fn a_feed_older_than_the_setting_stops_the_run() {
    let mut feed = TestFeed::of(3);
    feed.published = NOW - 48 * 3600 - 1;
    feed.publish();
    let config = |hours: &str| {
        let mut agent = feed.agent(PsmaVersion::V6_1).with("MaxAgeHours", hours);
        agent.set_clock(NOW);
        agent
    };
    both_stop(&mut config("48"), &["older than MaxAgeHours=48", "Start photorelay-agent"]);
    for hours in ["49", ""] {
        assert!(config(hours).run(Import::full()).unwrap().is_clean(), "{hours:?}");
    }
}
