//! What operators decide is recorded with who and why, and no decision is ever replaced.

use photorelay_agent::policy::WritePolicy;
use photorelay_core::approvals::{ApprovalChoice, decisions};
use photorelay_core::contract::Verdict;
use photorelay_core::id::Digest;
use photorelay_core::operator::OperatorSignature;
use testkit::process::{agent_command, text};

use crate::agent_policy::*;

#[tokio::test]
async fn a_later_decision_stands_beside_the_earlier_one_and_counts() {
    let world = world(1, WritePolicy::default()).await;
    let user = person_without_photo(&world, 0).await;
    approvals(&world).decide(user, Verdict::Rejected, &operator()).await.unwrap();
    let other = OperatorSignature { by: "grace".parse().unwrap(), reason: None };
    let choice = |value: &[u8]| [ApprovalChoice { user, seq: 2, value: Digest::of(value) }];
    let shown = world.written(user).unwrap();
    let outdated = approvals(&world).decide_some(&choice(b"replaced"), Verdict::Approved, &other).await.unwrap();
    assert!(outdated.items.is_empty(), "another value than the operator saw: {outdated:?}");
    let decided = approvals(&world).decide_some(&choice(&shown), Verdict::Approved, &other).await.unwrap();
    assert_eq!(decided.items[0].decision.as_ref().unwrap().by.as_deref(), Some("grace"));
    world.settle().await;
    assert_eq!(world.written(user), None);

    let decisions = decisions::of_user(&*world.storage().blobs, user).await.unwrap();
    let said: Vec<_> =
        decisions.iter().map(|made| (made.verdict, made.by.as_deref(), made.reason.as_deref())).collect();
    let rejected = (Verdict::Rejected, Some("ada"), Some("ticket 4711"));
    assert_eq!(said, [rejected, (Verdict::Approved, Some("grace"), None)]);
    world.end().await;
}

#[tokio::test]
async fn the_command_line_lists_approves_and_undoes() {
    let world = world(1, WritePolicy::default()).await;
    let user = person_without_photo(&world, 0).await;
    let id = user.to_string();
    let held: serde_json::Value = serde_json::from_str(&command(&world, &["held", "--json"]).await).unwrap();
    assert_eq!((held[0]["userId"].as_str(), held[0]["heldFor"].as_str()), (Some(id.as_str()), Some("removal")));
    assert!(held[0]["verdict"].is_null());

    let mut nameless = folder(&world);
    nameless.push(("USER", String::new()));
    let unsigned = agent_command(&world, &nameless, &["approve", &id]).await;
    assert!(!unsigned.status.success(), "a decision needs a name");
    assert!(String::from_utf8_lossy(&unsigned.stderr).contains("--by NAME"));
    let approved = command(&world, &["approve", &id, "--reason", "ticket 4711"]).await;
    assert!(approved.contains("decided by ada: ticket 4711"), "{approved}");
    command(&world, &["once"]).await;
    assert_eq!(world.written(user), None);
    assert!(command(&world, &["held"]).await.contains("0 items"));
    assert!(command(&world, &["undo", "--all", "--dry-run"]).await.contains("would put back"));
    assert_eq!(world.written(user), None);
    command(&world, &["undo", &id, "--yes"]).await;
    assert!(world.written(user).is_some());
    world.end().await;
}

#[tokio::test]
async fn approving_all_goes_on_after_one_that_fails_and_says_which() {
    let world = world(3, WritePolicy::default()).await;
    let mut users = Vec::new();
    for at in 0..3 {
        users.push(person_without_photo(&world, at).await);
    }
    let broken = world.dir().join(format!("audit/{}/00000002.json", users[1]));
    let entry = std::fs::read(&broken).unwrap();
    std::fs::write(&broken, b"{}").unwrap();
    let approved = run(&world, &["approve", "--all"]).await;
    let (printed, said) = (text(&approved.stdout), text(&approved.stderr));
    assert_eq!(approved.status.code(), Some(1), "{printed}{said}");
    assert!(said.contains(&format!("{}: ", users[1])), "{said}");
    assert!(said.ends_with("1 item could not be decided, 2 items were decided\n"), "{said}");
    assert!(printed.contains(&users[0].to_string()) && printed.contains(&users[2].to_string()), "{printed}");
    assert!(printed.ends_with("2 items\n"), "{printed}");
    std::fs::write(&broken, entry).unwrap();
    let left = approvals(&world).pending(Some(users[1])).await.unwrap();
    assert_eq!(left[0].verdict, None, "what could not be decided is undecided");
    world.settle().await;
    assert_eq!([0, 2].map(|at| world.written(users[at])), [None, None], "what was approved is carried out");
    world.end().await;
}

