//! The management agent's scripts as the command writes them: those of the repository, under an operator's names, and never
//! over what an operator did not agree to lose.

use std::fs;
use std::path::Path;
use std::process::Command;

use psma_sim::{
    AttributeValue, Import, KNOWN_COMMANDS, KNOWN_METHODS, KNOWN_STATICS, KNOWN_TYPES, ManagementAgent, PsmaVersion,
    node_kinds, parse, shipped_scripts,
};
use serde_json::Value;
use testkit::answers::assert_documented;
use testkit::process::{agent_command, text};

use crate::mim_agent::{feed, world};
use crate::mim_feed::{Feed, identity, user};

const SCRIPTS: [&str; 4] = ["schema.ps1", "import.ps1", "export.ps1", "password.ps1"];

/// Code, stdout and stderr.
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_photorelay-agent"));
    let done = command.args(["mim", "scripts"]).arg(folder).args(arguments).env_clear().output().unwrap();
    (done.status.code(), text(&done.stdout), text(&done.stderr))
}

fn written(folder: &Path, arguments: &[&str]) -> Value {
    let (code, answer, error) = run(folder, &[arguments, &["--json"]].concat());
    assert_eq!(code, Some(0), "{answer}{error}");
    assert_documented("photorelay-agent mim scripts", answer.as_bytes())
}

fn states(answer: &Value) -> Vec<&str> {
    answer["scripts"].as_array().unwrap().iter().map(|script| script["is"].as_str().unwrap()).collect()
}

fn all(folder: &Path) -> Vec<Vec<u8>> {
    SCRIPTS.map(|script| fs::read(folder.join(script)).unwrap()).into()
}

#[test]
fn without_names_of_their_own_the_scripts_are_those_of_the_repository_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("new").join("scripts");
    let answer = written(&folder, &[]);
    assert_eq!(all(&folder), all(&shipped_scripts()));
    assert_eq!(states(&answer), ["written"; 4]);
    assert_eq!((&answer["settings"]["ObjectClass"], &answer["settings"]["Feed"]), (&"EXOUser".into(), &"".into()));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 4, "nothing else is left there");
    assert_eq!(states(&written(&folder, &[])), ["unchanged"; 4]);
}

#[tokio::test]
async fn scripts_with_other_names_pass_the_lint_and_import_the_feed_in_every_version() {
    let (feed, dir) = (Feed::new(), tempfile::tempdir().unwrap());
    feed.show(user(1), &identity(1), Some(b"a photo")).await;
    feed.publish();
    let at_feed = format!("Feed={}", feed.dir.path().display());
    let names = ["ObjectClass=Photo", "anchorattribute=AAD_Id", "PhotoAttribute=AADPhoto", "SidAttribute=sid-text"];
    let more = ["ChecksumAttribute=AADPhotoChecksum", "Verify=1", "MaxAgeHours=3", &at_feed];
    let arguments: Vec<&str> = names.iter().chain(&more).flat_map(|setting| ["--set", setting]).collect();
    written(dir.path(), &arguments);

    let members: Vec<&str> = KNOWN_METHODS.into_iter().chain(KNOWN_STATICS).collect();
    for script in SCRIPTS {
        let text = fs::read_to_string(dir.path().join(script)).unwrap();
        assert!(text.is_ascii() && text.matches('\n').count() == text.matches("\r\n").count(), "{script}");
        assert!(node_kinds(&text).unwrap().iter().all(|kind| kind != "ERROR" && kind != "MISSING"), "{script}");
        let parsed = parse(script, &text).unwrap();
        let used = parsed.vocabulary();
        assert!(used.commands.iter().all(|name| KNOWN_COMMANDS.contains(&name.as_str())), "{script} {used:?}");
        assert!(used.types.iter().all(|name| KNOWN_TYPES.contains(&name.as_str())), "{script} {used:?}");
        assert!(used.members.iter().all(|name| members.contains(&name.as_str())), "{script} {used:?}");
    }
    // No setting is handed to them: what they know is at their head.
    for version in PsmaVersion::ALL {
        let mut agent = ManagementAgent::new(version, dir.path());
        agent.set_clock(jiff::Timestamp::now().as_second());
        agent.refresh_schema().unwrap().unwrap();
        let report = agent.run(Import::full().paged(1)).unwrap();
        assert!(report.is_clean() && report.has_no_hidden_mistake(), "{version:?} {report:?}");
        let object = agent.connector_space().get(&user(1).to_string()).unwrap();
        assert_eq!(object.class, "Photo");
        let attributes: Vec<_> = object.attributes.keys().map(String::as_str).collect();
        assert!(
            ["AAD_Id", "AADPhoto", "AADPhotoChecksum"].iter().all(|name| attributes.contains(name)),
            "{attributes:?}"
        );
        assert!(matches!(&object.attributes["AADPhoto"], AttributeValue::Binary(photo) if photo == b"a photo"));
    }
}

