//! A year in the life of the subscription, in simulated time: outages of Graph, of the sign-in service and of our own
//! webhook, revoked tokens, deletions by an administrator, rotations of the secret. One clock for both sides.
//!
//! A gap is a time in which no subscription would have delivered a notification that we accept. It may be as long as
//! nothing could have been done about it, and an hour besides: that is how often the timer looks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::time::OffsetDateTime;
use fastrand::Rng;
use graph_sim::{Fault, FaultRule, RequestPattern, RetryAfter, Sim};
use jiff::{SignedDuration, Timestamp};
use photorelay::app::App;
use photorelay::graph::{CachedTokens, Graph, GraphConfig, scope};
use photorelay::host::manifest::Manifest;
use photorelay::host::pump::Pump;
use photorelay::host::readiness::StorageReadiness;
use photorelay::host::router::{Functions, public_router, trigger_router};
use photorelay::jobs::lifecycle::Lifecycle;
use photorelay::jobs::notify::{ClientStates, Notify};
use photorelay::jobs::subscribe::{Subscribe, Via};
use photorelay_core::clock::Clock;
use photorelay_core::id::TenantId;
use photorelay_core::names::CHECKS_QUEUE;
use photorelay_core::process::install_crypto_provider;
use photorelay_core::queue::Leased;
use secrecy::SecretString;
use tempfile::TempDir;
use testkit::world::configuration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tower::ServiceExt;
use url::Url;

use crate::year_troubles::*;

pub(crate) const STEP_MINUTES: i64 = 15;
pub(crate) const DAYS: i64 = 365;
/// The timer's interval, and one step of the simulation.
const TIMER: SignedDuration = SignedDuration::from_mins(60 + STEP_MINUTES);

/// The endpoint on the internet: whatever program is deployed behind it, or nobody.
struct Relay {
    deployed: Mutex<Router>,
    is_up: AtomicBool,
}

async fn relay(State(relay): State<Arc<Relay>>, request: Request) -> Response {
    if !relay.is_up.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let deployed = relay.deployed.lock().unwrap().clone();
    deployed.oneshot(request).await.unwrap()
}

/// Tokens of the simulator, whose life is counted by its clock.
#[derive(Debug)]
struct Credential(Arc<Sim>, reqwest::Client);

#[async_trait]
impl TokenCredential for Credential {
    async fn get_token(&self, scopes: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        let refused = |why: String| azure_core::Error::with_message(ErrorKind::Credential, why);
        let (sim, http) = (&self.0, &self.1);
        let (client, secret) = (sim.client_id().to_string(), sim.client_secret());
        let form = [
            ("client_id", client.as_str()),
            ("client_secret", secret.as_str()),
            ("scope", scopes[0]),
            ("grant_type", "client_credentials"),
        ];
        let url = format!("{}/{}/oauth2/v2.0/token", sim.authority_url(), sim.tenant_id());
        let answer = http.post(url).form(&form).send().await.map_err(|e| refused(e.to_string()))?;
        let answer: serde_json::Value = answer.json().await.map_err(|e| refused(e.to_string()))?;
        let token = answer["access_token"].as_str().ok_or_else(|| refused("sign-in is down".to_owned()))?;
        let expires_at = sim.now().as_second() + answer["expires_in"].as_i64().unwrap();
        Ok(AccessToken::new(Secret::new(token.to_owned()), OffsetDateTime::from_unix_timestamp(expires_at).unwrap()))
    }
}

struct Year {
    sim: Arc<Sim>,
    graph: Arc<Graph>,
    app: App,
    relay: Arc<Relay>,
    public_url: Url,
    pump: Pump,
    secrets: [String; 2],
    _dir: TempDir,
    _server: AbortOnDropHandle<()>,
}

impl Year {
    async fn start(seed: u64) -> Self {
        install_crypto_provider();
        let mut config = graph_sim::SimConfig {
            users: 2,
            seed,
            token_lifetime: Duration::from_secs(24 * 3600),
            ..Default::default()
        };
        config.settings.authorization_minutes = 12 * 60;
        config.settings.time_scale = 0.000_001;
        let sim = Arc::new(Sim::start(config).await.unwrap());
        let dir = TempDir::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let public_url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let app = App::build(&configuration(&sim, dir.path(), public_url.clone())).await.unwrap();
        let clock = clock(&sim);
        let (credential, base) = (Arc::new(Credential(Arc::clone(&sim), reqwest::Client::new())), sim.graph_url());
        let mut graph = GraphConfig::new(base.parse().unwrap());
        // The timer comes again in an hour; nobody waits for that here.
        graph.retry.attempts = 1;
        let tokens = CachedTokens::with_clock(
            Box::new(move || Ok(Arc::clone(&credential) as Arc<dyn TokenCredential>)),
            scope(&graph.base_url),
            TaskTracker::new(),
            CancellationToken::new(),
            clock,
        );
        let graph = Arc::new(Graph::new(graph, Arc::new(tokens)).unwrap());
        let relay_state = Arc::new(Relay { deployed: Mutex::new(Router::new()), is_up: AtomicBool::new(true) });
        let internet = Router::new().fallback(relay).with_state(Arc::clone(&relay_state));
        let server = TaskTracker::new().spawn(async move { axum::serve(listener, internet).await.unwrap() });
        let pump = app.pump.clone();
        let secrets = ["the-secret-number-0".to_owned(), "a-secret-before-all".to_owned()];
        let mut year = Self {
            sim,
            graph,
            app,
            relay: relay_state,
            public_url,
            pump,
            secrets,
            _dir: dir,
            _server: AbortOnDropHandle::new(server),
        };
        year.deploy();
        year
    }

