//! Users as operators call them: by account name or user principal name, and with names where a terminal is.

use serde_json::Value;
use testkit::process::{Variables, agent_command, text};
use testkit::samba::Samba;
use testkit::world::{Store, World, guid};

use crate::directory;

fn folder(world: &World) -> Variables {
    vec![("PHOTORELAY_FOLDER_PATH", world.dir().join("written").display().to_string())]
}

async fn captured(world: &World, account: &str, at: usize) -> String {
    let user = world.user(at);
    let edit = |person: &mut graph_sim::SimUser| person.on_premises_sam_account_name = Some(account.to_owned());
    world.sim.tenant().edit_user(guid(user), edit).unwrap();
    world.change(user).await;
    user.to_string()
}

#[tokio::test]
async fn a_user_is_found_by_the_account_name_that_the_trail_recorded() {
    let world = World::start().await;
    let ada = captured(&world, "ada.l", 0).await;
    for name in ["ada.l", "ADA.L", "CONTOSO\\ada.l", &ada] {
        let plan = agent_command(&world, &folder(&world), &["plan", name, "--json"]).await;
        let printed: Value = serde_json::from_slice(&plan.stdout).unwrap_or_else(|_| panic!("{}", text(&plan.stderr)));
        assert_eq!((&printed["userId"], &printed["state"]), (&Value::from(ada.as_str()), &Value::from("up to date")));
        assert!(printed.get("samAccountName").is_none(), "{printed:#}");
    }
    let named = agent_command(&world, &folder(&world), &["plan", &ada, "--names"]).await;
    assert!(text(&named.stdout).starts_with("names   ada.l\n"), "{}", text(&named.stdout));
    let plain = agent_command(&world, &folder(&world), &["plan", &ada]).await;
    assert!(!text(&plain.stdout).contains("names"), "what is not read at a terminal has object IDs only");

    let unknown = agent_command(&world, &folder(&world), &["plan", "unknown.person"]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("the trail knows no user of that name"), "{}", text(&unknown.stderr));
    world.end().await;
}

#[tokio::test]
async fn a_name_of_two_users_is_an_error_that_lists_them() {
    let world = World::start().await;
    let (one, other) = (captured(&world, "svc", 0).await, captured(&world, "svc", 1).await);
    let said = text(&agent_command(&world, &folder(&world), &["undo", "svc", "--dry-run"]).await.stderr);
    assert!(said.contains("2 users have that name") && said.contains(&one) && said.contains(&other), "{said}");
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn a_name_with_a_domain_never_means_a_user_of_another_domain() {
    let world = World::start().await;
    let user = world.user(0);
    let emea = |person: &mut graph_sim::SimUser| person.on_premises_domain_name = Some("emea.contoso.test".to_owned());
    world.sim.tenant().edit_user(guid(user), emea).unwrap();
    let smith = captured(&world, "jsmith", 0).await;
    for name in ["CONTOSO\\jsmith", "EME\\jsmith", "\\jsmith", "test\\jsmith"] {
        let undo = agent_command(&world, &folder(&world), &["undo", name, "--yes"]).await;
        assert_eq!(undo.status.code(), Some(1), "{name}: {}", text(&undo.stdout));
        assert!(text(&undo.stderr).contains("the trail knows no user of that name"), "{}", text(&undo.stderr));
    }
    assert!(world.written(user).is_some(), "nothing is undone for a user who was not meant");
    for name in ["emea\\jsmith", "EMEA.contoso.test\\JSmith", "jsmith"] {
        let plan = agent_command(&world, &folder(&world), &["plan", name]).await;
        assert!(text(&plan.stdout).contains(&smith), "{name}: {}", text(&plan.stderr));
    }
    world.end().await;
}

#[tokio::test]
async fn a_target_knows_no_names_of_users_whom_it_does_not_serve() {
    let world = World::start().await;
    captured(&world, "ada.l", 0).await;
    let mut settings = folder(&world);
    settings.push(("PHOTORELAY_TARGETS", "ad=emea.contoso.test".to_owned()));
    let plan = agent_command(&world, &settings, &["plan", "ada.l"]).await;
    assert!(text(&plan.stderr).contains("the trail knows no user of that name"), "{}", text(&plan.stderr));
    world.end().await;
}

#[tokio::test]
async fn doctor_checks_everything_while_the_directory_that_knows_the_name_is_down() {
    let world = World::start().await;
    let password = world.dir().join("password");
    std::fs::write(&password, "secret").unwrap();
    let settings = vec![
        ("PHOTORELAY_LDAP_URLS", "ldaps://127.0.0.1:1".to_owned()),
        ("PHOTORELAY_LDAP_BASE_DN", "DC=contoso,DC=test".to_owned()),
        ("PHOTORELAY_LDAP_BIND_DN", "CN=agent,DC=contoso,DC=test".to_owned()),
        ("PHOTORELAY_LDAP_PASSWORD_FILE", password.display().to_string()),
    ];
    let doctor = agent_command(&world, &settings, &["doctor", "ada.l", "--json"]).await;
    let findings: Value = serde_json::from_slice(&doctor.stdout).unwrap_or_else(|_| panic!("{}", text(&doctor.stderr)));
    let level = |check: &str| {
        let found = findings.as_array().unwrap().iter().find(|finding| finding["check"] == check);
        found.unwrap_or_else(|| panic!("{check} is missing in {findings:#}"))["level"].clone()
    };
    assert_eq!(
        (level("container audit"), level("directory"), level("user")),
        ("ok".into(), "error".into(), "error".into())
    );
    world.end().await;
}

#[tokio::test]
async fn drift_answers_as_json_line_by_line() {
    let world = World::start().await;
    let ada = captured(&world, "ada.l", 0).await;
    std::fs::remove_file(world.dir().join("written").join(format!("{ada}.jpg"))).ok();
    std::fs::remove_dir_all(world.dir().join("written")).unwrap();
    let drift = agent_command(&world, &folder(&world), &["drift", "--json", "--names"]).await;
    let printed = text(&drift.stdout);
    let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(drift.status.code(), Some(2), "{printed}{}", text(&drift.stderr));
    assert_eq!(
        (lines.len(), &lines[0]["userId"], &lines[0]["state"]),
        (2, &ada.into(), &"missing".into()),
        "{printed}"
    );
    assert_eq!((&lines[0]["samAccountName"], &lines[1]["differing"]), (&"ada.l".into(), &1.into()), "{printed}");
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn the_directory_knows_who_is_meant_by_a_principal_name_and_where_the_user_is() {
    let samba = Samba::shared().await;
    let world = directory::world(Store::Embedded, &samba, false).await;
    let target = samba.variables(&format!("{}:636", samba.address));
    let account = samba.add("Grace").await;
    let user = account.is(&world, 0, &account.anchor());
    world.change(user).await;
    let principal = format!("{}@contoso.test", account.name);
    samba
        .change(&format!(
            "dn: {}\nchangetype: modify\nreplace: userPrincipalName\nuserPrincipalName: {principal}\n",
            account.dn
        ))
        .await;
    for name in [principal.as_str(), &account.name] {
        let plan = agent_command(&world, &target, &["plan", name, "--names"]).await;
        let printed = text(&plan.stdout);
        assert!(printed.contains(&user.to_string()), "{printed}{}", text(&plan.stderr));
        assert!(printed.starts_with(&format!("names   {}  {}\n", account.name, account.dn)), "{printed}");
    }
    world.end().await;
}
