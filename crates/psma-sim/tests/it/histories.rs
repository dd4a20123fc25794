//! Any history of changes, any page size, any stop: the connector space is the feed after the next complete run.

use proptest::collection::vec;
use proptest::prelude::*;
use psma_sim::{Import, PsmaVersion};

use crate::feed::{TestFeed, space};

/// One step in the life of a feed and of its management agent.
#[derive(Debug, Clone)]
enum Step {
    Photo(usize, u8),
    NoPhoto(usize),
    Rename(usize, &'static str),
    Remove(usize),
    Publish,
    Delta { page_size: usize, stop: Option<usize> },
    Full { page_size: usize, stop: Option<usize> },
    DropTombstones,
    Rebuild,
}

fn step() -> impl Strategy<Value = Step> {
    let user = 0..24_usize;
    let (size, stop) = (1..9_usize, prop::option::weighted(0.4, 0..5_usize));
    prop_oneof![
        8 => (user.clone(), any::<u8>()).prop_map(|(user, photo)| Step::Photo(user, photo)),
        2 => user.clone().prop_map(Step::NoPhoto),
        3 => (user.clone(), prop::sample::select(vec!["anna", "Berta", "M\u{fc}ller", "d"]))
            .prop_map(|(user, key)| Step::Rename(user, key)),
        3 => user.prop_map(Step::Remove),
        4 => Just(Step::Publish),
        4 => (size.clone(), stop.clone()).prop_map(|(page_size, stop)| Step::Delta { page_size, stop }),
        2 => (size, stop).prop_map(|(page_size, stop)| Step::Full { page_size, stop }),
        1 => Just(Step::DropTombstones),
        1 => Just(Step::Rebuild),
    ]
}

fn import(of: Import, page_size: usize, stop: Option<usize>) -> Import {
    Import { page_size: Some(page_size), stop_after: stop, ..of }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_connector_space_is_the_feed_after_the_next_complete_run(
        steps in vec(step(), 1..40),
        version in prop::sample::select(PsmaVersion::ALL.to_vec()),
        page_size in 1..9_usize,
    ) {
        let mut feed = TestFeed::of(6);
        let mut agent = feed.agent(version);
        // What the feed showed when it was last published.
        let mut published = feed.expected();
        for step in steps {
            match step {
                Step::Photo(user, photo) => feed.put(user, Some(vec![photo; 9])),
                Step::NoPhoto(user) => feed.put(user, None),
                Step::Rename(user, key) => feed.rename(user, key),
                Step::Remove(user) => feed.remove(user),
                Step::DropTombstones => feed.drop_tombstones(),
                Step::Rebuild => feed.rebuild(),
                Step::Publish => {
                    feed.publish();
                    published = feed.expected();
                }
                Step::Delta { page_size, stop } => {
                    let report = agent.run(import(Import::delta(), page_size, stop)).unwrap();
                    prop_assert!(report.has_no_hidden_mistake() && report.errors.is_empty(), "{:?}", report);
                    if report.is_clean() {
                        prop_assert_eq!(space(&agent), published.clone());
                    }
                }
                Step::Full { page_size, stop } => {
                    let report = agent.run(import(Import::full(), page_size, stop)).unwrap();
                    prop_assert!(report.has_no_hidden_mistake() && report.errors.is_empty(), "{:?}", report);
                    if report.is_clean() {
                        prop_assert_eq!(space(&agent), published.clone());
                    }
                }
            }
        }
        feed.put(0, Some(b"last".to_vec()));
        feed.publish();
        // A delta where it can be read, else the full import that it asks for.
        let mut report = agent.run(Import::delta().paged(page_size)).unwrap();
        if report.exception().is_some_and(|message| message.contains("Run a full import")) {
            report = agent.run(Import::full().paged(page_size)).unwrap();
        }
        prop_assert!(report.is_clean(), "{:?}", report);
        prop_assert_eq!(space(&agent), feed.expected());
        let mut fresh = feed.agent(version);
        fresh.run(Import::full()).unwrap();
        prop_assert_eq!(space(&agent), space(&fresh), "deltas and a full import agree");
    }
}
