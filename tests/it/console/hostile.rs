//! What others put into names and blobs does nothing on a page.

use bytes::Bytes;
use photorelay_core::id::Digest;
use photorelay_core::names::{self, Container};
use reqwest::StatusCode;
use testkit::world::{World, fixture, guid};

use super::visitor::OpenConsole;

const MARKUP: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&";

#[tokio::test]
async fn names_with_markup_are_text() {
    let world = World::start().await;
    let user = world.user(0);
    let hostile = |person: &mut graph_sim::SimUser| {
        person.display_name = MARKUP.to_owned();
        person.on_premises_sam_account_name = Some(MARKUP.to_owned());
    };
    world.sim.tenant().edit_user(guid(user), hostile).unwrap();
    // One more, so that a search has a list to show.
    world.sim.tenant().edit_user(guid(world.user(1)), |person| person.display_name = MARKUP.to_owned()).unwrap();
    world.change(user).await;
    let console = OpenConsole::acting(&world, MARKUP).await;
    let visitor = console.enter().await;
    let query = url::form_urlencoded::byte_serialize(MARKUP.as_bytes()).collect::<String>();
    for path in [format!("/people/{user}"), "/people?q=%3Cs".to_owned(), format!("/people?q={query}x"), "/".to_owned()]
    {
        let page = visitor.page(&path).await;
        assert!(!page.contains("<script>") && !page.contains("<img src=x"), "{path}: {page}");
        assert!(page.contains("&#60;script&#62;"), "{path} does not show it: {page}");
    }
    let restore = format!("/people/{user}/restore?seq=1");
    for path in [&restore, &format!("/people/{user}/undo?target=ad")] {
        let page = visitor.page(path).await;
        assert!(!page.contains("<script>") && page.contains("&#60;script&#62;"), "{path}: {page}");
    }
    let answer = visitor.confirm(&restore, &[("reason", MARKUP)]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let page = visitor.page(&format!("/people/{user}")).await;
    assert!(!page.contains("<script>"), "{page}");
    console.close().await;
    world.settle().await;
    world.end().await;
}

#[tokio::test]
async fn only_whole_photos_are_served_as_such() {
    let world = World::start().await;
    let user = world.user(0);
    let blobs = &*world.storage().blobs;
    let console = OpenConsole::reading(&world).await;
    let visitor = console.enter().await;
    let photo = Bytes::from(fixture("astronaut-648.jpg"));
    let html = Bytes::from_static(b"<!doctype html><script>alert(1)</script>");
    // A photo; a page under its own digest; a photo under the digest of another.
    let (good, page) = (Digest::of(&photo), Digest::of(&html));
    let swapped = Digest::of(b"another");
    let none = Digest::of(b"none");
    let huge = Digest::of(b"huge");
    let cases = [
        (good, Some(photo.clone()), StatusCode::OK, "image/jpeg"),
        (page, Some(html), StatusCode::UNPROCESSABLE_ENTITY, "image/svg+xml"),
        (swapped, Some(photo), StatusCode::CONFLICT, "image/svg+xml"),
        (huge, Some(Bytes::from(vec![0xff; 5 << 20])), StatusCode::UNPROCESSABLE_ENTITY, "image/svg+xml"),
        (none, None, StatusCode::NOT_FOUND, "image/svg+xml"),
    ];
    for (digest, bytes, status, content_type) in cases {
        if let Some(bytes) = bytes {
            for (container, name) in [
                (Container::Photos, names::photo(user, digest)),
                (Container::Receipts, names::kept_value(user, digest)),
            ] {
                blobs.create(container, &name, "text/html", bytes.clone()).await.unwrap();
            }
        }
        for path in [format!("/photos/{user}/{digest}"), format!("/before/{user}/{digest}")] {
            let answer = visitor.get(&path).await;
            let shown = (answer.status(), answer.headers()["content-type"].to_str().unwrap());
            assert_eq!(shown, (status, content_type), "{path}");
            assert_eq!(answer.headers()["content-disposition"], "inline");
            let body = answer.bytes().await.unwrap();
            assert!(!body.windows(7).any(|part| part == b"<script"), "{path}");
        }
    }
    for path in
        ["/photos/x/y", "/photos/../state/population.json", "/before/x/y", &format!("/photos/{user}/{good}/x.jpg")]
    {
        assert_eq!(visitor.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    console.close().await;
    for digest in [good, page, swapped, huge] {
        blobs.delete(Container::Photos, &names::photo(user, digest)).await.unwrap();
        blobs.delete(Container::Receipts, &names::kept_value(user, digest)).await.unwrap();
    }
    world.end().await;
}
