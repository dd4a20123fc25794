//! Who gets in, and from where anything can be done.

use reqwest::{Method, StatusCode};
use testkit::world::World;

use super::visitor::OpenConsole;

const EVERYWHERE: [&str; 9] = [
    "/",
    "/people",
    "/people/1f2c0b0e-0000-4000-8000-000000000001",
    "/approvals",
    "/preview",
    "/trail",
    "/assets/style.css",
    "/assets/console.js",
    "/nowhere",
];

#[tokio::test]
async fn without_the_link_nothing_answers() {
    let world = World::start().await;
    let console = OpenConsole::reading(&world).await;
    let stranger = console.stranger();
    for path in EVERYWHERE {
        let answer = stranger.get(path).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
        assert!(!answer.text().await.unwrap().contains('<'), "{path} shows a page");
    }
    let mut guessing = console.stranger();
    let name = format!("photorelay-console-{}", console.link.port().unwrap());
    for guess in ["", "x", console.link.path_segments().unwrap().next_back().unwrap()] {
        guessing.cookie = Some(format!("{name}={guess}"));
        assert_eq!(guessing.get("/").await.status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(stranger.get("/open/x").await.status(), StatusCode::FORBIDDEN);
    // The tries did not use the link up.
    console.enter().await.page("/").await;
    console.close().await;
    world.end().await;
}

#[tokio::test]
async fn a_link_works_once() {
    let world = World::start().await;
    let console = OpenConsole::reading(&world).await;
    // What looks at a link without opening it does not use it up.
    let looked = console.stranger().request(Method::HEAD, console.link.path()).send().await.unwrap();
    assert_eq!(looked.status(), StatusCode::FORBIDDEN);
    let first = console.enter().await;
    let second = console.stranger().get(console.link.path()).await;
    assert_eq!(second.status(), StatusCode::FORBIDDEN);
    assert!(second.headers().get("set-cookie").is_none());
    assert!(second.text().await.unwrap().contains("a link works once"));
    first.page("/").await;
    console.close().await;
    world.end().await;
}

#[tokio::test]
async fn a_name_that_is_rebound_to_this_machine_is_refused() {
    let world = World::start().await;
    let console = OpenConsole::reading(&world).await;
    let port = console.link.port().unwrap();
    for host in ["evil.test", &format!("evil.test:{port}"), "127.0.0.1", "localhost", "127.0.0.1:1", ""] {
        let answer = console.stranger().get_as(console.link.path(), host).await;
        assert!(answer.status().is_client_error() && answer.headers().get("set-cookie").is_none(), "{host}");
    }
    let visitor = console.enter().await;
    assert_eq!(visitor.get_as("/", &format!("evil.test:{port}")).await.status(), StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(visitor.get_as("/", &format!("localhost:{port}")).await.status(), StatusCode::OK);
    console.close().await;
    world.end().await;
}

/// What the form of a restore carries, once there are two entries.
const CONFIRMED: &[(&str, &str)] = &[("seq", "1"), ("newest", "2")];

#[tokio::test]
async fn another_sites_page_cannot_act() {
    let world = World::start().await;
    let user = world.user(0);
    world.change(user).await;
    world.change(user).await;
    let console = OpenConsole::acting(&world, "Ada").await;
    let visitor = console.enter().await;
    let (path, own) = (format!("/people/{user}/restore"), format!("http://{}", visitor.authority()));
    let senders: [&[(&str, &str)]; 7] = [
        &[],
        &[("origin", "null")],
        &[("origin", "https://evil.test")],
        &[("sec-fetch-site", "cross-site"), ("origin", &own)],
        &[("sec-fetch-site", "same-site"), ("origin", &own)],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.test")],
    ];
    for headers in senders {
        let request = visitor.form(&path, CONFIRMED);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        assert_eq!(request.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{headers:?}");
    }
    // From the right page, with another token or none.
    let mut forger = console.stranger();
    forger.cookie.clone_from(&visitor.cookie);
    for token in ["", "x", &visitor.csrf[1..]] {
        forger.csrf = token.to_owned();
        assert_eq!(forger.post(&path, CONFIRMED).await.status(), StatusCode::FORBIDDEN, "{token:?}");
    }
    // Nor by a link, a picture or a script: at most, an operator is asked.
    let answer = visitor.get(&format!("{path}?seq=1&newest=2&csrf={}", visitor.csrf)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(world.trail(user).await.len(), 2, "something was done");
    // A browser that says only where the form comes from.
    let answer = visitor.form(&path, CONFIRMED).header("origin", &own).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(world.trail(user).await.len(), 3);
    world.settle().await;
    console.close().await;
    world.end().await;
}

#[tokio::test]
async fn a_console_that_only_reads_changes_nothing() {
    let world = World::start().await;
    let user = world.user(0);
    world.settle().await;
    world.change(user).await;
    let entries = world.trail(user).await.len();
    let console = OpenConsole::reading(&world).await;
    let visitor = console.enter().await;
    assert!(!visitor.page(&format!("/people/{user}")).await.contains("<form method=\"post\""));
    let answer = visitor.post(&format!("/people/{user}/restore"), &[("seq", "1")]).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.text().await.unwrap().contains("--act"));
    assert_eq!(world.trail(user).await.len(), entries);
    console.close().await;
    world.end().await;
}

#[tokio::test]
async fn every_answer_forbids_what_pages_do_not_need() {
    let world = World::start().await;
    let console = OpenConsole::reading(&world).await;
    let visitor = console.enter().await;
    for path in EVERYWHERE {
        for answer in [console.stranger().get(path).await, visitor.get(path).await] {
            let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
            assert!(header("content-security-policy").starts_with("default-src 'none'; style-src 'self'"), "{path}");
            assert!(!header("content-security-policy").contains("unsafe"), "{path}");
            assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
            assert_eq!(header("cache-control"), "no-store", "{path}");
            assert!(answer.headers().get("access-control-allow-origin").is_none(), "{path}");
        }
    }
    console.close().await;
    world.end().await;
}
