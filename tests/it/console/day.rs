//! An operator's day, in a browser: at the width of a desk and of a phone, by keyboard, in light and dark.

use jiff::Timestamp;
use photorelay_agent::policy::{ForeignPolicy, WritePolicy};
use photorelay_core::contract::{AuditEntry, Preview, PreviewPage, PreviewRow, PreviewState, V1};
use photorelay_core::documents;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use testkit::world::{Setup, World, fixture, guid};
use uuid::Uuid;

use super::browser::Browser;
use super::pages::keep_figures;
use super::visitor::OpenConsole;

const DESK: u32 = 1280;
const PHONE: u32 = 400;

#[tokio::test]
async fn a_person_is_found_and_the_second_of_four_versions_restored() {
    for width in [DESK, PHONE] {
        find_and_restore(width).await;
    }
}

async fn find_and_restore(width: u32) {
    let world = World::start().await;
    let user = world.user(0);
    for _ in 0..4 {
        world.change(user).await;
    }
    keep_figures(&world).await;
    let person = world.sim.tenant().user(guid(user)).unwrap();
    let console = OpenConsole::acting(&world, "Ada Operator").await;
    let browser = Browser::enter(&console, width).await;
    browser.says("People").await;
    browser.find(".figures").await;
    browser.inspect("now").await;
    // By keyboard alone: to the search, a part of the name, Enter.
    browser.press("/").await;
    browser.press(person.display_name.split(' ').next().unwrap()).await;
    browser.inspect("people").await;
    browser.press_enter().await;
    browser.says("4 entries in the trail").await;
    assert_eq!(browser.count("li.version").await, 4);
    // Every picture is there and was drawn.
    let broken = "return [...document.images].filter(image => (image.loading = 'eager', image.complete && image.naturalWidth === 0)).length";
    assert_eq!(browser.script(broken).await, 0);
    browser.inspect("person").await;
    // What it will do comes first, and then the word to do it.
    browser.click("#entry-2 a.button").await;
    browser.says("The agent replaces its own picture").await;
    browser.inspect("restore").await;
    assert_eq!(world.trail(user).await.len(), 4);
    browser.fill("#reason", "ticket 4711").await;
    browser.press_enter().await;
    browser.says("The photo of entry 2 is restored as entry 5").await;
    browser.says("ticket 4711").await;
    world.settle().await;
    let trail = world.trail(user).await;
    assert_eq!(trail[4].entry.photo, trail[1].entry.photo);
    assert_eq!(trail[4].entry.by.as_deref(), Some("Ada Operator"));
    assert!(world.shows_newest(user).await);
    browser.goto(&console, "/trail").await;
    browser.click("button.main").await;
    browser.says("The trail is intact").await;
    browser.inspect("trail").await;
    browser.close().await;
    console.close().await;
    world.end().await;
}

#[tokio::test]
async fn an_undo_is_seen_before_it_is_asked_for_by_keyboard() {
    for width in [DESK, PHONE] {
        see_and_undo(width).await;
    }
}

async fn see_and_undo(width: u32) {
    let world = World::start().await;
    let user = world.user(0);
    world.change(user).await;
    let console = OpenConsole::acting(&world, "Ada Operator").await;
    let browser = Browser::enter(&console, width).await;
    browser.goto(&console, &format!("/people/{user}")).await;
    browser.says("Undo in ad").await;
    browser.script("document.querySelector('.target a.button').focus()").await;
    browser.press_enter().await;
    for text in ["cleared", "1 person, in the target ad", "It passes", "What the agent decides"] {
        browser.says(text).await;
    }
    let broken = "return [...document.images].filter(image => (image.loading = 'eager', image.complete && image.naturalWidth === 0)).length";
    assert_eq!(browser.script(broken).await, 0);
    browser.inspect("undo").await;
    assert!(world.written(user).is_some(), "nothing is done by looking");
    browser.fill("#reason", "ticket 4713").await;
    browser.press_enter().await;
    browser.says("An agent of ad is asked to clear the photo").await;
    world.settle().await;
    assert_eq!(world.written(user), None);
    browser.goto(&console, &format!("/people/{user}")).await;
    browser.says("ticket 4713").await;
    browser.close().await;
    console.close().await;
    world.end().await;
}

#[tokio::test]
async fn a_first_fill_of_a_thousand_is_seen_before_anything_is_written() {
    let world = World::start().await;
    let user = world.user(0);
    world.change(user).await;
    let entry = world.trail(user).await.remove(0).entry;
    keep_preview(&world, &entry).await;
    for width in [DESK, PHONE] {
        let console = OpenConsole::reading(&world).await;
        let browser = Browser::enter(&console, width).await;
        browser.goto(&console, "/preview").await;
        for text in ["1\u{202f}000", "2.9 MB", "34 min", "no object is found", "page 1 of 10"] {
            browser.says(text).await;
        }
        assert_eq!(browser.count("[data-row]").await, 100);
        browser.inspect("preview").await;
        browser.click("a[rel=next]").await;
        browser.says("page 2 of 10").await;
        browser.close().await;
        console.close().await;
    }
    world.end().await;
}