    /// The program with the secrets of the day, and nothing in memory.
    fn deploy(&mut self) {
        let [current, previous] = &self.secrets;
        let states = Arc::new(ClientStates::new(current, [previous.as_str()]));
        let (queues, tenant) = (&self.app.storage.queues, TenantId::from_uuid(self.sim.tenant_id()));
        let (current, previous) = (SecretString::from(current.clone()), SecretString::from(previous.clone()));
        let clock = clock(&self.sim);
        let subscribe = Subscribe::new(
            Arc::clone(&self.graph),
            Some(Via::Webhook(&self.public_url)),
            Some(current),
            Some(&previous),
            clock,
        );
        let functions = Functions {
            notify: Notify::new(Arc::clone(queues), tenant, Arc::clone(&states)),
            lifecycle: Lifecycle::new(Arc::clone(queues), tenant, states),
            propagate: self.app.propagate.clone(),
            subscribe: Arc::new(subscribe),
            sweep: self.app.sweep.clone(),
            watch: self.app.watch.clone(),
            storage: StorageReadiness::ready(),
            tasks: TaskTracker::new(),
        };
        let manifest = Manifest::built_in().unwrap();
        let functions = Arc::new(functions);
        let triggers = trigger_router(&functions, &manifest).unwrap();
        // The timer is called through the relay, as the host would.
        let router = public_router(&functions, &manifest).unwrap().merge(triggers.clone());
        self.pump = Pump::new(triggers, self.app.storage.clone(), manifest, Duration::from_secs(30));
        *self.relay.deployed.lock().unwrap() = router;
    }

    fn begin(&mut self, planned: &Planned, dice: &mut Rng) {
        let down = |path: &str| {
            let status = *dice.clone().choice(&[500, 502]).unwrap();
            let fault = Fault::Status { status, code: "Down".to_owned(), retry_after: RetryAfter::Absent };
            FaultRule::new(RequestPattern { method: None, path: path.to_owned(), scope: Default::default() }, fault)
        };
        match planned.trouble {
            Trouble::GraphDown => drop(self.sim.add_fault(down("/v1.0/subscriptions*"))),
            Trouble::SignInDown => drop(self.sim.add_fault(down("*/oauth2/v2.0/token"))),
            Trouble::WebhookDown => self.relay.is_up.store(false, Ordering::SeqCst),
            Trouble::TokensRevoked => self.sim.revoke_tokens(),
            Trouble::DeletedByAdmin => {
                let all = self.sim.subscriptions();
                if let Some(one) = dice.choice(&all) {
                    self.sim.lose_subscription(one.id);
                }
            }
            Trouble::SecretRotated => {
                let next = format!("the-secret-number-{}", dice.u32(..));
                let old = std::mem::replace(&mut self.secrets[0], next);
                self.secrets[1] = old;
                self.deploy();
            }
        }
    }

    /// Begins anew with what is still going on, as several outages of one kind may overlap.
    fn go_on(&mut self, going_on: &[Planned], dice: &mut Rng) {
        self.sim.clear_faults();
        self.relay.is_up.store(true, Ordering::SeqCst);
        for planned in going_on {
            self.begin(planned, dice);
        }
    }

    /// The timer function, as the host calls it. That it fails is what an outage does.
    async fn timer(&self) {
        let body = r#"{"Data":{"timer":{"IsPastDue":false}},"Metadata":{}}"#;
        let request = Request::post("/subscribe").header("content-type", "application/json").body(Body::from(body));
        let deployed = self.relay.deployed.lock().unwrap().clone();
        deployed.oneshot(request.unwrap()).await.unwrap();
    }

    /// Until when a subscription delivers what we accept; none if none does.
    fn delivers_until(&self) -> Option<Timestamp> {
        let now = self.sim.now();
        let accepted = |state: &Option<String>| state.as_ref().is_some_and(|state| self.secrets.contains(state));
        let good = self.sim.subscriptions().into_iter().filter(|one| accepted(&one.client_state));
        let until = good.map(|one| one.authorized_until.map_or(one.expires, |end| end.min(one.expires))).max();
        until.filter(|until| *until > now)
    }

    /// What counts in the end: a change leads to a check in the queue just when it should.
    async fn prove(&self) {
        let should = self.delivers_until().is_some() && self.relay.is_up.load(Ordering::SeqCst);
        let queues = &self.app.storage.queues;
        self.sim.tenant().touch(self.sim.tenant().user_ids()[0]).unwrap();
        self.sim.flush().await;
        let came = queues.receive(CHECKS_QUEUE, 32, Duration::from_secs(60)).await.unwrap();
        assert_eq!(!came.is_empty(), should, "at {}", self.sim.now());
        for message in came {
            assert_eq!(queues.delete(CHECKS_QUEUE, &message).await.unwrap(), Leased::Yes(()));
        }
    }
}

