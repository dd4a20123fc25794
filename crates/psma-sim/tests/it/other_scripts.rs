//! The scripts that only say no.

use psma_sim::{ExportedObject, Import, PsmaVersion};

use crate::feed::{TestFeed, space};

#[test]
fn an_export_flow_that_was_set_up_by_mistake_gets_an_error_for_each_object() {
    let feed = TestFeed::of(2);
    for version in PsmaVersion::ALL {
        let mut agent = feed.agent(version);
        agent.run(Import::full()).unwrap();
        let objects =
            [ExportedObject::Simple { identifier: "1e0f" }, ExportedObject::EntryChange { identifier: "2e0f" }];
        let answers = agent.export(&objects).unwrap().unwrap();
        assert_eq!(answers.len(), 2);
        for (answer, wanted) in answers.iter().zip(["1e0f", "2e0f"]) {
            assert_eq!(answer[..2], [wanted, "import-only"]);
            assert!(answer[2].contains("Remove the export flows"), "{answer:?}");
        }
        assert!(agent.export(&[]).unwrap().unwrap().is_empty());
        assert_eq!(space(&agent), feed.expected());
    }
}

#[test]
fn a_password_is_refused() {
    let feed = TestFeed::of(1);
    for version in PsmaVersion::ALL {
        let shown = feed.agent(version).set_password().unwrap().unwrap_err();
        assert!(shown.contains("Turn off its password management"), "{shown}");
    }
}
