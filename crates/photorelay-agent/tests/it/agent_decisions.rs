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
    assert!(outdated.is_empty(), "another value than the operator saw: {outdated:?}");
    let decided = approvals(&world).decide_some(&choice(&shown), Verdict::Approved, &other).await.unwrap();
    assert_eq!(decided[0].decision.as_ref().unwrap().by.as_deref(), Some("grace"));
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
    world.settle().await;
    assert_eq!([0, 2].map(|at| world.written(users[at])), [None, None], "what was approved is carried out");
    world.end().await;
}
