//! The history of a user says what happened in the order of time, by whom and why, and what the target showed last.

use photorelay_agent::policy::WritePolicy;
use photorelay_core::contract::{NoteKind, Outcome, Verdict};
use photorelay_core::history::{self, HistoryFact, UserHistory};
use photorelay_core::id::{Digest, UserId};
use testkit::world::World;

use crate::agent_policy::*;

async fn history_of(world: &World, user: UserId) -> UserHistory {
    history::of_user(&*world.storage().blobs, user).await.unwrap()
}

/// What happened, in short: which operator is behind it, and what it was.
fn told(history: &UserHistory) -> Vec<String> {
    let word = |fact: &HistoryFact| match fact {
        HistoryFact::Entry { kind, .. } => format!("{kind:?}"),
        HistoryFact::Decided { verdict, .. } => format!("{verdict:?}"),
        HistoryFact::Noted { note, .. } => format!("{note:?}"),
        HistoryFact::Undone { .. } => "Undone".to_owned(),
        HistoryFact::Processed { outcome, .. } => format!("{outcome:?}"),
        HistoryFact::Unreadable { blob } => blob.clone(),
    };
    let by = |by: &Option<String>| by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
    history.events.iter().map(|event| format!("{}{}", word(&event.fact), by(&event.by))).collect()
}

#[tokio::test]
async fn what_was_held_approved_written_and_undone_is_told_in_its_order() {
    let world = world(1, WritePolicy::default()).await;
    let user = world.user(0);
    let mut world = world;
    world.agent = dry(&world, WritePolicy::default());
    world.change(user).await;
    put(&world, user, b"from the badge office");
    world.agent = agent(&world, WritePolicy::default());
    for _ in 0..2 {
        look_again(&world, user).await;
    }
    let foreign = Digest::of(b"from the badge office");
    let shown = history_of(&world, user).await.targets;
    assert_eq!((shown.len(), shown[0].sha256, shown[0].seq), (1, Some(foreign), None));

    approvals(&world).decide(user, Verdict::Approved, &operator()).await.unwrap();
    world.settle().await;
    let shown = history_of(&world, user).await.targets;
    assert_eq!((shown[0].sha256, shown[0].seq), (world.written(user).map(|value| Digest::of(&value)), Some(1)));

    command(&world, &["undo", &user.to_string(), "--yes", "--reason", "ticket 4712"]).await;
    let history = history_of(&world, user).await;
    let rejected = "Rejected by ada";
    assert_eq!(
        told(&history),
        ["Captured", "DryRun", "Held", "Approved by ada", "Written", rejected, "Undone by ada"],
        "each once, however often it was looked at"
    );
    let reasons: Vec<_> = history.events.iter().map(|event| event.reason.as_deref().unwrap_or_default()).collect();
    assert!(reasons[1].starts_with("would write") && reasons[2].contains("did not write"), "{reasons:?}");
    assert_eq!((reasons[3], reasons[6]), ("ticket 4711", "ticket 4712"));
    assert_eq!((history.targets[0].sha256, history.targets[0].seq), (Some(foreign), None));
    assert!(history.events.is_sorted_by_key(|event| event.at));
    let noted = |fact: &HistoryFact| matches!(fact, HistoryFact::Noted { note: NoteKind::Held, shows: Some(_) });
    assert!(noted(&history.events[2].fact), "{:?}", history.events[2]);
    let written = |fact: &HistoryFact| matches!(fact, HistoryFact::Processed { outcome: Outcome::Written, .. });
    assert!(written(&history.events[4].fact));
    world.end().await;
}