fn clock(sim: &Arc<Sim>) -> Clock {
    let sim = Arc::clone(sim);
    Clock::telling(move || sim.now())
}

/// A time without notifications, and how much of it passed while nothing could be done.
#[derive(Debug)]
struct Gap {
    from: Timestamp,
    to: Timestamp,
    excused: SignedDuration,
    after: Vec<Trouble>,
}

impl Gap {
    fn length(&self) -> SignedDuration {
        self.to.duration_since(self.from)
    }
}

fn gap(plan: &[Planned], from: Timestamp, to: Timestamp) -> Gap {
    let hour_before = from - SignedDuration::from_hours(1);
    let near = plan.iter().filter(|one| one.from <= to && one.to.max(one.from) >= hour_before);
    let mut after: Vec<Trouble> = near.map(|one| one.trouble).collect();
    after.sort();
    after.dedup();
    let outages = plan.iter().filter(|one| one.to > one.from);
    let minutes = to.duration_since(from).as_mins().max(0);
    let is_out = |at: Timestamp| outages.clone().any(|one| one.from <= at && at < one.to);
    let excused = (0..minutes).filter(|minute| is_out(from + SignedDuration::from_mins(*minute))).count();
    Gap { from, to, excused: SignedDuration::from_mins(excused as i64), after }
}

fn print(gaps: &[Gap], seed: u64) {
    let total = gaps.iter().map(Gap::length).fold(SignedDuration::ZERO, |sum, one| sum + one);
    let share = 100.0 - total.as_secs_f64() / (DAYS as f64 * 864.0);
    println!(
        "seed {seed}: {} gaps in {DAYS} days, {} minutes in all, {share:.2} % covered",
        gaps.len(),
        total.as_mins()
    );
    for gap in gaps {
        let (minutes, excused) = (gap.length().as_mins(), gap.excused.as_mins());
        println!("  {:.0}  {minutes:>5} min, {excused:>5} of them in an outage  {:?}", gap.from, gap.after);
    }
}

async fn live_through(seed: u64) {
    let mut dice = Rng::with_seed(seed);
    let mut year = Year::start(seed).await;
    let start = year.sim.now();
    let plan = plan(&mut dice, start);
    year.timer().await;
    let (mut next, mut going_on, mut gaps): (usize, Vec<Planned>, Vec<Gap>) = (0, Vec::new(), Vec::new());
    let mut covered_until = Some(year.delivers_until().expect("the first run subscribes"));
    let mut gap_from = None;
    let mut asked = 0;
    for step in 1..=DAYS * 24 * 60 / STEP_MINUTES {
        let target = start + SignedDuration::from_mins(step * STEP_MINUTES);
        year.sim.set_now(target);
        if let Some(until) = covered_until.filter(|until| *until <= target) {
            gap_from.get_or_insert(until);
        }
        let before = going_on.len();
        going_on.retain(|one| one.to > target);
        if going_on.len() < before {
            year.go_on(&going_on.clone(), &mut dice);
        }
        while let Some(planned) = plan.get(next).filter(|planned| planned.from <= target) {
            year.begin(planned, &mut dice);
            if planned.to > target {
                going_on.push(*planned);
            }
            next += 1;
        }
        if year.delivers_until().is_none() {
            gap_from.get_or_insert(target);
        }
        year.sim.flush().await;
        let lifecycle = year.sim.notification_tally().lifecycle;
        if lifecycle != asked {
            asked = lifecycle;
            year.pump.drain().await.unwrap();
        }
        if step * STEP_MINUTES % 60 == 15 {
            year.timer().await;
        }
        if step % (7 * 24 * 60 / STEP_MINUTES) == 0 {
            year.prove().await;
        }
        covered_until = year.delivers_until();
        if let (Some(from), Some(_)) = (gap_from, covered_until) {
            if target > from {
                gaps.push(gap(&plan, from, target));
            }
            gap_from = None;
        }
    }
    print(&gaps, seed);
    assert!(asked > 300, "Graph asked only {asked} times to reauthorize");
    assert_eq!(gap_from, None, "the year ends without a subscription");
    for gap in &gaps {
        assert!(gap.length() <= gap.excused + TIMER, "{gap:?} is longer than it had to be");
    }
    let largest = gaps.iter().map(|gap| gap.length()).max().unwrap_or_default();
    assert!(largest <= SignedDuration::from_hours(49), "{largest}");
    assert!(year.sim.subscriptions().len() <= 2, "what is replaced is cleaned up");
    let refused = year.sim.requests().entries.iter().filter(|one| one.status == 429).count();
    assert_eq!(refused, 0, "no limit was met");
    year.sim.assert_no_violations();
    year.sim.shutdown().await;
}

#[tokio::test]
async fn the_subscription_survives_a_year_of_trouble_with_no_gap_longer_than_it_has_to_be() {
    let seed = 1;
    live_through(seed).await;
}
