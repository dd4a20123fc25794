//! Our own thumbnail that comes back through Entra Connect is recognised; everything else is a photo.

use photorelay_core::contract::Outcome;
use photorelay_core::names::{self, Container};
use testkit::everywhere;
use testkit::world::{Store, World, fixture, guid};

everywhere!(our_own_thumbnail_with_other_bytes_is_recorded_and_not_captured,);

async fn our_own_thumbnail_with_other_bytes_is_recorded_and_not_captured(store: Store) {
    let world = World::on(store).await;
    let user = world.user(0);
    world.sim.tenant().set_photo(guid(user), &fixture("astronaut-648.jpg")).unwrap();
    world.settle().await;

    world.sim.tenant().set_raw_photo(guid(user), fixture("astronaut-96-reencoded.jpg"), "image/jpeg").unwrap();
    world.settle().await;

    assert_eq!(world.trail(user).await.len(), 1, "an echo is no entry");
    let head = world.head(user).await.unwrap();
    assert_eq!(head.echo.map(|echo| echo.of_seq), Some(1), "an echo is recorded");
    assert!(world.receipt(user, 2).await.is_none(), "an echo is not written back");
    world.end().await;
}

#[tokio::test]
async fn the_large_original_is_never_an_echo() {
    let world = World::start().await;
    let user = world.user(0);
    for photo in ["astronaut-648.jpg", "cat-648.jpg", "astronaut-648.jpg"] {
        world.sim.tenant().set_raw_photo(guid(user), fixture(photo), "image/jpeg").unwrap();
        world.settle().await;
    }
    assert_eq!(world.trail(user).await.len(), 3);
    world.end().await;
}

#[tokio::test]
async fn a_small_photo_of_something_else_is_captured() {
    let world = World::start().await;
    let user = world.user(0);
    world.sim.tenant().set_photo(guid(user), &fixture("cat-648.jpg")).unwrap();
    world.settle().await;
    world.sim.tenant().set_raw_photo(guid(user), fixture("astronaut-96.jpg"), "image/jpeg").unwrap();
    world.settle().await;
    assert_eq!(world.trail(user).await.len(), 2);
    world.end().await;
}

#[tokio::test]
async fn a_thumbnail_that_was_never_written_is_no_echo() {
    let world = World::start().await;
    let user = world.user(0);
    world.sim.tenant().set_photo(guid(user), &fixture("astronaut-648.jpg")).unwrap();
    world.sim.flush().await;
    world.app.pump.drain().await.unwrap();
    // The agent has not run: there is no receipt, so nothing of ours can come back.
    world.sim.tenant().set_raw_photo(guid(user), fixture("astronaut-96-reencoded.jpg"), "image/jpeg").unwrap();
    world.settle().await;
    assert_eq!(world.trail(user).await.len(), 2);
    world.end().await;
}

#[tokio::test]
async fn a_thumbnail_whose_agent_died_before_its_receipt_is_still_known_when_it_comes_back() {
    let world = World::start().await;
    let user = world.user(0);
    world.sim.tenant().set_photo(guid(user), &fixture("astronaut-648.jpg")).unwrap();
    world.sim.flush().await;
    world.app.pump.drain().await.unwrap();
    // What an agent leaves that wrote and was killed then: the photo in the target, and nothing else.
    let first = world.trail(user).await.remove(0).entry;
    let rendition = &first.renditions[0];
    let blob = names::rendition(user, first.photo.unwrap().sha256, &rendition.name, rendition.sha256);
    let thumbnail = world.storage().blobs.get(Container::Photos, &blob, 1 << 20).await.unwrap().unwrap();
    let account = world.sim.tenant().user(guid(user)).unwrap().on_premises_sam_account_name.unwrap().to_lowercase();
    std::fs::write(world.dir().join("written").join(format!("{account}.jpg")), thumbnail).unwrap();

    world.sim.tenant().set_photo(guid(user), &fixture("cat-648.jpg")).unwrap();
    world.settle().await;
    assert_eq!(world.receipt(user, 1).await.unwrap().outcome, Outcome::Superseded);
    assert!(world.shows_newest(user).await);

    world.sim.tenant().set_raw_photo(guid(user), fixture("astronaut-96-reencoded.jpg"), "image/jpeg").unwrap();
    world.settle().await;
    assert_eq!(world.trail(user).await.len(), 2, "an echo is no entry");
    assert_eq!(world.head(user).await.unwrap().echo.map(|echo| echo.of_seq), Some(1));
    assert!(world.shows_newest(user).await);
    world.end().await;
}