#[tokio::test]
async fn an_approval_that_cannot_be_announced_is_a_decision_all_the_same_and_said_to_be_one() {
    let world = world(2, WritePolicy::default()).await;
    let users = [person_without_photo(&world, 0).await, person_without_photo(&world, 1).await];
    // The same target, with a queue that is not there.
    let mut variables = folder(&world);
    variables.push(("PHOTORELAY_TARGETS", "feed=*;ad=*".to_owned()));
    variables.push(("PHOTORELAY_AGENT_TARGET", "ad".to_owned()));
    let approved = agent_command(&world, &variables, &["approve", "--all"]).await;
    let (printed, said) = (text(&approved.stdout), text(&approved.stderr));
    assert_eq!(approved.status.code(), Some(1), "{printed}{said}");
    assert!(!said.contains("could not be decided"), "{said}");
    assert!(said.contains("2 items were decided, and 2 approvals were not announced: agents apply them"), "{said}");
    assert!(said.contains(&format!("{}: approved, but no message announces it: ", users[0])), "{said}");
    assert!(printed.ends_with("2 items\n") && printed.matches("  approved  ").count() == 2, "{printed}");
    let again = agent_command(&world, &variables, &["approve", &users[0].to_string()]).await;
    assert!(text(&again.stderr).contains("1 item was decided, and 1 approval was not announced: agents apply it"));
    for user in users {
        look_again(&world, user).await;
        assert_eq!(world.written(user), None, "the next look at the user applies it");
    }
    world.end().await;
}

#[tokio::test]
async fn what_decides_about_a_target_needs_nothing_of_what_reaches_it() {
    let world = world(1, WritePolicy::default()).await;
    let user = person_without_photo(&world, 0).await;
    // As in the file of the service: this account may not read what it signs in to the directory with.
    let directory = [
        ("PHOTORELAY_TENANT_ID", ""),
        ("PHOTORELAY_FOLDER_PATH", ""),
        ("PHOTORELAY_LDAP_URLS", "ldaps://dc1.contoso.test"),
        ("PHOTORELAY_LDAP_BASE_DN", "DC=contoso,DC=test"),
        ("PHOTORELAY_LDAP_BIND_DN", "agent@contoso.test"),
        ("PHOTORELAY_LDAP_PASSWORD_FILE", "/nowhere/password"),
        ("PHOTORELAY_CLIENT_CERTIFICATE_FILE", "/nowhere/agent.pem"),
    ];
    let mut variables = folder(&world);
    variables.extend(directory.map(|(name, value)| (name, value.to_owned())));
    let command = async |arguments: &[&str]| {
        let output = agent_command(&world, &variables, arguments).await;
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, printed, said) = command(&["held"]).await;
    assert!(code == Some(0) && printed.contains(&user.to_string()), "{printed}{said}");
    for needs_it in [&["held", "--names"][..], &["approve", "ada"], &["plan", &user.to_string()]] {
        let (code, printed, said) = command(needs_it).await;
        assert!(code == Some(1) && said.contains("PHOTORELAY_LDAP_PASSWORD_FILE"), "{needs_it:?}: {printed}{said}");
    }
    for arguments in [&["stop"][..], &["resume"], &["approve", &user.to_string(), "--by", "ada"]] {
        let (code, printed, said) = command(arguments).await;
        assert_eq!(code, Some(0), "{arguments:?}: {printed}{said}");
    }
    world.settle().await;
    assert_eq!(world.written(user), None);
    world.end().await;
}

#[tokio::test]
async fn a_switch_for_a_target_without_agents_is_a_setting_that_is_missing() {
    let world = world(1, WritePolicy::default()).await;
    world.agent.once().await.unwrap();
    let mut variables = folder(&world);
    variables.push(("PHOTORELAY_TARGETS", "ad=*;mim=*".to_owned()));
    variables.push(("PHOTORELAY_AGENT_TARGET", "mim".to_owned()));
    for switch in ["stop", "resume"] {
        let output = agent_command(&world, &variables, &[switch]).await;
        let said = text(&output.stderr);
        assert!(!output.status.success(), "{said}");
        assert!(said.contains("no agent of the target mim has ever reported, and agents of ad have"), "{said}");
    }
    world.end().await;
}
