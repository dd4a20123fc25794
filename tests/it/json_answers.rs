//! The answers of the commands as JSON, for scripts: what docs/commands.md says of them is so, for both programs.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use photorelay_core::names;
use photorelay_core::queue::Outgoing;
use serde_json::Value;
use testkit::answers::{assert_documented, documented};
use testkit::process::{program, text};
use testkit::world::{Setup, World, fixture, guid};

use crate::commands::photorelay;

/// The commands below this one which have `--json`, by their help.
fn with_json(called: &str, found: &mut BTreeSet<String>) {
    let words: Vec<&str> = called.split(' ').collect();
    let mut command = Command::new(program(words[0]));
    let help = text(&command.args(&words[1..]).arg("--help").env_clear().output().unwrap().stdout);
    if help.contains("--json") {
        found.insert(called.to_owned());
    }
    let Some((_, listed)) = help.split_once("Commands:\n") else { return };
    let lines = listed.split("\n\n").next().unwrap().lines().filter_map(|line| line.strip_prefix("  "));
    let names = lines.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next());
    names.filter(|name| *name != "help").for_each(|name| with_json(&format!("{called} {name}"), found));
}

#[test]
fn every_command_with_json_is_documented_and_every_documented_one_has_it() {
    let mut found = BTreeSet::new();
    with_json("photorelay", &mut found);
    with_json("photorelay-agent", &mut found);
    let without_options =
        |command: &String| command.split(' ').filter(|word| !word.starts_with("--")).collect::<Vec<_>>().join(" ");
    let documented: BTreeSet<String> = documented().keys().map(without_options).collect();
    assert_eq!(found, documented);
    assert!(found.len() > 24, "{found:?}");
}

/// The arguments with `--json`, which succeed and answer as the page says.
async fn answer(world: &World, command: &str, arguments: &[&str]) -> Value {
    let output = ask(world, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    assert_documented(command, &output.stdout)
}

async fn ask(world: &World, arguments: &[&str]) -> Output {
    photorelay(world, &[arguments, &["--json"]].concat(), &[]).await
}

#[tokio::test]
async fn what_is_done_for_one_user_is_answered_as_json() {
    let world = World::start().await;
    let user = world.user(0);
    let id = user.to_string();
    world.sim.tenant().set_photo(guid(user), &fixture("astronaut-648.jpg")).unwrap();
    let checked = answer(&world, "photorelay check", &["check", &id]).await;
    assert_eq!((&checked["outcome"]["is"], &checked["outcome"]["seq"]), (&"captured".into(), &1.into()));
    assert_eq!((&checked["userId"], &checked["steps"][0]["step"]), (&id.as_str().into(), &1.into()));
    world.settle().await;

    let file = world.dir().join("exported.jpg").display().to_string();
    let exported = answer(&world, "photorelay export", &["export", &id, &file]).await;
    assert_eq!((&exported["width"], &exported["contentType"]), (&648.into(), &"image/jpeg".into()));
    let refused = ask(&world, &["export", &id, "-"]).await;
    assert_eq!((refused.status.code(), text(&refused.stdout).as_str()), (Some(2), ""));
    assert!(text(&refused.stderr).contains("cannot be used with '-'"), "{}", text(&refused.stderr));

    let restored = answer(&world, "photorelay restore", &["restore", &id, "1"]).await;
    assert_eq!((&restored["of"], &restored["seq"], &restored["announcedTo"][0]), (&1.into(), &2.into(), &"ad".into()));
    let failed = ask(&world, &["restore", &id, "99"]).await;
    assert_eq!((failed.status.code(), text(&failed.stdout).as_str()), (Some(1), ""), "no answer is half an answer");

    let preview = ask(&world, &["forget", &id]).await;
    let would = assert_documented("photorelay forget", &preview.stdout);
    assert_eq!((preview.status.code(), &would["photos"]), (Some(1), &2.into()), "{}", text(&preview.stderr));
    let forgotten = answer(&world, "photorelay forget --yes", &["forget", &id, "--yes"]).await;
    assert_eq!((&forgotten["erased"]["photos"], &forgotten["denied"]), (&2.into(), &Value::Null));
    world.settle().await;
    world.end().await;
}

#[tokio::test]
async fn sweeps_and_subscriptions_are_answered_as_json() {
    let sim = graph_sim::SimConfig { users: 5, ..Default::default() };
    let world = World::with(Setup { sim, subscribe: false, ..Setup::default() }).await;
    let filled = answer(&world, "photorelay sweep --first", &["sweep", "--first"]).await;
    assert_eq!((&filled["isFilled"], &filled["forecast"]["people"]), (&true.into(), &5.into()));
    assert_eq!(filled["sweep"]["population"], 5);
    let swept = answer(&world, "photorelay sweep", &["sweep"]).await;
    assert_eq!((&swept["people"], &swept["isComplete"]), (&5.into(), &true.into()));
    let made = ask(&world, &["subscribe"]).await;
    assert!(!text(&made.stdout).contains("http"), "the URLs carry secrets: {}", text(&made.stdout));
    let made = assert_documented("photorelay subscribe", &made.stdout);
    assert_eq!((&made["actions"][0]["is"], &made["alive"]["id"]), (&"created".into(), &made["actions"][0]["id"]));
    let ended = answer(&world, "photorelay unsubscribe", &["unsubscribe"]).await;
    let (found, did) = (&ended["found"][0], &ended["actions"][0]);
    assert_eq!((&found["is"], &did["is"], &ended["alive"]), (&"current".into(), &"deleted".into(), &Value::Null));
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn a_poison_queue_is_listed_with_its_reasons_and_cleared_when_it_is_asked_for() {
    let world = World::start().await;
    let queue = names::CHECKS_QUEUE;
    world.storage().queues.send(queue, vec![Outgoing::now("no message of ours")]).await.unwrap();
    world.settle().await;
    for _ in 0..2 {
        let listed = ask(&world, &["poison"]).await;
        let found = assert_documented("photorelay poison", &listed.stdout);
        assert_eq!(
            (listed.status.code(), &found[0]["queue"], &found[0]["messages"]),
            (Some(2), &queue.into(), &1.into())
        );
        assert_eq!(found[0]["reasons"][0]["messages"], 1, "{found}");
    }
    let printed = text(&photorelay(&world, &["poison"], &[]).await.stdout);
    assert!(printed.starts_with("photo-checks-poison  1 message\n      1 blob until "), "{printed}");
    let cleared = answer(&world, "photorelay poison --clear", &["poison", "--clear"]).await;
    assert_eq!(cleared[0]["deleted"], 1);
    assert_eq!(world.storage().queues.count(&names::poison_queue(queue)).await.unwrap(), 0);
    let empty = answer(&world, "photorelay poison", &["poison"]).await;
    assert_eq!((&empty[0]["messages"], &empty[0]["reasons"][0]["messages"]), (&0.into(), &1.into()), "the blob stays");
    world.end_with_leftovers().await;
}
