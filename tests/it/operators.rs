//! What operators need to run a command: the sign-in of the Azure CLI, a file of settings, and no secret that the command
//! does not use. A setting that no program knows is a mistake.

use std::path::{Path, PathBuf};

use testkit::process::text;
use testkit::world::World;

use crate::commands::{photorelay, photorelay_with};

#[tokio::test]
async fn only_what_uses_the_client_state_asks_for_it() {
    let world = World::start().await;
    let user = world.user(0).to_string();
    let commands: [&[&str]; 5] =
        [&["status"], &["check", &user], &["sweep"], &["history", &user], &["audit", "verify"]];
    for command in commands {
        let output = photorelay(&world, command, &["PHOTORELAY_CLIENT_STATE"]).await;
        assert_ne!(output.status.code(), Some(1), "{command:?}: {}", text(&output.stderr));
    }
    let unreadable = [("PHOTORELAY_CLIENT_STATE", ""), ("PHOTORELAY_CLIENT_STATE_FILE", "/nowhere/client-state")];
    let status = photorelay_with(&world, &["status"], &unreadable).await;
    assert!(text(&status.stdout).contains("subscription   alive"), "{}", text(&status.stdout));
    let doctor = photorelay_with(&world, &["doctor"], &unreadable).await;
    let printed = text(&doctor.stdout);
    assert!(
        printed.contains("warning client state") && printed.contains("ours; its secret was not compared"),
        "{printed}"
    );

    for command in [&["run"][..], &["subscribe"], &["sweep", "--first"]] {
        let output = photorelay(&world, command, &["PHOTORELAY_CLIENT_STATE"]).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(said.contains("PHOTORELAY_CLIENT_STATE_FILE or PHOTORELAY_CLIENT_STATE is missing"), "{said}");
    }
    world.settle().await;
    world.end().await;
}

#[tokio::test]
async fn an_unknown_setting_is_reported_with_the_nearest_name_and_with_all_other_problems() {
    let world = World::start().await;
    let wrong = [("PHOTORELAY_DRYRUN", "the-value"), ("PHOTORELAY_TENANT_ID", "contoso")];
    let output = photorelay_with(&world, &["status"], &wrong).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("the configuration has 2 problems:"), "{said}");
    assert!(said.contains("PHOTORELAY_DRYRUN is not a setting: did you mean PHOTORELAY_DRY_RUN?"), "{said}");
    assert!(said.contains("PHOTORELAY_TENANT_ID: ") && !said.contains("the-value"), "{said}");
    // A setting of the agent in a file that both programs share is none.
    let shared = [("PHOTORELAY_DRY_RUN", "true"), ("PHOTORELAY_LDAP_URLS", "ldaps://dc1.contoso.test")];
    assert_ne!(photorelay_with(&world, &["status"], &shared).await.status.code(), Some(1));
    world.end().await;
}

#[tokio::test]
async fn settings_come_from_a_file_and_the_environment_wins() {
    let world = World::start().await;
    let file = world.dir().join("photorelay.env");
    let write = |store: &Path| std::fs::write(&file, format!("# settings\nPhotoStorage__path='{}'\n", store.display()));
    write(world.dir()).unwrap();
    let shown = file.display().to_string();
    let command = ["audit", "verify", "--env-file", &shown];
    let without = ["PhotoStorage__path"];
    let output = photorelay(&world, &command, &without).await;
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    write(Path::new("/nowhere")).unwrap();
    assert_eq!(photorelay(&world, &command, &without).await.status.code(), Some(1));
    assert!(photorelay(&world, &command, &[]).await.status.success(), "the environment goes before the file");

    std::fs::write(&file, "PHOTORELAY_DRY_RUN=true\nthe-value\n").unwrap();
    let said = text(&photorelay(&world, &command, &[]).await.stderr);
    assert!(said.contains(&format!("{shown}, line 2: it is not NAME=VALUE")) && !said.contains("the-value"), "{said}");
    let absent = photorelay(&world, &["--env-file", "/nowhere/photorelay.env", "audit", "verify"], &[]).await;
    assert!(text(&absent.stderr).contains("/nowhere/photorelay.env"), "{}", text(&absent.stderr));
    world.end().await;
}

/// An `az` that takes exactly what is asked of it, writes each call down, and answers with this text.
#[cfg(unix)]
fn fake_az(folder: &Path, arguments: &str, answer: &str, exit: u8) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let (bin, calls) = (folder.join("bin"), folder.join("az-calls"));
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::write(folder.join("az-answer"), answer).unwrap();
    let script = format!(
        "#!/bin/sh\necho \"$*\" >>'{calls}'\nif [ \"$*\" != '{arguments}' ]; then echo \"unrecognized arguments: $*\" >&2; \
         exit 2; fi\nif [ {exit} != 0 ]; then cat '{answer}' >&2; exit {exit}; fi\ncat '{answer}'\n",
        calls = calls.display(),
        answer = folder.join("az-answer").display(),
    );
    std::fs::write(bin.join("az"), script).unwrap();
    std::fs::set_permissions(bin.join("az"), std::fs::Permissions::from_mode(0o755)).unwrap();
    calls
}

