//! What the pages show and do, without a browser.

use jiff::{SignedDuration, Timestamp, ToSpan};
use photorelay_core::contract::{CaptureFigures, FoundBy, WritebackFigures};
use photorelay_core::names::{self, Container};
use photorelay_core::{documents, figures};
use reqwest::StatusCode;
use testkit::world::{World, guid};

use super::visitor::{OpenConsole, Visitor};

#[tokio::test]
async fn now_says_what_status_says() {
    let world = World::start().await;
    world.sim.tenant().change_photo(guid(world.user(0))).unwrap();
    world.settle().await;
    let console = OpenConsole::reading(&world).await;
    let visitor = console.enter().await;
    let page = counted(&visitor, "/", "people in the trail").await;
    for text in ["Microsoft Graph", "answers", "reads only", "agent_silent", "checks waiting", "none yet"] {
        assert!(page.contains(text), "{text:?} is missing in {page}");
    }
    console.close().await;
    world.end().await;
}

#[tokio::test]
async fn now_draws_the_figures_of_the_last_days_and_says_them_in_a_table() {
    let world = World::start().await;
    let console = OpenConsole::reading(&world).await;
    let visitor = console.enter().await;
    assert!(visitor.page("/").await.contains("No day has figures yet"));
    keep_figures(&world).await;
    let page = visitor.page("/").await;
    assert_eq!(page.matches("<svg ").count(), 5, "{page}");
    for text in ["<td>41</td>", "half within 100 ms", "99 % within 10.0 s", "<td>24</td>", "<td>17</td>"] {
        assert!(page.contains(text), "{text:?} is missing in {page}");
    }
    console.close().await;
    world.end().await;
}

/// What sweeps and an agent left on the last ten days, but one.
pub(crate) async fn keep_figures(world: &World) {
    let (now, blobs) = (Timestamp::now(), &*world.storage().blobs);
    for ago in (0..10_i64).filter(|ago| *ago != 4) {
        let day = figures::day_of(now).saturating_sub(ago.days());
        let more = ago as u64;
        let capture = CaptureFigures {
            sweeps: 24,
            failed_sweeps: u64::from(ago == 6),
            found_by: Some(FoundBy { notification: 41 + more * 3, sweep: 2 + more % 3 }),
            held: 12 - more,
            unacknowledged: 17 + more,
            refused: 3,
            ..CaptureFigures::of(day, now)
        };
        let name = names::capture_figures(day);
        documents::replace(blobs, Container::State, &name, &capture).await.unwrap();
        let mut writeback = WritebackFigures { written: 44, noted: 5, ..WritebackFigures::of("ad", "one", day, now) };
        for milliseconds in [80, 90, 100, 110, 9_500] {
            writeback.latency.count(SignedDuration::from_millis(milliseconds));
        }
        let name = names::writeback_figures(day, "ad", "one");
        documents::replace(blobs, Container::Agents, &name, &writeback).await.unwrap();
    }
}

/// The page as soon as what it shows in the background is there.
async fn counted(visitor: &Visitor, path: &str, text: &str) -> String {
    loop {
        let page = visitor.page(path).await;
        if page.contains(text) {
            return page;
        }
        assert!(page.contains("data-reload"), "{text:?} is missing in {page}");
    }
}

#[tokio::test]
async fn a_person_is_found_by_every_name_and_shown_with_every_version() {
    let world = World::start().await;
    let user = world.user(0);
    for _ in 0..4 {
        world.change(user).await;
    }
    let console = OpenConsole::reading(&world).await;
    let visitor = console.enter().await;
    let person = world.sim.tenant().user(guid(user)).unwrap();
    let names = [
        person.display_name.clone(),
        person.user_principal_name.to_uppercase(),
        person.on_premises_sam_account_name.unwrap(),
        user.to_string(),
    ];
    for name in names {
        let query: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let answer = visitor.get(&format!("/people?q={query}")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{name}");
        assert_eq!(answer.headers()["location"].to_str().unwrap(), format!("/people/{user}"), "{name}");
    }
    let page = visitor.page(&format!("/people/{user}")).await;
    for seq in 1..=4 {
        assert!(page.contains(&format!("id=\"entry-{seq}\"")), "entry {seq} is missing");
    }
    let shown = person.display_name.replace('\'', "&#39;");
    assert!(page.contains(&shown) && page.contains("written"), "{page}");
    // Every picture that the page shows is there.
    let pictures: Vec<&str> = page.split("src=\"/").skip(2).map(|rest| rest.split('"').next().unwrap()).collect();
    let pictures: Vec<_> =
        pictures.into_iter().filter(|path| path.starts_with("photos/") || path.starts_with("before/")).collect();
    assert!(pictures.len() >= 12, "{pictures:?}");
    for path in pictures {
        assert_eq!(visitor.get(&format!("/{path}")).await.status(), StatusCode::OK, "{path}");
    }
    console.close().await;
    world.end().await;
}

#[tokio::test]
async fn a_restored_photo_is_in_the_record_with_who_and_why() {
    let world = World::start().await;
    let user = world.user(0);
    for _ in 0..2 {
        world.change(user).await;
    }
    let console = OpenConsole::acting(&world, "Ada Operator").await;
    let visitor = console.enter().await;
    let answer = visitor.confirm(&format!("/people/{user}/restore?seq=1"), &[("reason", "ticket 4711")]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let page = visitor.page(&format!("/people/{user}")).await;
    for text in ["restored as entry 3", "ticket 4711", "Ada Operator"] {
        assert!(page.contains(text), "{text:?} is missing in {page}");
    }
    assert!(!visitor.page(&format!("/people/{user}")).await.contains("restored as entry 3"), "said once");
    world.settle().await;
    let trail = world.trail(user).await;
    assert_eq!(trail[2].entry.photo, trail[0].entry.photo);
    assert!(world.shows_newest(user).await);
    for (seq, says) in [("99", "has no entry 99"), ("x", "names no entry")] {
        let answer = visitor.post(&format!("/people/{user}/restore"), &[("seq", seq), ("newest", "3")]).await;
        let text = match answer.status() {
            StatusCode::SEE_OTHER => visitor.page(&format!("/people/{user}")).await,
            _ => answer.text().await.unwrap(),
        };
        assert!(text.contains(says), "{says:?} is missing in {text}");
    }
    console.close().await;
    world.end().await;
}

#[tokio::test]
async fn the_trail_is_verified_on_demand_and_says_what_is_broken() {
    let world = World::start().await;
    let user = world.user(0);
    for _ in 0..2 {
        world.change(user).await;
    }
    let console = OpenConsole::reading(&world).await;
    let visitor = console.enter().await;
    assert_eq!(visitor.post("/trail/verify", &[]).await.status(), StatusCode::SEE_OTHER);
    counted(&visitor, "/trail", "The trail is intact").await;
    let entry = world.dir().join("audit").join(user.to_string()).join("00000001.json");
    let kept = std::fs::read(&entry).unwrap();
    std::fs::remove_file(&entry).unwrap();
    assert_eq!(visitor.post("/trail/verify", &[]).await.status(), StatusCode::SEE_OTHER);
    let page = counted(&visitor, "/trail", "NOT intact").await;
    assert!(page.contains(&format!("audit/{user}/00000001.json: the entry is missing")), "{page}");
    std::fs::write(&entry, kept).unwrap();
    console.close().await;
    world.end().await;
}
