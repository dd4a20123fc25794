//! Full and delta imports of a sound feed, in every version, paged and unpaged, and stopped at every page.

use psma_sim::{Import, PsmaVersion, RunResult};

use crate::feed::{TestFeed, space};

const PAGE_SIZES: [Option<usize>; 4] = [None, Some(1), Some(7), Some(1000)];

fn sized(import: Import, page_size: Option<usize>) -> Import {
    Import { page_size, ..import }
}

#[test]
fn a_full_import_gives_every_user_with_photo_and_checksum() {
    let feed = TestFeed::of(40);
    for version in PsmaVersion::ALL {
        for page_size in PAGE_SIZES {
            let mut agent = feed.agent(version);
            let report = agent.run(sized(Import::full(), page_size)).unwrap();
            assert!(report.is_clean(), "{version:?} {page_size:?} {report:?}");
            assert_eq!(space(&agent), feed.expected(), "{version:?} {page_size:?}");
            assert_eq!((report.adds, report.updates, report.deletes), (40, 0, 0));
        }
    }
}

#[test]
fn a_delta_gives_what_changed_since_the_import_before() {
    for version in PsmaVersion::ALL {
        for page_size in PAGE_SIZES {
            let mut feed = TestFeed::of(40);
            let mut agent = feed.agent(version);
            agent.run(sized(Import::full(), page_size)).unwrap();
            feed.put(3, Some(b"new photo".to_vec()));
            feed.put(4, None);
            feed.put(100, Some(b"new user".to_vec()));
            feed.remove(5);
            feed.publish();
            let report = agent.run(sized(Import::delta(), page_size)).unwrap();
            assert!(report.is_clean(), "{version:?} {page_size:?} {report:?}");
            assert_eq!((report.adds, report.updates, report.deletes), (1, 2, 1));
            assert_eq!(space(&agent), feed.expected(), "{version:?} {page_size:?}");
            let again = agent.run(sized(Import::delta(), page_size)).unwrap();
            assert_eq!(again.pages, [0], "a second delta has nothing to say");
        }
    }
}

#[test]
fn a_full_import_deletes_who_is_gone_although_its_tombstone_is_too() {
    let mut feed = TestFeed::of(10);
    let mut agent = feed.agent(PsmaVersion::V6_1);
    agent.run(Import::full().paged(4)).unwrap();
    feed.remove(2);
    feed.drop_tombstones();
    feed.publish();
    let report = agent.run(Import::full().paged(4)).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.deletes, 1);
    assert_eq!(space(&agent), feed.expected());
}

#[test]
fn a_full_import_says_nothing_of_a_tombstone() {
    let mut feed = TestFeed::of(10);
    feed.remove(2);
    feed.publish();
    let report = feed.agent(PsmaVersion::V6_1).run(Import::full().paged(4)).unwrap();
    assert_eq!(report.pages, [4, 4, 1]);
}

#[test]
fn pages_are_full_and_the_last_one_is_not_empty() {
    let feed = TestFeed::of(21);
    let mut agent = feed.agent(PsmaVersion::V5_6);
    assert_eq!(agent.run(Import::full().paged(7)).unwrap().pages, [7, 7, 7]);
    assert_eq!(agent.run(Import::full().paged(10)).unwrap().pages, [10, 10, 1]);
}

#[test]
fn a_run_that_is_stopped_at_any_page_deletes_nothing_and_is_repeated_by_the_next() {
    for version in PsmaVersion::ALL {
        for stop in 0..6 {
            let mut feed = TestFeed::of(30);
            let mut agent = feed.agent(version);
            let report = agent.run(Import::full().paged(5).stopped_after(stop)).unwrap();
            assert_eq!(report.result, RunResult::StoppedUserTermination);
            assert_eq!((report.deletes, agent.watermark()), (0, ""), "{version:?} {stop}");
            agent.run(Import::full().paged(5)).unwrap();
            assert_eq!(space(&agent), feed.expected());
            let watermark = agent.watermark().to_owned();
            for number in 0..30 {
                feed.put(number, Some(vec![7; number]));
            }
            feed.publish();
            let report = agent.run(Import::delta().paged(5).stopped_after(stop)).unwrap();
            assert_eq!((report.deletes, agent.watermark()), (0, watermark.as_str()));
            let report = agent.run(Import::delta().paged(5)).unwrap();
            assert!(report.is_clean(), "{report:?}");
            assert_eq!(space(&agent), feed.expected(), "{version:?} {stop}");
        }
    }
}

#[test]
fn later_pages_read_what_the_first_one_read_although_the_agent_publishes() {
    for version in PsmaVersion::ALL {
        let mut feed = TestFeed::of(30);
        let mut agent = feed.agent(version);
        let before = feed.expected();
        let publish = |page: usize| {
            for number in 0..10 {
                feed.put(number, Some(vec![7; page]));
            }
            feed.remove(10 + page);
            feed.put(100 + page, None);
            feed.publish();
        };
        let report = agent.run_with(Import::full().paged(4), publish).unwrap();
        assert!(report.is_clean(), "{version:?} {report:?}");
        assert_eq!(space(&agent), before, "{version:?}");
        assert!(agent.run(Import::delta().paged(4)).unwrap().is_clean());
        assert_eq!(space(&agent), feed.expected(), "{version:?}");
    }
}

#[test]
fn a_page_ends_before_it_holds_64_mb_of_photos_but_holds_one_at_least() {
    let mut feed = TestFeed::new();
    for (number, megabytes) in [30, 30, 30, 65, 1].into_iter().enumerate() {
        feed.put(number, Some(vec![7; megabytes << 20]));
    }
    feed.publish();
    let mut agent = feed.agent(PsmaVersion::V6_1);
    let report = agent.run(Import::full().paged(100)).unwrap();
    assert!(report.is_clean(), "{:?}", report.result);
    assert_eq!(report.pages, [2, 1, 1, 1]);
    assert_eq!(agent.connector_space().len(), 5);
}

#[test]
fn a_delta_without_a_change_opens_two_files() {
    let feed = TestFeed::of(40);
    let mut agent = feed.agent(PsmaVersion::V6_1);
    agent.run(Import::full().paged(10)).unwrap();
    let opened = agent.run(Import::delta().paged(10)).unwrap().opened;
    assert_eq!(opened.len(), 2, "{opened:?}");
}

#[test]
fn a_delta_opens_the_segments_and_photos_that_changed_and_a_manifest_for_each_page() {
    let mut feed = TestFeed::of(200);
    let mut agent = feed.agent(PsmaVersion::V6_1);
    agent.run(Import::full()).unwrap();
    for number in 0..12 {
        feed.put(number * 9, Some(format!("new {number}").into_bytes()));
    }
    feed.publish();
    let report = agent.run(Import::delta().paged(5)).unwrap();
    assert_eq!(report.pages, [5, 5, 2]);
    let count = |part: &str| report.opened.iter().filter(|path| path.to_str().unwrap().contains(part)).count();
    assert_eq!((count("/manifests/"), count("/photos/")), (3, 12));
    assert_eq!(count("/segments/"), 11, "twelve users, two of them in one segment: {:?}", report.opened);
    assert_eq!(report.opened.len(), 1 + 3 + 11 + 12);
}
