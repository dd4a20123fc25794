//! What every command keeps to: exit codes, JSON, help, and silence when the answer is not read.

use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::process::{embedded, text};
use testkit::world::{World, guid};

use crate::commands::{photorelay, photorelay_with};

/// Without any setting.
fn bare(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_photorelay")).args(arguments).env_clear().output().unwrap();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[tokio::test]
async fn an_answer_that_is_not_read_ends_the_command_without_a_word() {
    let world = World::start().await;
    let user = world.user(0).to_string();
    world.sim.tenant().change_photo(guid(world.user(0))).unwrap();
    world.settle().await;
    for arguments in [&["history", &user][..], &["audit", "verify"], &["export", &user, "-"], &["completions", "bash"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_photorelay"));
        command.args(arguments).env_clear().env("PHOTORELAY_TENANT_ID", world.sim.tenant_id().to_string());
        let output = command.envs(embedded(world.dir())).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        assert!(!said.contains("pipe") && !said.contains("panicked"), "{arguments:?}: {said}");
    }
    world.end().await;
}

#[tokio::test]
async fn export_to_stdout_is_the_photo_and_nothing_else() {
    let world = World::start().await;
    let user = world.user(0);
    world.change(user).await;
    let exported = photorelay(&world, &["export", &user.to_string(), "-"], &[]).await;
    assert_eq!(exported.stdout, world.sim.tenant().photo(guid(user)).unwrap());
    assert!(text(&exported.stderr).starts_with("-: "), "{}", text(&exported.stderr));
    world.end().await;
}

#[tokio::test]
async fn audit_verify_answers_as_json_and_counts_one_as_one() {
    let world = World::start().await;
    let user = world.user(0);
    world.change(user).await;
    let printed = text(&photorelay(&world, &["audit", "verify"], &[]).await.stdout);
    assert!(printed.contains("1 person, 1 entry, 0 findings: the trail is intact"), "{printed}");
    let verify = async || {
        let output = photorelay(&world, &["audit", "verify", "--json"], &[]).await;
        (output.status.code(), serde_json::from_slice::<Value>(&output.stdout).unwrap())
    };
    let (code, intact) = verify().await;
    assert_eq!((code, &intact["intact"], &intact["people"]), (Some(0), &Value::from(true), &Value::from(1)));
    let photos = world.dir().join(format!("photos/{user}"));
    std::fs::rename(&photos, world.dir().join("taken")).unwrap();
    let (code, broken) = verify().await;
    let finding = &broken["findings"][0];
    assert_eq!((code, &finding["user"], &finding["seq"]), (Some(2), &Value::from(user.to_string()), &Value::from(1)));
    assert!(finding["says"].is_string() && finding["mend"].is_string(), "{broken:#}");
    let (says, mend) = (finding["says"].as_str().unwrap(), finding["mend"].as_str().unwrap());
    assert!(!says.contains(mend), "{says:?} repeats what to do");
    std::fs::rename(world.dir().join("taken"), &photos).unwrap();
    let receipt = world.dir().join(format!("receipts/{user}/00000001.ad.json"));
    let kept = std::fs::read(&receipt).unwrap();
    std::fs::write(&receipt, b"{}").unwrap();
    let (_, broken) = verify().await;
    assert_eq!(broken["findings"][0]["seq"], Value::from(1), "{broken:#}");
    std::fs::write(&receipt, kept).unwrap();
    world.end().await;
}

#[tokio::test]
async fn photos_of_an_entry_that_cannot_be_read_are_not_called_harmless() {
    let world = World::start().await;
    let user = world.user(0);
    world.change(user).await;
    let entry = world.dir().join(format!("audit/{user}/00000001.json"));
    let kept = std::fs::read(&entry).unwrap();
    std::fs::write(&entry, b"{}").unwrap();
    let printed = text(&photorelay(&world, &["audit", "verify"], &[]).await.stdout);
    assert!(printed.contains("may belong to an entry that is missing or cannot be read"), "{printed}");
    assert!(!printed.contains("harm nothing"), "{printed}");
    std::fs::write(&entry, kept).unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_user_without_a_trail_has_no_history_and_forget_needs_no_name_to_look() {
    let world = World::start().await;
    let user = world.user(0).to_string();
    for command in [&["history", &user][..], &["history", &user, "--json"], &["trace", &user]] {
        let output = photorelay(&world, command, &[]).await;
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""), "{command:?}");
        assert!(text(&output.stderr).contains("has no entry in the audit trail"), "{command:?}");
    }
    let looked = photorelay(&world, &["forget", &user], &["USER"]).await;
    assert!(text(&looked.stderr).contains("confirm with --yes"), "{}", text(&looked.stderr));
    world.end().await;
}

#[tokio::test]
async fn a_first_sweep_says_that_it_made_a_new_store() {
    let world = World::start().await;
    let mistyped = world.dir().join("dta").display().to_string();
    let output = photorelay_with(&world, &["sweep", "--first"], &[("PhotoStorage__path", &mistyped)]).await;
    let said = text(&output.stderr);
    assert!(output.status.success() && said.contains(&format!("created a new store in {mistyped}")), "{said}");
    let again = photorelay_with(&world, &["sweep", "--first"], &[("PhotoStorage__path", &mistyped)]).await;
    assert!(!text(&again.stderr).contains("created"), "{}", text(&again.stderr));
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn an_error_says_each_cause_once() {
    let world = World::start().await;
    let nowhere =
        [("PHOTORELAY_AUTHORITY_URL", "http://127.0.0.1:1"), ("PHOTORELAY_GRAPH_URL", "http://127.0.0.1:1/v1.0")];
    let output = photorelay_with(&world, &["check", &world.user(0).to_string()], &nowhere).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("photorelay: the check of "), "{said}");
    let causes: Vec<&str> = last.split(": ").collect();
    for cause in &causes {
        assert_eq!(causes.iter().filter(|other| *other == cause).count(), 1, "`{cause}` is said twice in {last}");
    }
    world.end().await;
}

#[test]
fn every_command_has_help_with_an_example_of_itself() {
    let (code, help) = bare(&["--help"]);
    assert_eq!(code, Some(0));
    let listed = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let names = listed.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let names: Vec<&str> = names.map(|line| line.split(' ').next().unwrap()).filter(|name| *name != "help").collect();
    assert!(names.len() > 12, "{names:?}");
    for name in names {
        let arguments: &[&str] = if name == "audit" { &["audit", "verify"] } else { &[name] };
        let (code, help) = bare(&[arguments, &["--help"]].concat());
        assert_eq!(code, Some(0), "{help}");
        let example = format!("Example: photorelay {}", arguments.join(" "));
        assert!(help.contains(&example), "{example:?} is missing in\n{help}");
    }
}

#[test]
fn colours_are_for_terminals_and_never_against_the_will_of_their_reader() {
    let doctor = |variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_photorelay"));
        text(&command.arg("doctor").env_clear().envs(variables.iter().copied()).output().unwrap().stdout)
    };
    assert!(doctor(&[]).starts_with("ERROR   configuration"));
    assert!(doctor(&[("CLICOLOR_FORCE", "1")]).starts_with("\u{1b}[1m\u{1b}[31mERROR"));
    assert!(doctor(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).starts_with("ERROR   configuration"));
}

#[test]
fn wrong_arguments_end_with_2_and_the_version_with_0() {
    assert_eq!(bare(&["histroy", "x"]).0, Some(2));
    let (code, version) = bare(&["--version"]);
    assert_eq!(code, Some(0));
    assert!(version.starts_with(concat!("photorelay ", env!("CARGO_PKG_VERSION"))), "{version}");
}

#[test]
fn completions_and_manual_pages_name_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (code, script) = bare(&["completions", shell]);
        assert!(code == Some(0) && script.contains("unsubscribe"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = bare(&["man", &folder.path().display().to_string()]);
    assert_eq!(code, Some(0), "{said}");
    for page in ["photorelay.1", "photorelay-history.1", "photorelay-audit-verify.1"] {
        assert!(folder.path().join(page).exists(), "{page}");
    }
}