/// A preview of a thousand people, who all have this photo; as an agent publishes it.
async fn keep_preview(world: &World, entry: &AuditEntry) {
    let (blobs, run) = (&*world.storage().blobs, Timestamp::now());
    for page in 0..10_u32 {
        let row = |at: u32| PreviewRow {
            user_id: if at == 0 {
                entry.user_id
            } else {
                UserId::from_uuid(Uuid::from_u128(u128::from(page * 100 + at)))
            },
            seq: 1,
            state: if at % 50 == 49 { PreviewState::Refused } else { PreviewState::Add },
            would: if at % 50 == 49 { "no object is found" } else { "would write 2909 bytes" }.to_owned(),
            shows: None,
            photo: entry.photo.as_ref().map(|photo| photo.sha256),
            wants: (at % 50 != 49).then(|| entry.renditions[0].sha256),
            rendition: entry.renditions[0].name.clone(),
        };
        let rows = (0..100).map(row).collect();
        let name = names::preview_page("ad", run, page + 1);
        documents::replace(blobs, Container::Agents, &name, &PreviewPage { v: V1, target: "ad".to_owned(), rows })
            .await
            .unwrap();
    }
    let preview = Preview {
        v: V1,
        target: "ad".to_owned(),
        agent: "one".to_owned(),
        run,
        finished_at: run,
        people: 1_000,
        states: [(PreviewState::Add, 980), (PreviewState::Refused, 20)].into(),
        left_out: [("no object is found".to_owned(), 20)].into(),
        bytes: 980 * 2_909,
        minutes: Some(34),
        pages: 10,
    };
    documents::replace(blobs, Container::Agents, &names::preview("ad"), &preview).await.unwrap();
}

#[tokio::test]
async fn twelve_held_photos_are_approved_by_keyboard() {
    for width in [DESK, PHONE] {
        approve_twelve(width).await;
    }
}

async fn approve_twelve(width: u32) {
    let sim = graph_sim::SimConfig { users: 13, ..Default::default() };
    let world = World::with(Setup { sim, ..Setup::default() }).await;
    let agent = world
        .agent_builder()
        .policy(WritePolicy { foreign: ForeignPolicy::KeepForeign, ..WritePolicy::default() })
        .build();
    let folder = world.dir().join("written");
    std::fs::create_dir_all(&folder).unwrap();
    for at in 0..13 {
        let person = world.sim.tenant().user(guid(world.user(at))).unwrap();
        let account = person.on_premises_sam_account_name.unwrap().to_lowercase();
        std::fs::write(folder.join(format!("{account}.jpg")), fixture("astronaut-240.jpg")).unwrap();
        world.sim.tenant().change_photo(guid(world.user(at))).unwrap();
    }
    world.sim.flush().await;
    world.app.pump.drain().await.unwrap();
    agent.drain().await.unwrap();
    let console = OpenConsole::acting(&world, "Ada Operator").await;
    let browser = Browser::enter(&console, width).await;
    browser.goto(&console, "/approvals").await;
    browser.says("13 held").await;
    assert_eq!(browser.count("[data-item]").await, 13);
    browser.inspect("approvals").await;
    for _ in 0..12 {
        browser.press("j").await;
        browser.press("x").await;
    }
    assert_eq!(browser.find("[data-chosen]").await.text().await.unwrap(), "12 chosen");
    // Enter decides nothing: neither in the reason, nor on a photo.
    browser.press_enter().await;
    browser.fill("#sheet [name=why]", "ticket 4712").await;
    browser.press_enter().await;
    let chosen = "document.activeElement.blur(); return document.querySelectorAll('[data-item] input:checked').length";
    assert_eq!(browser.script(chosen).await, 12, "the page is the same");
    browser.press("a").await;
    browser.says("12 approved").await;
    assert_eq!(browser.count("[data-item]").await, 1);
    agent.drain().await.unwrap();
    let mut written = 0;
    for at in 0..13 {
        written += usize::from(world.shows_newest(world.user(at)).await);
    }
    assert_eq!(written, 12);
    // The last one is rejected, which keeps what is there.
    browser.press("j").await;
    browser.press("r").await;
    browser.says("1 rejected").await;
    browser.says("Nothing waits").await;
    browser.inspect("approvals-empty").await;
    browser.close().await;
    console.close().await;
    world.end_with_leftovers().await;
}
