//! Forwarded events at the receiver: what it gets, how it knows that it is ours, and what becomes of what it refuses.

use std::collections::VecDeque;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use photorelay_agent::forward::{ForwardSettings, Forwarder, Receiver, SigningKey};
use photorelay_agent::writeback::WritebackSettings;
use photorelay_core::consumer::DrainError;
use photorelay_core::contract::{Outcome, WriteBack};
use photorelay_core::entra::{AccessTokens, CredentialConfig};
use photorelay_core::names::{self, WRITEBACKS_QUEUE};
use photorelay_core::queue::Outgoing;
use photorelay_core::settings::ServiceUri;
use serde_json::{Value, json};
use sha2::Sha256;
use testkit::agent::{AGENT, TARGET};
use testkit::process::{PATIENCE, text, until};
use testkit::world::{World, guid};
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::agent_forget::forgotten;
use crate::agent_policy::{approvals, operator};
use crate::agent_work::{announced, world};

const KEY: &[u8] = b"a key of the tests, 32 bytes long";

#[derive(Clone)]
struct Asked {
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    fn event(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

/// A receiver that answers with these statuses, then with 202.
struct Endpoint {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Endpoint {
    async fn answering(statuses: &[u16]) -> Self {
        let statuses = Mutex::new(statuses.iter().copied().collect::<VecDeque<_>>());
        Self::start(move |_| {
            let status = statuses.lock().unwrap().pop_front().unwrap_or(202);
            (StatusCode::from_u16(status).unwrap(), [("location", "/elsewhere")], String::new())
        })
        .await
    }

    async fn start<A: axum::response::IntoResponse + Send + 'static>(
        answer: impl Fn(&Asked) -> A + Send + Sync + 'static,
    ) -> Self {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (kept, answer) = (Arc::clone(&asked), Arc::new(answer));
        let router = Router::new().fallback(move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let request = Asked { uri, headers, body };
            let answered = answer(&request);
            kept.lock().unwrap().push(request);
            async { answered }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?code=a-key-in-the-url", listener.local_addr().unwrap());
        let serving = TaskTracker::new().spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked, _serving: AbortOnDropHandle::new(serving) }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn secret() -> String {
    format!("whsec_{}", BASE64_STANDARD.encode(KEY))
}

fn forwarder(world: &World, endpoint: &Endpoint) -> Forwarder {
    let key = SigningKey::parse(&secret().into()).unwrap();
    with_receiver(world, Receiver::new(ServiceUri(endpoint.url.parse().unwrap()), Some(key), None).unwrap())
}

fn with_receiver(world: &World, receiver: Receiver) -> Forwarder {
    let own = WritebackSettings {
        tenant: world.tenant_id(),
        target: TARGET.to_owned(),
        agent: AGENT.to_owned(),
        dry_run: false,
        certificate_expires_at: None,
    };
    let settings = ForwardSettings { own, queue: WRITEBACKS_QUEUE.to_owned(), lease: Duration::from_secs(60) };
    Forwarder::new(world.storage(), receiver, settings)
}

#[tokio::test]
async fn a_change_arrives_once_as_a_signed_cloud_event_without_a_photo() {
    let world = world(1).await;
    let (user, endpoint) = (world.user(0), Endpoint::answering(&[]).await);
    announced(&world, &[user]).await;
    let forwarder = forwarder(&world, &endpoint);
    forwarder.drain().await.unwrap();
    let [asked] = &endpoint.asked()[..] else { panic!("one event") };
    assert_eq!(asked.uri, "/hook?code=a-key-in-the-url");
    assert_eq!(asked.header("content-type"), "application/cloudevents+json; charset=utf-8");
    let newest = world.trail(user).await.pop().unwrap();
    let event = WriteBack::announcing(&newest.entry, newest.sha256).unwrap();
    assert_eq!(asked.event(), json!(event));
    assert!(asked.body.len() < 4096, "a claim check");

    let (id, at) = (asked.header("webhook-id"), asked.header("webhook-timestamp"));
    assert_eq!(id, event.id);
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    mac.update(format!("{id}.{at}.{}", text(&asked.body)).as_bytes());
    let signature = asked.header("webhook-signature").strip_prefix("v1,").unwrap();
    mac.verify_slice(&BASE64_STANDARD.decode(signature).unwrap()).unwrap();

    let receipt = world.receipt(user, 1).await.unwrap();
    assert_eq!((receipt.outcome, receipt.entry_sha256), (Outcome::Written, newest.sha256));
    assert!(endpoint.url.starts_with(&receipt.server) && !receipt.server.contains("hook"), "{}", receipt.server);
    let again = vec![Outgoing::now(serde_json::to_vec(&event).unwrap())];
    world.storage().queues.send(WRITEBACKS_QUEUE, again).await.unwrap();
    forwarder.drain().await.unwrap();
    assert_eq!(endpoint.asked().len(), 1, "what has arrived is not sent again");
    world.end().await;
}

#[tokio::test]
async fn a_receiver_learns_that_a_user_was_forgotten_and_nothing_of_a_request_to_undo() {
    let world = world(1).await;
    let (user, endpoint) = (world.user(0), Endpoint::answering(&[]).await);
    announced(&world, &[user]).await;
    approvals(&world).request_undo(user, 1, &operator()).await.unwrap();
    let forwarder = forwarder(&world, &endpoint);
    forwarder.drain().await.unwrap();
    assert_eq!(endpoint.asked().len(), 1, "an earlier photo is not the receiver's to put back");
    forgotten(&world, user).await;
    forwarder.drain().await.unwrap();
    let [_, erased] = &endpoint.asked()[..] else { panic!("a second event") };
    assert_eq!(erased.event()["type"], "photorelay.photo.removed.v1");
    assert_eq!(world.receipt(user, 2).await.unwrap().outcome, Outcome::Written);
    world.end().await;
}

#[tokio::test]
async fn the_receiver_learns_the_present_state_whatever_a_message_says() {
    let world = world(1).await;
    let (user, endpoint) = (world.user(0), Endpoint::answering(&[]).await);
    announced(&world, &[user]).await;
    announced(&world, &[user]).await;
    let forwarder = forwarder(&world, &endpoint);
    forwarder.drain().await.unwrap();
    let newest = world.trail(user).await.pop().unwrap();
    let event = WriteBack::announcing(&newest.entry, newest.sha256).unwrap();
    let asked = endpoint.asked();
    assert!(!asked.is_empty() && asked.iter().all(|asked| asked.event() == json!(event)), "{}", asked.len());
    assert_eq!(world.receipt(user, 1).await.unwrap().outcome, Outcome::Superseded);

    let mut forged = json!(event);
    forged["data"]["identity"]["samAccountName"] = json!("administrator");
    forged["data"]["entrySha256"] = json!("0".repeat(64));
    world.storage().queues.send(WRITEBACKS_QUEUE, vec![Outgoing::now(forged.to_string())]).await.unwrap();
    forwarder.drain().await.unwrap();
    assert_eq!(endpoint.asked().len(), asked.len(), "a forged message sends nothing");
    assert_eq!(world.storage().queues.count(&names::poison_queue(WRITEBACKS_QUEUE)).await.unwrap(), 1);
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn while_the_receiver_takes_nothing_messages_stay_and_no_attempt_is_used_up() {
    let world = world(1).await;
    let user = world.user(0);
    announced(&world, &[user]).await;
    let down = [301, 401, 403, 404, 410, 502, 503, 504];
    let endpoint = Endpoint::answering(&down.repeat(2)).await;
    let forwarder = forwarder(&world, &endpoint);
    for status in down.repeat(2) {
        let Err(DrainError::GivenBack { reason }) = forwarder.drain().await else { panic!("{status} is no success") };
        assert!(reason.contains(&status.to_string()) && !reason.contains("a-key-in-the-url"), "{reason}");
    }
    assert_eq!(world.receipt(user, 1).await, None);
    forwarder.drain().await.unwrap();
    assert!(endpoint.asked().iter().all(|asked| asked.uri.path() == "/hook"), "no redirect is followed");
    let gone = ServiceUri("http://127.0.0.1:1/hook?code=a-key-in-the-url".parse().unwrap());
    announced(&world, &[user]).await;
    let unreachable = with_receiver(&world, Receiver::new(gone, None, None).unwrap()).drain().await;
    let Err(DrainError::GivenBack { reason }) = unreachable else { panic!("{unreachable:?}") };
    assert!(reason.contains("cannot be reached") && !reason.contains("a-key"), "{reason}");
    forwarder.drain().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn an_event_that_is_never_taken_is_dead_lettered_and_one_that_may_be_is_retried() {
    let world = world(2).await;
    let endpoint = Endpoint::answering(&[422, 500]).await;
    let forwarder = forwarder(&world, &endpoint);
    announced(&world, &[world.user(0)]).await;
    forwarder.drain().await.unwrap();
    let receipt = world.receipt(world.user(0), 1).await.unwrap();
    assert_eq!(receipt.outcome, Outcome::Refused);
    assert!(receipt.reason.unwrap().contains("422"));
    let queues = &world.storage().queues;
    assert_eq!(queues.count(&names::poison_queue(WRITEBACKS_QUEUE)).await.unwrap(), 1);

    announced(&world, &[world.user(1)]).await;
    forwarder.drain().await.unwrap();
    assert_eq!(world.receipt(world.user(1), 1).await, None);
    assert_eq!(queues.count(WRITEBACKS_QUEUE).await.unwrap(), 1, "it comes back after a while");
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn an_access_token_of_the_agents_own_identity_goes_with_the_event() {
    let world = world(1).await;
    let authority = Endpoint::start(|_| {
        axum::Json(json!({"token_type": "Bearer", "expires_in": 3600, "access_token": "a-token-of-the-tests"}))
    })
    .await;
    let credential = CredentialConfig::ClientSecret {
        tenant_id: world.tenant_id().to_string(),
        client_id: "agent".to_owned(),
        secret: "s3cret".into(),
    };
    let scope = "api://receiver/.default";
    let tokens = AccessTokens::new(&credential, &authority.url.parse().unwrap(), scope).unwrap();
    let endpoint = Endpoint::answering(&[]).await;
    let receiver = Receiver::new(ServiceUri(endpoint.url.parse().unwrap()), None, Some(tokens)).unwrap();
    assert!(!format!("{receiver:?}").contains("a-key-in-the-url"));
    announced(&world, &[world.user(0)]).await;
    with_receiver(&world, receiver).drain().await.unwrap();
    assert_eq!(endpoint.asked()[0].header("authorization"), "Bearer a-token-of-the-tests");
    assert!(!endpoint.asked()[0].headers.contains_key("webhook-signature"));
    assert!(text(&authority.asked()[0].body).contains("scope=api%3A%2F%2Freceiver%2F.default"));
    world.end().await;
}

#[tokio::test]
async fn the_program_forwards_until_it_is_stopped_and_prints_no_secret() {
    let world = world(1).await;
    let endpoint = Endpoint::answering(&[]).await;
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_photorelay-agent"));
    program.arg("forward").env_clear().kill_on_drop(true).stdout(Stdio::piped()).stderr(Stdio::piped());
    program.env("PHOTORELAY_TENANT_ID", world.tenant_id().to_string()).env("PhotoStorage__path", world.dir());
    program.env("PHOTORELAY_FORWARD_URL", &endpoint.url).env("PHOTORELAY_FORWARD_SECRET", secret());
    program.env("PHOTORELAY_LOG", "debug,hyper=info").env("PHOTORELAY_AGENT_NAME", AGENT);
    let mut program = program.spawn().unwrap();
    announced(&world, &[world.user(0)]).await;
    let done = until(async || {
        world.receipt(world.user(0), 1).await.is_some()
            && world.storage().queues.count(WRITEBACKS_QUEUE).await.unwrap() == 0
    });
    tokio::time::timeout(PATIENCE, done).await.unwrap();
    program.start_kill().unwrap();
    let output = program.wait_with_output().await.unwrap();
    let printed = text(&output.stdout) + &text(&output.stderr);
    let account = world.sim.tenant().user(guid(world.user(0))).unwrap().on_premises_sam_account_name.unwrap();
    assert!(printed.contains("events are forwarded"), "{printed}");
    for private in ["a-key-in-the-url", secret().as_str(), account.as_str()] {
        assert!(!printed.contains(private), "{private} is in {printed}");
    }
    let heartbeat = names::heartbeat(TARGET, AGENT);
    assert!(world.dir().join("agents").join(heartbeat).exists(), "it is seen like every agent");
    world.end().await;
}

#[test]
fn it_sends_nothing_that_is_not_signed_or_in_the_clear() {
    let refused = |variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_photorelay-agent"));
        let output = command.arg("forward").env_clear().envs(variables.iter().copied()).output().unwrap();
        assert!(!output.status.success());
        text(&output.stderr)
    };
    let plain = refused(&[
        ("PHOTORELAY_FORWARD_URL", "http://receiver.example/hook"),
        ("PHOTORELAY_DRY_RUN", "true"),
        ("PHOTORELAY_FORWARD_SECRET", "whsec_c2hvcnQ="),
    ]);
    for part in ["FORWARD_URL must begin with https", "DRY_RUN", "24 to 64 bytes"] {
        assert!(plain.contains(part) && !plain.contains("c2hvcnQ"), "{part} is missing in {plain}");
    }
    let unsigned = refused(&[("PHOTORELAY_FORWARD_URL", "https://user:pass@receiver.example/hook")]);
    assert!(unsigned.contains("are yours") && unsigned.contains("a user or a password"), "{unsigned}");
    assert!(!unsigned.contains("user:pass"), "{unsigned}");
}
