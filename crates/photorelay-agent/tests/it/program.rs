//! The agent's command line. (That there is a test of the program also has cargo build it, for those tests of the whole
//! system that start and kill it.)

use std::process::Command;

#[test]
fn every_missing_setting_is_told_at_once() {
    let output = Command::new(env!("CARGO_BIN_EXE_photorelay-agent"))
        .arg("run")
        .env_clear()
        .env("PHOTORELAY_LEASE_SECONDS", "0")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let printed = String::from_utf8_lossy(&output.stderr);
    for name in ["PHOTORELAY_TENANT_ID", "PHOTORELAY_FOLDER_PATH", "PhotoStorage__", "PHOTORELAY_LEASE_SECONDS"] {
        assert!(printed.contains(name), "{name} is missing in {printed}");
    }
}

#[test]
fn settings_come_from_a_file_and_the_policy_in_force_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("agent.env");
    let settings = "PHOTORELAY_TENANT_ID=7b6a5c4d-0000-4000-8000-000000000001\nPHOTORELAY_FOLDER_PATH=/srv/photos\n\
                    PhotoStorage__path=/nowhere\nPHOTORELAY_DRY_RUN=true\nPHOTORELAY_REMOVAL=clear\n\
                    PHOTORELAY_REMOVALS_PER_DAY=7\nPHOTORELAY_WRITES_PER_MINUTE=300\n\
                    PHOTORELAY_PILOT=1f2c0b0e-0000-4000-8000-000000000001\n\
                    PHOTORELAY_PUBLIC_URL=https://relay.contoso.test\n";
    std::fs::write(&file, settings).unwrap();
    let agent = |name: &str, value: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_photorelay-agent"));
        let output = command.args(["doctor", "--env-file"]).arg(&file).env_clear().env(name, value).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let printed = agent("PHOTORELAY_FOREIGN", "overwrite");
    let policy = "dry run, nothing is written; foreign values: overwrite; removals: clear; deletion threshold: 7 a day; \
                  pilot: 1 person only; write quota: 300 a minute";
    assert!(printed.contains(policy), "{printed}");
    let printed = agent("PHOTORELAY_REMOVALS_A_DAY", "7");
    assert!(printed.contains("did you mean PHOTORELAY_REMOVALS_PER_DAY?"), "{printed}");
}

#[test]
fn every_command_has_help_with_an_example_of_itself() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_photorelay-agent")).args(arguments).env_clear().output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let names = |help: &str| {
        let listed = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0.to_owned();
        let lines = listed.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
        lines.map(|line| line.split(' ').next().unwrap().to_owned()).filter(|name| name != "help").collect::<Vec<_>>()
    };
    let mut commands: Vec<String> = names(&run(&["--help"]));
    for group in ["mim", "service"] {
        commands.retain(|name| name != group);
        commands.extend(names(&run(&[group, "--help"])).into_iter().map(|name| format!("{group} {name}")));
    }
    assert!(commands.len() > 18, "{commands:?}");
    for command in commands {
        let arguments: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = run(&arguments);
        assert!(help.contains(&format!("Example: photorelay-agent {command}")), "{command}: {help}");
    }
    assert!(run(&["completions", "zsh"]).contains("serve-photos"));
}

#[cfg(unix)]
#[test]
fn without_services_of_windows_the_command_says_what_to_use_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("agent.env");
    std::fs::write(&file, "PHOTORELAY_DRY_RUN=true\n").unwrap();
    let service = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_photorelay-agent"));
        let output = command.arg("--env-file").arg(&file).arg("service").args(arguments).env_clear().output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for arguments in [&["install", "--logs", "/var/log"][..], &["uninstall"], &["run", "--logs", "/var/log"]] {
        let printed = service(arguments);
        assert!(printed.contains("photorelay-agent.service for systemd"), "{printed}");
    }
}