#[cfg(unix)]
#[tokio::test]
async fn the_sign_in_of_the_azure_cli_is_used_where_it_is_chosen_and_asked_once() {
    let world = World::start().await;
    let (tenant, client) = (world.sim.tenant_id().to_string(), world.sim.client_id().to_string());
    let scope = "https://graph.microsoft.com/.default";
    let secret = world.sim.client_secret();
    let form =
        [("grant_type", "client_credentials"), ("client_id", &client), ("client_secret", &secret), ("scope", scope)];
    let endpoint = format!("{}/{tenant}/oauth2/v2.0/token", world.sim.authority_url());
    let answer = reqwest::Client::new().post(endpoint).form(&form).send().await.unwrap();
    let answer: serde_json::Value = answer.json().await.unwrap();
    let token = answer["access_token"].as_str().unwrap();
    let cli = serde_json::json!({ "accessToken": token, "expires_on": 4_102_444_800_i64, "tokenType": "Bearer" });

    let arguments = format!("account get-access-token -o json --scope {scope} --tenant {tenant}");
    let calls = fake_az(world.dir(), &arguments, &cli.to_string(), 0);
    let path = format!("{}:/usr/bin:/bin", world.dir().join("bin").display());
    // What the service signs in with is in the same file, and not for operators.
    let settings = [
        ("PATH", path.as_str()),
        ("PHOTORELAY_CREDENTIAL", "azure-cli"),
        ("PHOTORELAY_CLIENT_SECRET", ""),
        ("PHOTORELAY_CLIENT_CERTIFICATE_FILE", "/nowhere/agent.pem"),
    ];
    let user = world.user(0).to_string();
    let checked = photorelay_with(&world, &["check", &user], &settings).await;
    let printed = text(&checked.stdout);
    assert!(checked.status.success(), "{printed}{}", text(&checked.stderr));
    assert!(printed.contains("captured as entry 1"), "{printed}");
    assert_eq!(std::fs::read_to_string(&calls).unwrap(), format!("{arguments}\n"));
    world.settle().await;

    fake_az(world.dir(), &arguments, "ERROR: Please run 'az login' to setup account.\n", 1);
    let refused = photorelay_with(&world, &["check", &user], &settings).await;
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(said.matches("Please run 'az login'").count(), 1, "{said}");
    let other = photorelay_with(&world, &["check", &user], &[("PHOTORELAY_CREDENTIAL", "az")]).await;
    assert!(text(&other.stderr).contains("`az` is not azure-cli"), "{}", text(&other.stderr));
    world.end().await;
}

#[tokio::test]
async fn what_works_on_the_storage_needs_nothing_else() {
    let world = World::start().await;
    let user = world.user(0);
    for _ in 0..2 {
        world.change(user).await;
    }
    let id = user.to_string();
    let run = async |arguments: &[&str]| {
        let settings = testkit::process::embedded(world.dir());
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_photorelay"));
        let output = command.args(arguments).args(["--env-file", "/dev/null"]).env_clear().envs(settings);
        let output = output.env("USER", "ada").output().await.unwrap();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let commands: [&[&str]; 8] = [
        &["status"],
        &["status", "--refused"],
        &["history", &id],
        &["trace", &id],
        &["export", &id, "-"],
        &["audit", "verify"],
        &["poison"],
        &["restore", &id, "1", "--reason", "ticket 4711"],
    ];
    for command in commands {
        let (code, printed) = run(command).await;
        assert_ne!(code, Some(1), "{command:?}: {printed}");
    }
    let (_, status) = run(&["status"]).await;
    assert!(status.contains("graph          not asked: PHOTORELAY_TENANT_ID is missing; no credential"), "{status}");
    assert!(status.contains("subscription   not known") && !status.contains("graph_unavailable"), "{status}");
    world.settle().await;
    assert_eq!(world.trail(user).await[2].entry.tenant_id, world.tenant_id());
    assert!(world.shows_newest(user).await);

    for command in [&["history", "ada@contoso.test"][..], &["restore", "ada@contoso.test", "1"]] {
        let (code, printed) = run(command).await;
        assert_eq!(code, Some(1), "{command:?}: {printed}");
        assert!(printed.contains("is looked up in Microsoft Graph, an object ID is not"), "{printed}");
        assert!(printed.contains("PHOTORELAY_TENANT_ID is missing"), "{printed}");
    }
    let (code, printed) = run(&["forget", &id, "--yes"]).await;
    assert_eq!(code, Some(0), "{printed}");
    let (code, printed) = run(&["forget", &world.user(1).to_string(), "--yes"]).await;
    assert!(
        code == Some(1) && printed.contains("no entry that names the tenant: set PHOTORELAY_TENANT_ID"),
        "{printed}"
    );
    world.settle().await;
    world.end_with_leftovers().await;
}
