//! What the real programs print and export during full runs: never a secret, a name or a photo; one line per event;
//! one trace from the notification to the receipt.

pub(crate) mod leaks;

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use graph_sim::{Fault, FaultRule, RequestPattern, RetryAfter};
use photorelay_core::id::UserId;
use photorelay_core::names::CHECKS_QUEUE;
use photorelay_core::settings::Environment;
use photorelay_core::telemetry::{self, LogFormat, Otlp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use leaks::NeverPrinted;
use testkit::process::until;
use testkit::world::{CLIENT_STATE, Setup, World, fixture, guid};

const PREVIOUS: &str = "the-client-state-before-that-one";
const WRONG: &str = "a-client-state-that-is-not-ours";
const SIGNATURE: &str = "c2VjcmV0LXNpZ25hdHVyZQ%3D%3D";
const PATIENCE: Duration = Duration::from_secs(60);

/// Settings beside the usual ones, or in their place.
type Settings<'a> = &'a [(&'a str, String)];

/// `photorelay` with everything that it prints in a file, byte by byte.
struct Run {
    child: Child,
    printed: PathBuf,
}

impl Run {
    fn start(world: &World, name: &str, arguments: &[&str], more: Settings<'_>) -> Self {
        let printed = world.dir().join(name);
        let file = File::create(&printed).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_photorelay"));
        command.args(arguments).env_clear().envs(settings(world)).envs(more.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).kill_on_drop(true);
        Self { child: command.spawn().unwrap(), printed }
    }

    fn printed(&self) -> Vec<u8> {
        std::fs::read(&self.printed).unwrap()
    }

    async fn address(&self) -> SocketAddr {
        let found = || async { listening(&String::from_utf8_lossy(&self.printed())) };
        self.brings("listening", || async { found().await.is_some() }).await;
        found().await.unwrap()
    }

    async fn brings<F: Future<Output = bool>>(&self, what: &str, happened: impl FnMut() -> F) {
        let waited = tokio::time::timeout(PATIENCE, until(happened)).await;
        assert!(waited.is_ok(), "{what} does not happen:\n{}", String::from_utf8_lossy(&self.printed()));
    }

    async fn end(mut self) -> Vec<u8> {
        self.child.kill().await.unwrap();
        self.printed()
    }
}

fn settings(world: &World) -> Vec<(&'static str, String)> {
    vec![
        ("PHOTORELAY_TENANT_ID", world.sim.tenant_id().to_string()),
        ("PHOTORELAY_CLIENT_ID", world.sim.client_id().to_string()),
        ("PHOTORELAY_CLIENT_SECRET", world.sim.client_secret()),
        ("PHOTORELAY_CLIENT_STATE", CLIENT_STATE.to_owned()),
        ("PHOTORELAY_CLIENT_STATE_PREVIOUS", PREVIOUS.to_owned()),
        ("PHOTORELAY_GRAPH_URL", world.sim.graph_url()),
        ("PHOTORELAY_AUTHORITY_URL", world.sim.authority_url()),
        ("PHOTORELAY_PUBLIC_URL", world.url.to_string()),
        ("PHOTORELAY_LISTEN", "127.0.0.1:0".to_owned()),
        ("PHOTORELAY_LOG", "trace,photorelay::metrics=trace".to_owned()),
        ("PhotoStorage__path", world.dir().display().to_string()),
    ]
}

fn listening(printed: &str) -> Option<SocketAddr> {
    let line = printed.lines().find(|line| line.contains("photorelay runs standalone"))?;
    let at = line.find("listen")? + "listen".len();
    let address: String =
        line[at..].chars().skip_while(|c| !c.is_ascii_digit()).take_while(|c| !"\",} ".contains(*c)).collect();
    address.parse().ok()
}

fn notification(world: &World, user: UserId, client_state: &str) -> String {
    let item = json!({
        "changeType": "updated",
        "clientState": client_state,
        "resource": format!("Users/{user}"),
        "resourceData": { "id": user.to_string() },
        "tenantId": world.sim.tenant_id(),
    });
    json!({ "value": [item] }).to_string()
}

async fn notify(address: SocketAddr, body: String, traceparent: Option<&str>) -> u16 {
    let mut request = reqwest::Client::new().post(format!("http://{address}/api/notifications"));
    if let Some(traceparent) = traceparent {
        request = request.header("traceparent", traceparent);
    }
    let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
    answer.status().as_u16()
}

/// Photos change well and badly, Graph throttles and fails, strangers post, and operators look. All that is printed.
async fn full_run(world: &World, format: &str) -> Vec<u8> {
    let more = [("PHOTORELAY_LOG_FORMAT", format.to_owned())];
    let rule = |path: &str, fault| FaultRule::new(RequestPattern::new("GET", path), fault).times(2);
    let retry_after = RetryAfter::Seconds(1);
    world.sim.add_fault(rule("/v1.0/users/*/photo/$value", Fault::Throttled { retry_after }));
    // Whether photos are fetched together depends on how quickly the notifications come.
    let batch = RequestPattern::new("POST", "/v1.0/$batch");
    world.sim.add_fault(FaultRule::new(batch, Fault::Throttled { retry_after }).times(1));
    world.sim.add_fault(rule("/v1.0/users/*/photo/$value", Fault::CutBody));
    world.sim.add_fault(rule("/v1.0/users/*/photo", Fault::WrongType));

    let run = Run::start(world, &format!("run-{format}"), &["run"], &more);
    let address = run.address().await;
    let tenant = world.sim.tenant();
    tenant.set_photo(guid(world.user(0)), &fixture("astronaut-648.jpg")).unwrap();
    tenant.set_raw_photo(guid(world.user(1)), fixture("bad-truncated.jpg"), "image/jpeg").unwrap();
    tenant.change_photo(guid(world.user(2))).unwrap();
    world.sim.flush().await;
    for (client_state, status) in [(CLIENT_STATE, 202), (PREVIOUS, 202), (WRONG, 202)] {
        assert_eq!(notify(address, notification(world, world.user(2), client_state), None).await, status);
    }
    assert_eq!(notify(address, format!("no JSON {WRONG}"), None).await, 400);
    let all_seen = || async {
        let trails = futures::future::join_all((0..3).map(|at| world.trail(world.user(at)))).await;
        let waiting = world.storage().queues.count(CHECKS_QUEUE).await.unwrap();
        trails.iter().all(|trail| !trail.is_empty()) && waiting == 0
    };
    run.brings("every photo in the trail", all_seen).await;
    world.sim.revoke_tokens();
    tenant.change_photo(guid(world.user(0))).unwrap();
    world.sim.flush().await;
    let before = world.trail(world.user(0)).await.len();
    run.brings("the next photo", || async { world.trail(world.user(0)).await.len() > before }).await;
    run.brings("rest", || async { world.storage().queues.count(CHECKS_QUEUE).await.unwrap() == 0 }).await;
    let mut printed = run.end().await;

    let user = world.user(0).to_string();
    let name = tenant.user(guid(world.user(0))).unwrap().user_principal_name;
    let file = world.dir().join("exported").display().to_string();
    let sas = format!("http://127.0.0.1:9/devstoreaccount1?sv=2025-01-05&sig={SIGNATURE}");
    let unreachable = [
        ("PhotoStorage__path", String::new()),
        ("PhotoStorage__blobServiceUri", sas.clone()),
        ("PhotoStorage__queueServiceUri", sas),
    ];
    let commands: [(&[&str], Settings<'_>); 7] = [
        (&["check", &user], &[]),
        (&["check", &name], &[]),
        (&["check", "nobody.at.all@contoso.example"], &[]),
        (&["export", &user, &file], &[]),
        (&["export", &name, &file], &[]),
        (&["audit", "verify"], &[]),
        (&["audit", "verify"], &unreachable),
    ];
    for (at, (arguments, extra)) in commands.into_iter().enumerate() {
        let more = [&more[..], extra].concat();
        let mut command = Run::start(world, &format!("command-{at}"), arguments, &more);
        let status = command.child.wait().await.unwrap();
        let fails = !extra.is_empty() || arguments[1].starts_with("nobody");
        let said = command.printed();
        assert_eq!(status.success(), !fails, "{arguments:?}: {}", String::from_utf8_lossy(&said));
        printed.extend(said);
    }
    printed
}

/// What the agent and everything else in this process prints while it drains its queue.
async fn agent_run(world: &World, format: LogFormat) -> Vec<u8> {
    let path = world.dir().join("agent.log");
    let file = Arc::new(File::create(&path).unwrap());
    let filter = "trace,photorelay::metrics=trace".parse().unwrap();
    let (dispatch, exporting) = telemetry::dispatch(format, &filter, None, file).unwrap();
    {
        let _logged = tracing::dispatcher::set_default(&dispatch);
        world.settle().await;
    }
    exporting.finish().await;
    std::fs::read(&path).unwrap()
}

fn setup() -> Setup {
    Setup { sim: graph_sim::SimConfig { users: 4, ..Default::default() }, ..Setup::default() }
}

async fn prints_nothing_secret(format: &str) -> (Vec<u8>, Vec<u8>) {
    let world = World::with(setup()).await;
    let program = full_run(&world, format).await;
    let agent = agent_run(&world, format.parse().unwrap()).await;
    assert!(world.receipt(world.user(2), 1).await.is_some(), "{}", String::from_utf8_lossy(&agent));
    let never = NeverPrinted::of(&world.sim, &[CLIENT_STATE, PREVIOUS, WRONG, SIGNATURE, "c2VjcmV0LXNpZ25hdHVyZQ"]);
    for printed in [&program, &agent] {
        let found = never.found_in(printed);
        assert!(found.is_empty(), "printed and never to be printed:\n{}", found.join("\n"));
    }
    for said in ["committed", "looked", "photorelay.graph.requests", "photorelay.graph.throttles"] {
        assert!(String::from_utf8_lossy(&program).contains(said), "the run said nothing of `{said}`");
    }
    assert!(String::from_utf8_lossy(&agent).contains("brought up"), "the agent said nothing");
    world.sim.clear_violations();
    world.end().await;
    (program, agent)
}

#[tokio::test]
async fn a_full_run_as_text_prints_nothing_that_must_never_be_printed() {
    prints_nothing_secret("text").await;
}

#[tokio::test]
async fn a_full_run_as_json_prints_nothing_that_must_never_be_printed_and_one_object_per_line() {
    let (program, agent) = prints_nothing_secret("json").await;
    // The commands print for people, too; what they log is JSON as well.
    let program = String::from_utf8(program).unwrap();
    let logged = program.lines().filter(|line| line.starts_with('{'));
    let agent = String::from_utf8(agent).unwrap();
    let mut looks = 0;
    for line in logged.chain(agent.lines()) {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for member in ["timestamp", "level", "target"] {
            assert!(event[member].is_string(), "{member} is missing in {line}");
        }
        if event["target"] == "photorelay::metrics" {
            continue;
        }
        assert!(event["message"].is_string(), "message is missing in {line}");
        if event["message"] == "committed" {
            let spans = event["spans"].as_array().unwrap();
            assert!(event["user.id"].is_string() && spans.iter().any(|span| span["trace.id"].is_string()), "{line}");
            let invoked = spans.iter().any(|span| span["invocation.id"].is_string());
            looks += usize::from(invoked);
        }
    }
    assert!(looks >= 3, "{looks}");
}

/// What a collector got, by path.
type Got = Arc<Mutex<Vec<(&'static str, Vec<u8>)>>>;

/// A collector that answers for as long as the set of tasks is kept.
async fn collector() -> (String, Got, JoinSet<()>) {
    let got = Got::default();
    let take = |path: &'static str| {
        let got = Arc::clone(&got);
        post(move |body: Bytes| async move { got.lock().unwrap().push((path, body.to_vec())) })
    };
    let router = Router::new().route("/v1/traces", take("traces")).route("/v1/metrics", take("metrics"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (endpoint, got, tasks)
}

fn holds(got: &Got, path: &str, bytes: &[u8]) -> bool {
    let got = got.lock().unwrap();
    got.iter().any(|(at, body)| *at == path && body.windows(bytes.len()).any(|window| window == bytes))
}

/// A field of a span on the wire: its tag, its length and the id itself.
fn field(tag: u8, hex: &str) -> Vec<u8> {
    let id = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
    [tag, (hex.len() / 2) as u8].into_iter().chain(id).collect()
}

const TRACE_ID: u8 = 0x0a;
const SPAN_ID: u8 = 0x12;
const PARENT_SPAN_ID: u8 = 0x22;

#[tokio::test]
async fn one_exported_trace_leads_from_the_notification_to_the_receipt() {
    let world = World::with(Setup { subscribe: false, ..setup() }).await;
    let (endpoint, got, _collector) = collector().await;
    let more = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.clone()),
        ("OTEL_BSP_SCHEDULE_DELAY", "50".to_owned()),
        ("OTEL_METRIC_EXPORT_INTERVAL", "100".to_owned()),
    ];
    let run = Run::start(&world, "run", &["run"], &more);
    let address = run.address().await;
    let user = world.user(0);
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SENDER: &str = "00f067aa0ba902b7";
    let traceparent = format!("00-{TRACE}-{SENDER}-01");
    assert_eq!(notify(address, notification(&world, user, CLIENT_STATE), Some(&traceparent)).await, 202);
    run.brings("an entry", || async { !world.trail(user).await.is_empty() }).await;
    let committed = world.trail(user).await.remove(0).entry.traceparent.unwrap();
    let look = committed.split('-').nth(2).unwrap().to_owned();
    assert_eq!(committed.split('-').nth(1), Some(TRACE));
    run.brings("the export of the look", || async { holds(&got, "traces", &field(SPAN_ID, &look)) }).await;
    let metrics = ["photorelay.hints", "photorelay.looks", "photorelay.look.duration", "photorelay.graph.requests"];
    for metric in metrics {
        run.brings(metric, || async { holds(&got, "metrics", metric.as_bytes()) }).await;
    }
    run.brings("rest", || async { world.storage().queues.count(CHECKS_QUEUE).await.unwrap() == 0 }).await;
    let printed = run.end().await;
    assert!(holds(&got, "traces", &field(TRACE_ID, TRACE)));
    assert!(holds(&got, "traces", &field(PARENT_SPAN_ID, SENDER)), "the notification follows from the sender's span");
    assert!(!holds(&got, "traces", &field(PARENT_SPAN_ID, &look)), "nobody follows the look yet");

    let environment: Environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)].into_iter().collect();
    let otlp = Otlp::read(&environment, "photorelay-agent", "0").unwrap();
    let filter = "off".parse().unwrap();
    let (dispatch, exporting) = telemetry::dispatch(LogFormat::Json, &filter, otlp, std::io::sink).unwrap();
    {
        let _logged = tracing::dispatcher::set_default(&dispatch);
        world.agent.drain().await.unwrap();
    }
    exporting.finish().await;
    assert!(holds(&got, "traces", &field(PARENT_SPAN_ID, &look)), "the write-back follows from the look");
    assert!(holds(&got, "metrics", b"photorelay.receipt.latency") && holds(&got, "metrics", b"{writeback}"));
    assert_eq!(world.receipt(user, 1).await.unwrap().traceparent.as_deref(), Some(&*committed));

    let never = NeverPrinted::of(&world.sim, &[CLIENT_STATE, PREVIOUS]);
    let exported: Vec<u8> = got.lock().unwrap().iter().flat_map(|(_, body)| body.clone()).collect();
    for bytes in [printed, exported] {
        assert_eq!(never.found_in(&bytes), Vec::<String>::new());
    }
    world.end().await;
}

#[tokio::test]
async fn a_collector_that_is_away_holds_up_nothing_and_is_told_once() {
    let world = World::with(Setup { subscribe: false, ..setup() }).await;
    let more = [
        // The discard port, where nobody listens.
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9".to_owned()),
        ("OTEL_BSP_SCHEDULE_DELAY", "20".to_owned()),
        ("OTEL_METRIC_EXPORT_INTERVAL", "20".to_owned()),
    ];
    let run = Run::start(&world, "run", &["run"], &more);
    let address = run.address().await;
    for at in 0..3 {
        let user = world.user(at);
        assert_eq!(notify(address, notification(&world, user, CLIENT_STATE), None).await, 202);
        run.brings("an entry", || async { !world.trail(user).await.is_empty() }).await;
    }
    run.brings("rest", || async { world.storage().queues.count(CHECKS_QUEUE).await.unwrap() == 0 }).await;
    let printed = String::from_utf8(run.end().await).unwrap();
    assert_eq!(printed.matches("telemetry cannot be sent").count(), 1, "{printed}");
    world.settle().await;
    world.end().await;
}

#[tokio::test]
async fn a_wrong_endpoint_is_told_at_the_start() {
    let world = World::with(Setup { subscribe: false, ..setup() }).await;
    for wrong in ["ftp://collector", "not a url"] {
        let mut run = Run::start(&world, "run", &["run"], &[("OTEL_EXPORTER_OTLP_ENDPOINT", wrong.to_owned())]);
        assert!(!run.child.wait().await.unwrap().success());
        let printed = String::from_utf8(run.printed()).unwrap();
        assert!(printed.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{printed}");
    }
    world.end().await;
}
