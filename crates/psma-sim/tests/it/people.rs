//! Users whose names and keys are awkward.

use psma_sim::{Import, PsmaVersion, RunResult};

use crate::feed::{Person, TestFeed, ready, space, user_id};

fn person(key: &str) -> Person {
    Person { key: key.to_owned(), photo: Some(key.as_bytes().to_vec()), ..Person::default() }
}

#[test]
fn names_with_tabs_umlauts_and_punctuation_arrive_as_they_are() {
    let keys =
        ["tab\there", "M\u{fc}ller, J\u{f6}rg", "100%", "50%25", "a|b", "'quoted' \"twice\"", "$x `n", "\u{1f600}"];
    let mut feed = TestFeed::new();
    for (number, key) in keys.iter().enumerate() {
        feed.set(&user_id(number), person(key));
    }
    feed.publish();
    for version in PsmaVersion::ALL {
        let mut agent = feed.agent(version);
        assert!(agent.run(Import::full().paged(3)).unwrap().is_clean());
        assert_eq!(space(&agent), feed.expected());
        for key in keys {
            assert!(agent.connector_space().get(key).is_some(), "{key:?}");
        }
    }
}

#[test]
fn a_key_that_changes_moves_the_object() {
    let mut feed = TestFeed::new();
    feed.set(&user_id(1), person("old name"));
    feed.set(&user_id(2), person("other"));
    feed.publish();
    let mut agent = feed.agent(PsmaVersion::V6_1);
    agent.run(Import::full()).unwrap();
    feed.set(&user_id(1), person("new name"));
    feed.publish();
    let report = agent.run(Import::delta().paged(1)).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.adds, report.deletes), (1, 1));
    assert_eq!(space(&agent), feed.expected());
}

#[test]
fn two_users_with_one_key_are_an_error_that_deletes_nothing() {
    let mut feed = TestFeed::of(4);
    let mut agent = feed.agent(PsmaVersion::V6_1);
    agent.run(Import::full()).unwrap();
    feed.set(&user_id(20), person("same"));
    feed.set(&user_id(21), person("same"));
    feed.remove(0);
    feed.publish();
    let report = agent.run(Import::full().paged(2)).unwrap();
    assert_eq!(report.result, RunResult::CompletedDiscoveryErrors);
    assert_eq!(report.errors, [("same".to_owned(), "duplicate-object".to_owned(), String::new())]);
    assert_eq!(report.deletes, 0);
}

#[test]
fn a_key_that_another_user_takes_over_stays_in_the_connector_space() {
    let mut feed = TestFeed::new();
    feed.set(&user_id(1), person("shared"));
    feed.set(&user_id(2), person("other"));
    feed.publish();
    let mut agent = feed.agent(PsmaVersion::V6_1);
    agent.run(Import::full()).unwrap();
    feed.remove(1);
    feed.set(&user_id(3), Person { photo: Some(b"of the next one".to_vec()), ..person("shared") });
    feed.publish();
    let report = agent.run(Import::delta()).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(space(&agent), feed.expected());
}

#[test]
fn the_identity_of_a_user_is_imported_where_a_setting_names_an_attribute() {
    let mut feed = TestFeed::new();
    let known = Person {
        anchor: "kQ+/==".to_owned(),
        sid: "S-1-5-21-1-2-3-1104".to_owned(),
        sam: "m\u{fc}ller".to_owned(),
        domain: "CONTOSO".to_owned(),
        ..person("known")
    };
    feed.set(&user_id(1), known);
    feed.set(&user_id(2), person("unknown"));
    feed.publish();
    for version in [PsmaVersion::V5_6, PsmaVersion::V6_0Text, PsmaVersion::V6_1] {
        let agent = feed.agent(version).with("useridattribute", "userId").with("SIDATTRIBUTE", "sid");
        let agent = agent.with("SamAccountNameAttribute", "sam").with("DomainAttribute", "domain");
        let mut agent = ready(agent.with("OnPremisesAnchorAttribute", "immutableId"));
        assert!(agent.run(Import::full().paged(1)).unwrap().is_clean());
        let attribute = |dn: &str, name: &str| agent.connector_space().get(dn).unwrap().text(name);
        assert_eq!(attribute("known", "userId"), Some(user_id(1).as_str()));
        assert_eq!(attribute("known", "sid"), Some("S-1-5-21-1-2-3-1104"));
        assert_eq!(attribute("known", "sam"), Some("m\u{fc}ller"));
        assert_eq!(attribute("known", "domain"), Some("CONTOSO"));
        assert_eq!(attribute("known", "immutableId"), Some("kQ+/=="));
        assert_eq!(attribute("unknown", "sam"), None);
        assert_eq!(attribute("unknown", "userId"), Some(user_id(2).as_str()));
    }
}
