//! The photo endpoint over HTTP: what it shows and to whom, and that it says nothing about anyone else.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use md5::{Digest as _, Md5};
use photorelay_agent::photo_server::{PhotoListener, PhotoServer, PhotoServerSettings, TlsFiles};
use photorelay_core::audit::{self, NewEntry};
use photorelay_core::contract::{AuditEntry, Cause, CauseKind, EntryKind, Identity, Seen};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::target::Targets;
use photorelay_core::trace::TraceContext;
use reqwest::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use testkit::process::text;
use testkit::world::{Setup, World, guid};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A world in which two sizes and the mail address are recorded, and everyone has a photo.
async fn world() -> World {
    let setup = Setup {
        edit: |config| {
            config.graph.identity_extra = "mail".parse().unwrap();
            let specs = ["thumbnailPhoto:96:10240", "jpegPhoto:240:51200"];
            config.capture.renditions = specs.map(|spec| spec.parse().unwrap()).to_vec();
        },
        ..Setup::default()
    };
    let world = World::with(setup).await;
    for at in 0..3 {
        world.sim.tenant().change_photo(guid(world.user(at))).unwrap();
    }
    world.settle().await;
    world
}

struct Endpoint {
    server: PhotoServer,
    base: String,
    client: Client,
    stop: CancellationToken,
    served: JoinHandle<std::io::Result<()>>,
}

impl Endpoint {
    async fn start(world: &World) -> Self {
        Self::with(world, None, |_| {}).await
    }

    async fn with(world: &World, tls: Option<TlsFiles>, edit: fn(&mut PhotoServerSettings)) -> Self {
        let endpoint = Self::unready(world, tls, edit).await;
        assert!(endpoint.server.refresh().await);
        endpoint
    }

    async fn unready(world: &World, tls: Option<TlsFiles>, edit: fn(&mut PhotoServerSettings)) -> Self {
        let mut settings = PhotoServerSettings {
            tenant: world.tenant_id(),
            serving: Targets::default().all()[0].clone(),
            refresh: Duration::from_secs(3600),
            per_minute: 1000,
            behind_proxy: false,
        };
        edit(&mut settings);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = PhotoListener::bind("127.0.0.1:0".parse().unwrap(), tls).await.unwrap();
        let base = format!("{scheme}://{}", listener.address().unwrap());
        let server = PhotoServer::new(world.storage(), settings);
        let stop = CancellationToken::new();
        let (running, until) = (server.clone(), stop.clone());
        let served = TaskTracker::new().spawn(async move { running.run(listener, until).await });
        let redirects = reqwest::redirect::Policy::none();
        // The certificate of the tests is none that a machine trusts.
        let client = Client::builder().redirect(redirects).tls_danger_accept_invalid_certs(true).build().unwrap();
        Self { server, base, client, stop, served }
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.base)).send().await.unwrap()
    }

    async fn status(&self, path: &str) -> StatusCode {
        self.get(path).await.status()
    }

    async fn end(self) {
        self.stop.cancel();
        self.served.await.unwrap().unwrap();
    }
}

fn account(world: &World, at: usize) -> String {
    world.sim.tenant().user(guid(world.user(at))).unwrap().on_premises_sam_account_name.unwrap()
}

fn mail_hash(world: &World, at: usize) -> String {
    let mail = world.sim.tenant().user(guid(world.user(at))).unwrap().mail.unwrap();
    Digest::of(mail.to_lowercase().as_bytes()).to_string()
}

async fn rendition(world: &World, user: UserId, name: &str) -> Digest {
    let newest = world.trail(user).await.pop().unwrap().entry;
    newest.renditions.iter().find(|rendition| rendition.name == name).unwrap().sha256
}

