//! The settings of the scripts.

use psma_sim::{AttributeKind, Import, ManagementAgent, PsmaVersion};

use crate::feed::{TestFeed, ready, user_id};

#[test]
fn class_and_attributes_have_the_names_of_the_settings_in_any_case() {
    let feed = TestFeed::of(2);
    for version in [PsmaVersion::V5_6, PsmaVersion::V6_0Text, PsmaVersion::V6_0Build1050, PsmaVersion::V6_1] {
        let agent = feed.agent(version).with("OBJECTCLASS", "Photo").with("anchorattribute", "AADId");
        let mut agent = ready(agent.with("PhotoAttribute", " AADPhoto ").with("checksumAttribute", "AADPhotoChecksum"));
        assert!(agent.run(Import::full().paged(1)).unwrap().is_clean());
        let object = agent.connector_space().get(&user_id(0)).unwrap();
        assert_eq!(object.class, "Photo");
        let names: Vec<_> = object.attributes.keys().map(String::as_str).collect();
        assert_eq!(names, ["AADId", "AADPhoto", "AADPhotoChecksum"]);
        assert_eq!(object.binary("AADPhoto"), Some(&b"photo of 0"[..]));
    }
}

#[test]
fn without_a_setting_the_feed_is_the_folder_above_the_scripts() {
    let feed = TestFeed::of(3);
    for version in PsmaVersion::ALL {
        let mut agent = ready(ManagementAgent::new(version, &feed.path().join("scripts")));
        let report = agent.run(Import::full()).unwrap();
        if version == PsmaVersion::V6_0Text {
            // The text engine does not say where the script is.
            assert!(report.exception().unwrap().contains("Check Feed"), "{report:?}");
        } else {
            assert!(report.is_clean(), "{version:?} {report:?}");
        }
    }
}

#[test]
fn a_setting_that_does_not_exist_stops_schema_and_import() {
    let feed = TestFeed::of(3);
    let mut agent = feed.agent(PsmaVersion::V6_1).with("MaxAgeHour", "48");
    let shown = agent.refresh_schema().unwrap().unwrap_err();
    assert!(shown.contains("there is no setting MaxAgeHour") && shown.contains("README.md"), "{shown}");
    let report = agent.run(Import::full()).unwrap();
    assert_eq!(report.exception(), Some(shown.as_str()));
}

#[test]
fn a_setting_with_a_wrong_value_stops_the_import() {
    let feed = TestFeed::of(3);
    for (name, value) in [("Verify", "yes"), ("Verify", ""), ("MaxAgeHours", "2 days"), ("MaxAgeHours", "-1")] {
        let mut agent = feed.agent(PsmaVersion::V5_6).with(name, value);
        let report = agent.run(Import::full()).unwrap();
        assert!(report.exception().unwrap().contains(&format!("the setting {name} is")), "{report:?}");
    }
}

#[test]
fn the_schema_has_the_attributes_that_are_imported_and_no_others() {
    let feed = TestFeed::of(1);
    for version in PsmaVersion::ALL {
        let mut agent = feed.agent(version).with("SidAttribute", "objectSid");
        let [class] = agent.refresh_schema().unwrap().unwrap() else { panic!("one class") };
        assert_eq!(class.name, "EXOUser");
        let attributes: Vec<_> =
            class.attributes.iter().map(|it| (it.name.as_str(), it.kind, it.is_anchor, it.is_multi_valued)).collect();
        let mut wanted = vec![
            ("EXOUserKey", AttributeKind::String, true, false),
            ("EXOPhoto", AttributeKind::Binary, false, false),
            ("EXOPhotoChecksum", AttributeKind::String, false, false),
        ];
        if version != PsmaVersion::V5_5 {
            wanted.push(("objectSid", AttributeKind::String, false, false));
        }
        assert_eq!(attributes, wanted, "{version:?}");
    }
}

#[test]
fn two_settings_with_one_attribute_are_refused_with_both_names() {
    let feed = TestFeed::of(1);
    let mut agent = feed.agent(PsmaVersion::V6_1).with("UserIdAttribute", "exouserkey");
    let shown = agent.refresh_schema().unwrap().unwrap_err();
    assert!(shown.contains("UserIdAttribute") && shown.contains("AnchorAttribute"), "{shown}");
}

#[test]
fn a_class_or_attribute_that_every_object_has_is_never_without_a_name() {
    let feed = TestFeed::of(1);
    for setting in ["ObjectClass", "AnchorAttribute", "PhotoAttribute", "ChecksumAttribute"] {
        let mut agent = feed.agent(PsmaVersion::V6_1).with(setting, "");
        let schema = agent.refresh_schema().unwrap().unwrap_err();
        assert!(schema.contains(&format!("the setting {setting} is empty")), "{schema}");
    }
}