#[test]
fn a_script_that_differs_is_replaced_only_with_consent_and_settings_stay() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &["--set", "AnchorAttribute=AADId"]);
    // As an earlier version left it, and as signing and an editor leave the others.
    let import = dir.path().join("import.ps1");
    let older = fs::read_to_string(&import).unwrap().replace("    Verify = '0'\r\n", "");
    fs::write(&import, &older).unwrap();
    let edit = |script: &str, edit: fn(String) -> String| {
        let path = dir.path().join(script);
        fs::write(&path, edit(fs::read_to_string(&path).unwrap())).unwrap();
    };
    edit("export.ps1", |text| text + "# SIG # Begin signature block\r\n# MIIF\r\n# SIG # End signature block\r\n");
    edit("schema.ps1", |text| text + "# SIG # Begin signature block\r\n'not signed'\r\n");
    edit("password.ps1", |text| format!("\u{feff}{}", text.replace("\r\n", "\n")));
    let before = all(dir.path());

    let (code, _, error) = run(dir.path(), &[]);
    assert!(code == Some(1) && error.contains("import.ps1 is there and differs"), "{error}");
    assert!(error.contains("schema.ps1 is there and differs"), "code after the mark is no signature: {error}");
    assert!(error.contains("confirm with --yes") && !error.contains("export.ps1"), "{error}");
    assert_eq!(all(dir.path()), before, "nothing was written");

    let answer = written(dir.path(), &["--yes"]);
    assert_eq!(states(&answer), ["replaced", "replaced", "unchanged", "unchanged"]);
    assert_eq!(answer["settings"]["AnchorAttribute"], "AADId");
    assert!(fs::read_to_string(&import).unwrap().contains("    AnchorAttribute = 'AADId'\r\n    Photo"));
    let answer = written(dir.path(), &["--set", "AnchorAttribute=EXOUserKey", "--yes"]);
    assert_eq!(states(&answer), ["replaced", "replaced", "unchanged", "unchanged"]);
}

#[test]
fn scripts_of_another_management_agent_and_heads_that_cannot_be_read_stay_as_they_are() {
    let shipped = fs::read_to_string(shipped_scripts().join("schema.ps1")).unwrap();
    for (text, says) in [
        ("param($Username)\r\n'EXOUser'\r\n".to_owned(), "no settings of photorelay"),
        (shipped.replace("'EXOUser'", "$env:CLASS"), "the value of ObjectClass"),
        (shipped.replace("    Feed =", "    Feeds ="), "there is no setting Feeds"),
        (shipped.replace("'EXOPhoto'", "'it''s'"), "PhotoAttribute is a name"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("schema.ps1");
        fs::write(&path, &text).unwrap();
        let (code, _, error) = run(dir.path(), &["--yes"]);
        assert!(code == Some(1) && error.contains(says) && error.contains("move it away"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &[]);
    fs::write(dir.path().join("schema.ps1"), shipped.replace("'EXOUser'", "'Photo'")).unwrap();
    let (_, _, error) = run(dir.path(), &["--yes"]);
    assert!(error.contains("different values of ObjectClass"), "{error}");
}

#[test]
fn a_setting_that_no_script_could_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (setting, says) in [
        ("Fed=x", "there is no setting Fed; there are Feed, ObjectClass"),
        ("Feed", "it is not NAME=VALUE"),
        ("Feed=D:\\o'brien", "Feed is a path"),
        ("Feed=D:\\büro", "Feed is a path"),
        ("PhotoAttribute=a|b", "PhotoAttribute is a name"),
        ("PhotoAttribute=", "PhotoAttribute is a name"),
        ("MaxAgeHours=3h", "MaxAgeHours is a whole number"),
        ("Verify=yes", "Verify is 0 or 1"),
        ("PhotoAttribute=exouserkey", "AnchorAttribute and PhotoAttribute are both exouserkey"),
    ] {
        let (code, _, error) = run(&dir.path().join("scripts"), &["--set", setting]);
        assert!(code != Some(0) && error.contains(says), "{setting}: {error}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn doctor_says_which_installed_scripts_are_not_of_this_version() {
    let world = world(1).await;
    let folder = world.dir().join("scripts");
    let settings = vec![
        ("PHOTORELAY_MIM_PATH", feed(&world).display().to_string()),
        ("PHOTORELAY_MIM_SCRIPTS", folder.display().to_string()),
    ];
    let doctor = async || {
        let done = agent_command(&world, &settings, &["doctor"]).await;
        (done.status.code(), text(&done.stdout) + &text(&done.stderr))
    };
    let (code, says) = doctor().await;
    assert!(code == Some(2) && says.contains("correct PHOTORELAY_MIM_SCRIPTS, or run"), "{says}");
    written(&folder, &["--set", "AnchorAttribute=AADId"]);
    let (code, says) = doctor().await;
    assert!(code == Some(0) && says.contains("are of this version"), "{says}");

    let export = folder.join("export.ps1");
    fs::write(&export, fs::read_to_string(&export).unwrap().replace("import-only", "ours")).unwrap();
    let (code, says) = doctor().await;
    let fix = format!("export.ps1; run `photorelay-agent mim scripts {}`", folder.display());
    assert!(code == Some(0) && says.contains("not those of this version") && says.contains(&fix), "{says}");
    written(&folder, &["--yes"]);
    assert!(doctor().await.1.contains("are of this version"), "the other names are no difference");

    fs::remove_file(folder.join("password.ps1")).unwrap();
    let (code, says) = doctor().await;
    assert!(code == Some(2) && says.contains("lacks password.ps1"), "{says}");
    fs::write(folder.join("import.ps1"), "'EXOUser'").unwrap();
    let (code, says) = doctor().await;
    assert!(code == Some(2) && says.contains("no settings of photorelay"), "{says}");
    world.end().await;
}