fn md5_of(mail: &str) -> String {
    Md5::digest(mail.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Appends an entry to the user's trail; `edit` says how it differs from the one before.
async fn append(world: &World, user: UserId, edit: impl FnOnce(&mut AuditEntry)) {
    let newest = world.trail(user).await.pop().unwrap();
    let following = NewEntry {
        tenant_id: newest.entry.tenant_id,
        user_id: user,
        kind: newest.entry.kind,
        cause: Cause::new(CauseKind::Operator, "a test"),
        begun_at: jiff::Timestamp::now(),
        seen: Seen { sha256: None, media_etag: None },
        identity: newest.entry.identity.clone(),
        trace: TraceContext::start(),
    };
    let mut entry = following.following(Some(&newest));
    entry.photo = newest.entry.photo;
    entry.renditions = newest.entry.renditions;
    edit(&mut entry);
    audit::commit(&*world.storage().blobs, entry).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_photo_is_found_by_account_name_in_the_nearest_size_and_checked_by_its_digest() {
    let world = world().await;
    let endpoint = Endpoint::start(&world).await;
    let (user, name) = (world.user(0), account(&world, 0));
    let small = rendition(&world, user, "thumbnailPhoto").await;
    for (path, expected) in [
        (format!("/photos/{name}.jpg"), small),
        (format!("/photos/{}.jpg?s=32", name.to_uppercase()), small),
        (format!("/photos/{name}.jpg?s=2000&x=y"), rendition(&world, user, "jpegPhoto").await),
        (format!("/photos/{name}.jpg?s=a-lot"), small),
    ] {
        let answer = endpoint.get(&path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let header = |name| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header(ETAG), format!("\"{expected}\""), "{path}");
        assert_eq!((header(CONTENT_TYPE), header(CACHE_CONTROL)), ("image/jpeg".to_owned(), "max-age=3600".to_owned()));
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(Digest::of(&answer.bytes().await.unwrap()), expected, "{path}");
    }
    let url = format!("{}/photos/{name}.jpg", endpoint.base);
    for known in [format!("\"{small}\""), format!("\"other\", W/\"{small}\""), "*".to_owned()] {
        let answer = endpoint.client.get(&url).header(IF_NONE_MATCH, known).send().await.unwrap();
        assert_eq!((answer.status(), answer.headers().contains_key(ETAG)), (StatusCode::NOT_MODIFIED, true));
    }
    let other = endpoint.client.get(&url).header(IF_NONE_MATCH, "\"other\"").send().await.unwrap();
    assert_eq!(other.status(), StatusCode::OK);
    let head = endpoint.client.head(&url).send().await.unwrap();
    assert!(head.status() == StatusCode::OK && head.headers()[CONTENT_LENGTH] != "0");
    assert_eq!(endpoint.client.post(&url).send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);

    world.change(user).await;
    assert!(endpoint.server.refresh().await);
    let changed = rendition(&world, user, "thumbnailPhoto").await;
    assert_eq!(endpoint.get(&format!("/photos/{name}.jpg")).await.headers()[ETAG], format!("\"{changed}\""));
    endpoint.end().await;
    world.end().await;
}

#[tokio::test]
async fn a_user_without_a_photo_to_show_is_like_one_who_does_not_exist() {
    let world = world().await;
    append(&world, world.user(0), |entry| (entry.kind, entry.photo) = (EntryKind::Removed, None)).await;
    append(&world, world.user(1), |entry| (entry.kind, entry.photo) = (EntryKind::Forgotten, None)).await;
    append(&world, world.user(2), |entry| (entry.kind, entry.photo) = (EntryKind::Refused, None)).await;
    let endpoint = Endpoint::start(&world).await;
    let shown = |at| format!("/photos/{}.jpg", account(&world, at));
    let mut answers = Vec::new();
    for path in [
        shown(0),
        shown(1),
        "/photos/none.of.them.jpg".to_owned(),
        shown(2).replace(".jpg", ".png"),
        "/photos/..%2F..%2Faudit.jpg".to_owned(),
        "/photos/%00.jpg".to_owned(),
        format!("/avatar/{}?d=404", mail_hash(&world, 0)),
        format!("/avatar/{}?d=404", Digest::ZERO),
    ] {
        let answer = endpoint.get(&path).await;
        let mut headers = answer.headers().clone();
        headers.remove("date");
        answers.push((path, answer.status(), headers, answer.bytes().await.unwrap()));
    }
    for (path, status, headers, body) in &answers {
        assert_eq!((*status, headers, body), (StatusCode::NOT_FOUND, &answers[0].2, &answers[0].3), "{path}");
    }
    for path in ["/photos/", "/photos", "/avatar/", "/audit/x", "/photos/a/b.jpg"] {
        assert_eq!(endpoint.status(path).await, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(endpoint.status(&shown(2)).await, StatusCode::OK, "a refused photo leaves the one before");
    endpoint.end().await;
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn a_name_of_two_users_shows_neither_unless_they_are_one_person() {
    let world = world().await;
    let (first, second) = (world.user(0), world.user(1));
    let identity = world.trail(first).await.pop().unwrap().entry.identity;
    let name = identity.sam_account_name.clone();
    let other = world.trail(second).await.pop().unwrap().entry.identity;
    append(&world, second, |entry| entry.identity = Identity { sam_account_name: name.clone(), ..other }).await;
    let endpoint = Endpoint::start(&world).await;
    let path = format!("/photos/{}.jpg", account(&world, 0));
    assert_eq!(endpoint.status(&path).await, StatusCode::NOT_FOUND);

    append(&world, second, |entry| entry.identity = identity).await;
    assert!(endpoint.server.refresh().await);
    let newest = rendition(&world, second, "thumbnailPhoto").await;
    assert_eq!(endpoint.get(&path).await.headers()[ETAG], format!("\"{newest}\""));
    endpoint.end().await;
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn an_avatar_is_found_by_the_hash_of_the_address_and_else_is_neutral_or_404() {
    let world = world().await;
    let mail = world.sim.tenant().user(guid(world.user(0))).unwrap().mail.unwrap();
    let endpoint = Endpoint::start(&world).await;
    let expected = rendition(&world, world.user(0), "thumbnailPhoto").await;
    let md5 = md5_of(&mail.to_lowercase());
    for hash in [mail_hash(&world, 0), md5.clone(), md5.to_uppercase() + ".jpg"] {
        let answer = endpoint.get(&format!("/avatar/{hash}?s=80")).await;
        assert_eq!(answer.headers()[ETAG], format!("\"{expected}\""), "{hash}");
    }
    let unknown = md5_of("none@contoso.test");
    for default in ["", "?d=mp", "?d=https%3A%2F%2Fevil.example%2Fx.jpg"] {
        let answer = endpoint.get(&format!("/avatar/{unknown}{default}")).await;
        assert_eq!((answer.status(), answer.headers()[CONTENT_TYPE].as_bytes()), (StatusCode::OK, &b"image/jpeg"[..]));
        assert!(answer.headers().contains_key(ETAG) && answer.bytes().await.unwrap().starts_with(&[0xff, 0xd8]));
    }
    assert_eq!(endpoint.status(&format!("/avatar/{unknown}?default=404")).await, StatusCode::NOT_FOUND);
    endpoint.end().await;
    world.end().await;
}

#[tokio::test]
async fn a_client_that_asks_too_often_has_to_wait_and_others_do_not() {
    let world = world().await;
    let limited = |settings: &mut PhotoServerSettings| (settings.per_minute, settings.behind_proxy) = (2, true);
    let endpoint = Endpoint::with(&world, None, limited).await;
    let asks = async |forwarded: &str| {
        let request = endpoint.client.get(format!("{}/photos/x.jpg", endpoint.base));
        request.header("x-forwarded-for", forwarded).send().await.unwrap()
    };
    for forwarded in ["192.0.2.1", "203.0.113.7, 192.0.2.1:49152"] {
        assert_eq!(asks(forwarded).await.status(), StatusCode::NOT_FOUND);
    }
    let refused = asks("198.51.100.1, 192.0.2.1").await;
    assert_eq!(
        (refused.status(), &refused.headers()[RETRY_AFTER]),
        (StatusCode::TOO_MANY_REQUESTS, &"60".parse().unwrap())
    );
    assert_eq!(asks("192.0.2.2").await.status(), StatusCode::NOT_FOUND);
    endpoint.end().await;
    world.end().await;
}

#[tokio::test]
async fn before_the_trail_was_read_and_after_a_photo_was_deleted_no_wrong_answer_is_given() {
    let world = world().await;
    let path = format!("/photos/{}.jpg", account(&world, 0));
    let endpoint = Endpoint::start(&world).await;
    let photos = world.dir().join("photos").join(world.user(0).to_string());
    std::fs::rename(&photos, world.dir().join("away")).unwrap();
    assert_eq!(endpoint.status(&path).await, StatusCode::NOT_FOUND, "deleted since the index was read");
    std::fs::rename(world.dir().join("away"), &photos).unwrap();
    assert_eq!(endpoint.status(&path).await, StatusCode::OK);
    endpoint.end().await;

    let audit = world.dir().join("audit");
    std::fs::rename(&audit, world.dir().join("audit-away")).unwrap();
    std::fs::write(&audit, "not a folder").unwrap();
    let endpoint = Endpoint::unready(&world, None, |_| {}).await;
    for path in ["/", path.as_str(), "/photos/x.jpg", "/avatar/x?d=404"] {
        assert_eq!(endpoint.status(path).await, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
    std::fs::remove_file(&audit).unwrap();
    std::fs::rename(world.dir().join("audit-away"), &audit).unwrap();
    assert!(endpoint.server.refresh().await);
    assert_eq!((endpoint.status("/").await, endpoint.status(&path).await), (StatusCode::OK, StatusCode::OK));
    endpoint.end().await;
    world.end().await;
}

#[tokio::test]
async fn it_speaks_tls_with_the_certificate_that_it_is_given() {
    let world = world().await;
    let pem = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/graph/fixtures/certificate-and-key.pem");
    let endpoint = Endpoint::with(&world, Some(TlsFiles { certificate: pem.clone(), key: pem }), |_| {}).await;
    assert_eq!(endpoint.status(&format!("/photos/{}.jpg", account(&world, 0))).await, StatusCode::OK);
    let plain = endpoint.base.replace("https", "http");
    assert!(endpoint.client.get(plain).send().await.is_err());
    endpoint.end().await;
    let missing = TlsFiles { certificate: "/nowhere".into(), key: "/nowhere".into() };
    assert!(PhotoListener::bind("127.0.0.1:0".parse().unwrap(), Some(missing)).await.is_err());
    world.end().await;
}

#[tokio::test]
async fn the_program_serves_photos_and_logs_no_name() {
    let world = world().await;
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_photorelay-agent"));
    program.arg("serve-photos").env_clear().env("PHOTORELAY_PHOTOS_LISTEN", "127.0.0.1:0").kill_on_drop(true);
    program.env("PHOTORELAY_TENANT_ID", world.tenant_id().to_string()).env("PhotoStorage__path", world.dir());
    program.env("PHOTORELAY_LOG", "debug,hyper=info");
    let mut program = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let mut printed = Vec::new();
    let address: SocketAddr = loop {
        let line = lines.next_line().await.unwrap().expect("it says where it listens");
        printed.push(line);
        let listen = printed.last().unwrap().split_once("photos are served listen=");
        if let Some((_, rest)) = listen {
            break rest.split_whitespace().next().unwrap().parse().unwrap();
        }
    };
    let name = account(&world, 0);
    let url = format!("http://{address}/photos/{name}.jpg");
    let health = format!("http://{address}/");
    let is_ready = async || reqwest::get(&health).await.unwrap().status() == StatusCode::OK;
    tokio::time::timeout(testkit::process::PATIENCE, testkit::process::until(is_ready)).await.unwrap();
    assert_eq!(reqwest::get(&url).await.unwrap().status(), StatusCode::OK);
    program.kill().await.unwrap();
    while let Some(line) = lines.next_line().await.unwrap() {
        printed.push(line);
    }
    let printed = printed.join("\n");
    assert!(printed.contains("answered route=\"photos\" status=200"), "{printed}");
    assert!(!printed.contains(&name), "{printed}");
    world.end().await;
}

#[test]
fn it_does_not_listen_on_the_network_without_tls() {
    let start = |variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_photorelay-agent"));
        command.arg("serve-photos").env_clear().envs(variables.iter().copied());
        let output = command.env("PHOTORELAY_PHOTOS_LISTEN", "0.0.0.0:0").output().unwrap();
        assert!(!output.status.success());
        text(&output.stderr)
    };
    let printed = start(&[("PHOTORELAY_PHOTOS_REFRESH_SECONDS", "0"), ("PHOTORELAY_PHOTOS_PER_MINUTE", "0")]);
    for part in ["PHOTOS_BEHIND_PROXY=true", "PHOTOS_REFRESH_SECONDS", "PHOTOS_PER_MINUTE", "PhotoStorage__"] {
        assert!(printed.contains(part), "{part} is missing in {printed}");
    }
    assert!(start(&[("PHOTORELAY_PHOTOS_KEY_FILE", "key.pem")]).contains("belong together"));
}
