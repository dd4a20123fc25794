//! The page of a person says what agents noted after a receipt, and what operators decided.

use jiff::{SignedDuration, Timestamp};
use photorelay_core::contract::{Note, NoteKind, ShownValue, UndoneChange, V1};
use photorelay_core::documents;
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container, ReceiptName};
use testkit::world::World;

use super::visitor::OpenConsole;

/// An agent's word that the target shows something else than what it wrote.
fn held(user: UserId, shows: Option<Digest>) -> Note {
    Note {
        v: V1,
        user_id: user,
        seq: 1,
        target: "ad".to_owned(),
        note: NoteKind::Held,
        reason: "another writer has replaced it".to_owned(),
        shows: Some(ShownValue { sha256: shows }),
        undone: None,
        agent: "one".to_owned(),
        at: Timestamp::now() + SignedDuration::from_millis(1),
    }
}

async fn note(world: &World, note: &Note, number: u32) {
    let blobs = &*world.storage().blobs;
    let name = ReceiptName { seq: note.seq, target: note.target.clone(), number, user: note.user_id };
    documents::replace(blobs, Container::Agents, &names::note(note.user_id, &note.target), note).await.unwrap();
    documents::create(blobs, Container::Agents, &names::recorded_note(&name), note).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_read_of_a_person_is_named() {
    let world = World::start().await;
    let user = world.user(0);
    world.change(user).await;
    let console = OpenConsole::reading(&world).await;
    let visitor = console.enter().await;
    let damaged = [format!("state/{}", names::head(user)), format!("receipts/{user}/00000001.ad.json")];
    let kept = damaged.each_ref().map(|name| std::fs::read(world.dir().join(name)).unwrap());
    for name in &damaged {
        std::fs::write(world.dir().join(name), b"{}").unwrap();
    }
    let page = visitor.page(&format!("/people/{user}")).await;
    for name in &damaged {
        assert!(page.contains(&format!("{name} cannot be read")), "{name} is missing in {page}");
    }
    let history = photorelay_core::history::of_user(&*world.storage().blobs, user).await.unwrap();
    let unreadable = history.events.iter().filter(|event| event.at.is_none()).count();
    assert_eq!(unreadable, 2, "{history:?}");
    for (name, bytes) in damaged.iter().zip(kept) {
        std::fs::write(world.dir().join(name), bytes).unwrap();
    }
    console.close().await;
    world.end().await;
}

#[tokio::test]
async fn what_was_replaced_or_undone_after_it_was_written_is_shown_as_such() {
    let world = World::start().await;
    let user = world.user(0);
    world.change(user).await;
    let console = OpenConsole::acting(&world, "Ada Operator").await;
    let visitor = console.enter().await;
    let path = format!("/people/{user}");
    assert!(visitor.page(&path).await.contains("Undo in ad"));
    let foreign = Digest::of(b"another writer's");
    note(&world, &held(user, Some(foreign)), 1).await;
    let page = visitor.page(&path).await;
    assert!(page.contains(&format!("/before/{user}/{foreign}")), "what the target shows is missing in {page}");
    assert!(page.contains("another writer has replaced it") && !page.contains("Undo in ad"), "{page}");
    let undone = UndoneChange { before: None, by: "ada".to_owned(), reason: Some("ticket 4711".to_owned()) };
    note(&world, &Note { undone: Some(undone), ..held(user, None) }, 2).await;
    note(&world, &Note { reason: "an operator undid it".to_owned(), ..held(user, None) }, 3).await;
    let page = visitor.page(&path).await;
    for text in ["undone, cleared", "ada", "ticket 4711", "an operator undid it"] {
        assert!(page.contains(text), "{text:?} is missing in {page}");
    }
    assert!(page.contains("no picture</span>") && !page.contains("Undo in ad"), "{page}");
    // A new photo is written: what was noted about the earlier one says nothing about it.
    world.change(user).await;
    assert!(visitor.page(&path).await.contains("Undo in ad"));
    console.close().await;
    world.end().await;
}
