//! The subscription: made, adopted, renewed, replaced and cleaned up; lifecycle events; the commands.

use std::time::Duration;

use graph_sim::{Fault, FaultRule, RequestPattern, RetryAfter, SimSubscription};
use photorelay::app::App;
use photorelay::jobs::subscribe::{Action, SubscribeError, SubscriptionMatch, SyncReport};
use photorelay_core::clock::Clock;
use photorelay_core::contract::{LifecycleEvent, LifecycleMessage, V1};
use photorelay_core::names::SUBSCRIPTIONS_QUEUE;
use secrecy::SecretString;
use serde_json::{Value, json};
use testkit::world::{CLIENT_STATE, Setup, World, configuration, guid};
use url::Url;
use uuid::Uuid;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The world's app once more, with other secrets, another public URL, or a clock that is ahead.
async fn again(world: &World, public: &Url, secret: &str, previous: Option<&str>, ahead: Duration) -> App {
    let mut config = configuration(&world.sim, world.dir(), public.clone());
    config.notifications.client_state = Some(secret.into());
    config.notifications.client_state_previous = previous.map(SecretString::from);
    let clock = Clock::telling(move || jiff::Timestamp::now() + ahead);
    App::build_with(&config, clock).await.unwrap()
}

async fn unsubscribed() -> World {
    World::with(Setup { subscribe: false, ..Setup::default() }).await
}

fn one(world: &World) -> SimSubscription {
    let mut all = world.sim.subscriptions();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn alive(kept: &SyncReport) -> Uuid {
    kept.alive.unwrap().0
}

/// Whether a change of a photo now leads to a check.
async fn notifies(world: &World) -> bool {
    let before = world.trail(world.user(0)).await.len();
    world.sim.tenant().change_photo(guid(world.user(0))).unwrap();
    world.settle().await;
    world.trail(world.user(0)).await.len() > before
}

#[tokio::test]
async fn a_first_run_subscribes_to_users_with_both_endpoints_for_four_weeks() {
    let world = unsubscribed().await;
    let kept = world.app.subscribe.sync().await.unwrap();
    assert!(matches!(kept.actions[..], [Action::Created { .. }]), "{kept}");
    let made = one(&world);
    assert_eq!((made.resource.as_str(), made.change_type.as_str()), ("users", "updated"));
    assert_eq!(made.client_state.as_deref(), Some(CLIENT_STATE));
    assert!(made.lifecycle_notification_url.unwrap().ends_with("/api/lifecycle"));
    let left = made.expires.duration_since(world.sim.now());
    assert!((28 * 24..29 * 24).contains(&left.as_hours()), "{left}");
    assert!(notifies(&world).await);
    world.end().await;
}

#[tokio::test]
async fn what_lives_is_adopted_and_left_alone_for_a_day() {
    let world = World::start().await;
    let id = one(&world).id;
    let other_process = again(&world, &world.url, CLIENT_STATE, None, Duration::ZERO).await;
    let kept = other_process.subscribe.sync().await.unwrap();
    assert_eq!(
        (alive(&kept), kept.actions.len(), kept.found[0].matched),
        (id, 0, SubscriptionMatch::Current),
        "{kept}"
    );
    world.end().await;
}

#[tokio::test]
async fn a_renewal_once_a_day_moves_the_expiry_while_the_handshake_is_run_again() {
    let world = World::start().await;
    let before = one(&world);
    world.sim.advance(2 * DAY);
    let tomorrow = again(&world, &world.url, CLIENT_STATE, None, 2 * DAY).await;
    // One thread serves the webhook and waits for the renewal: it must not wait for itself.
    let kept = tomorrow.subscribe.sync().await.unwrap();
    assert!(matches!(kept.actions[..], [Action::Renewed { id, .. }] if id == before.id), "{kept}");
    assert!(one(&world).expires.duration_since(before.expires).as_hours() >= 47);
    assert_eq!(world.sim.requests().count("POST /v1.0/subscriptions/{id}/reauthorize"), 0);
    world.end().await;
}

#[tokio::test]
async fn one_that_is_not_listed_yet_is_adopted_by_the_id_in_graphs_refusal() {
    let world = World::start().await;
    let id = one(&world).id;
    world.sim.set(|settings| settings.empty_subscription_lists = 1);
    let kept = world.app.subscribe.sync().await.unwrap();
    assert_eq!((alive(&kept), kept.found.len(), kept.actions.len()), (id, 0, 0), "{kept}");
    assert_eq!(one(&world).id, id);
    world.end().await;
}

#[tokio::test]
async fn what_vanished_is_made_anew_even_between_list_and_renewal() {
    let world = World::start().await;
    world.sim.lose_subscription(one(&world).id);
    let kept = world.app.subscribe.sync().await.unwrap();
    assert!(matches!(kept.actions[..], [Action::Created { .. }]), "{kept}");

    world.sim.advance(2 * DAY);
    let later = again(&world, &world.url, CLIENT_STATE, None, 2 * DAY).await;
    let gone = Fault::GraphError { name: "subscription_unknown".to_owned() };
    world.sim.add_fault(FaultRule::new(RequestPattern::new("PATCH", "/v1.0/subscriptions/*"), gone).times(1));
    let (before, lost) = (one(&world).id, later.subscribe.sync().await.unwrap());
    assert!(matches!(lost.actions[..], [Action::Lost { id }, ..] if id == before), "{lost}");
    world.end().await;
}

#[tokio::test]
async fn a_new_secret_comes_without_a_gap() {
    let world = World::start().await;
    let old = one(&world).id;
    let tomorrow = again(&world, &world.url, "a-secret-of-tomorrow", Some(CLIENT_STATE), Duration::ZERO).await;
    let first = tomorrow.subscribe.sync().await.unwrap();
    assert!(matches!(first.actions[..], [Action::Created { .. }]), "{first}");
    assert_eq!(first.found[0].matched, SubscriptionMatch::Previous);
    let both: Vec<_> = world.sim.subscriptions().into_iter().map(|one| one.client_state.unwrap()).collect();
    assert_eq!(both.len(), 2, "the old one stays until the new one was there for a run");
    let second = tomorrow.subscribe.sync().await.unwrap();
    assert_eq!(second.actions, [Action::Deleted { id: old }], "{second}");
    let left = one(&world);
    assert_eq!((left.id, left.client_state.as_deref()), (alive(&first), Some("a-secret-of-tomorrow")));

    // And back again, so that both kinds of changes have been used.
    let back = again(&world, &world.url, CLIENT_STATE, Some("a-secret-of-tomorrow"), Duration::ZERO).await;
    back.subscribe.sync().await.unwrap();
    back.subscribe.sync().await.unwrap();
    assert_eq!(one(&world).client_state.as_deref(), Some(CLIENT_STATE));
    assert!(notifies(&world).await);
    world.end().await;
}

#[tokio::test]
async fn two_rotations_in_a_row_find_room_and_keep_what_is_still_accepted() {
    let world = World::start().await;
    let second = again(&world, &world.url, "the-second-secret", Some(CLIENT_STATE), Duration::ZERO).await;
    second.subscribe.sync().await.unwrap();
    let third = again(&world, &world.url, "the-third-secret", Some("the-second-secret"), Duration::ZERO).await;
    let kept = third.subscribe.sync().await.unwrap();
    assert!(matches!(kept.actions[..], [Action::Deleted { .. }, Action::Created { .. }]), "{kept}");
    let mut states: Vec<_> = world.sim.subscriptions().into_iter().map(|one| one.client_state.unwrap()).collect();
    states.sort();
    assert_eq!(states, ["the-second-secret", "the-third-secret"]);
    world.end().await;
}

#[tokio::test]
async fn a_subscription_for_another_url_is_never_touched() {
    let world = World::start().await;
    let theirs = one(&world);
    let moved = world.url.join("/moved?code=K%3D").unwrap();
    let mut config = configuration(&world.sim, world.dir(), moved.clone());
    config.notifications.client_state = Some("another-deployments-secret".into());
    // Nobody answers there: Graph refuses, and says why.
    let other = App::build(&config).await.unwrap();
    let refused = other.subscribe.sync().await.unwrap_err();
    assert!(matches!(refused, SubscribeError::EndpointRefused { .. }), "{refused}");
    assert!(refused.to_string().contains("PHOTORELAY_PUBLIC_URL"), "{refused}");
    assert_eq!(one(&world).notification_url, theirs.notification_url);
    assert!(other.subscribe.end(None).await.unwrap().actions.is_empty());
    assert_eq!(one(&world).id, theirs.id);
    world.end().await;
}

#[tokio::test]
async fn when_others_take_all_the_room_the_operator_is_told_their_ids() {
    let world = World::start().await;
    let second = again(&world, &world.url, "the-second-secret", Some(CLIENT_STATE), Duration::ZERO).await;
    second.subscribe.sync().await.unwrap();
    let elsewhere = Url::parse("http://127.0.0.1:9/elsewhere").unwrap();
    let other = again(&world, &elsewhere, "another-deployments-secret", None, Duration::ZERO).await;
    let refused = other.subscribe.sync().await.unwrap_err().to_string();
    for theirs in world.sim.subscriptions() {
        assert!(refused.contains(&theirs.id.to_string()) && refused.contains("unsubscribe --id"), "{refused}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_full_quota_and_an_outage_are_told_and_what_lives_goes_on() {
    let world = World::start().await;
    world.sim.set(|settings| settings.subscription_quota = 1);
    let tomorrow = again(&world, &world.url, "a-secret-of-tomorrow", Some(CLIENT_STATE), Duration::ZERO).await;
    let refused = tomorrow.subscribe.sync().await.unwrap_err();
    assert!(matches!(refused, SubscribeError::QuotaExceeded { .. }), "{refused}");
    let down = Fault::Status { status: 500, code: "Down".to_owned(), retry_after: RetryAfter::Absent };
    world.sim.add_fault(FaultRule::new(RequestPattern::new("GET", "/v1.0/subscriptions"), down).times(1));
    assert!(matches!(tomorrow.subscribe.sync().await, Err(SubscribeError::Graph(error)) if error.is_transient()));
    assert_eq!(one(&world).client_state.as_deref(), Some(CLIENT_STATE));
    world.end().await;
}

fn event(world: &World, word: &str) -> Value {
    json!({
        "lifecycleEvent": word,
        "subscriptionId": one(world).id,
        "clientState": CLIENT_STATE,
        "subscriptionExpirationDateTime": "2026-05-18T00:52:45.9696658+00:00",
        "tenantId": world.sim.tenant_id(),
    })
}

async fn tell(world: &World, items: &[Value]) -> u64 {
    let answer = world.post("/api/lifecycle", json!({ "value": items }).to_string()).await;
    assert_eq!(answer.status(), 202);
    world.storage().queues.count(SUBSCRIPTIONS_QUEUE).await.unwrap()
}

#[tokio::test]
async fn a_challenge_leads_through_the_queue_to_a_renewal() {
    let world = unsubscribed().await;
    world.sim.set(|settings| settings.authorization_minutes = 60);
    world.subscribe().await;
    let before = one(&world);
    world.sim.revoke_tokens();
    assert!(one(&world).has_lapsed(world.sim.now()));
    world.sim.flush().await;
    assert_eq!(world.storage().queues.count(SUBSCRIPTIONS_QUEUE).await.unwrap(), 1);
    world.settle().await;
    let after = one(&world);
    assert!(after.id == before.id && after.expires > before.expires && !after.has_lapsed(world.sim.now()));
    let renewals = world.sim.requests().entries.into_iter().filter(|one| one.method == "PATCH" && one.status == 200);
    assert_eq!(renewals.count(), 1);
    assert!(notifies(&world).await);
    world.end().await;
}

#[tokio::test]
async fn lifecycle_events_that_are_not_ours_or_unknown_lead_to_nothing() {
    let world = World::start().await;
    let wrong = |member: &str, value: Value| {
        let mut item = event(&world, "reauthorizationRequired");
        item[member] = value;
        item
    };
    let items = [
        wrong("clientState", json!("another")),
        wrong("clientState", json!(null)),
        wrong("tenantId", json!("84bd8158-6d4d-4958-8b9f-9d6445542f95")),
        wrong("subscriptionId", json!("not an id")),
        event(&world, "somethingOfTomorrow"),
        json!("not an object"),
    ];
    assert_eq!(tell(&world, &items).await, 0);
    let good = event(&world, "reauthorizationRequired");
    assert_eq!(tell(&world, &[items[0].clone(), good.clone(), good.clone()]).await, 1, "the same twice is one message");
    world.settle().await;
    for (body, status) in [("no json", 400), (r#"{"value":[]}"#, 202)] {
        assert_eq!(world.post("/api/lifecycle", body).await.status(), status, "{body}");
    }
    let answer = world.post("/api/lifecycle?validationToken=a+b%3a", "").await;
    assert_eq!(answer.text().await.unwrap(), "a b:");
    world.end().await;
}

/// As Graph was seen to send them; its documentation, and so the simulator, shows `tenantId`:
/// <https://learn.microsoft.com/graph/change-notifications-lifecycle-events>
#[tokio::test]
async fn a_lifecycle_event_names_its_tenant_as_organization_too() {
    let world = World::start().await;
    let named = |tenant: Option<&str>, organization: Option<&str>| {
        let mut item = event(&world, "reauthorizationRequired");
        (item["tenantId"], item["organizationId"]) = (json!(tenant), json!(organization));
        item
    };
    let ours = world.sim.tenant_id().to_string();
    let other = Some("84bd8158-6d4d-4958-8b9f-9d6445542f95");
    let not_ours = [named(None, other), named(None, None), named(Some(&ours), other), named(other, Some(&ours))];
    assert_eq!(tell(&world, &not_ours).await, 0);
    assert_eq!(tell(&world, &[named(None, Some(&ours))]).await, 1);
    world.settle().await;
    world.end().await;
}

#[tokio::test]
async fn a_removed_subscription_is_made_anew_and_a_storm_of_events_costs_one_list() {
    let world = World::start().await;
    let id = one(&world).id;
    let removed = event(&world, "subscriptionRemoved");
    let missed = event(&world, "missed");
    world.sim.lose_subscription(id);
    world.sim.clear_requests();
    assert_eq!(tell(&world, &[removed, missed]).await, 2);
    world.settle().await;
    assert_ne!(one(&world).id, id);
    let message =
        LifecycleMessage { v: V1, event: LifecycleEvent::SubscriptionRemoved, subscription_id: id, traceparent: None };
    for _ in 0..50 {
        world.app.subscribe.handle_lifecycle(&message).await.unwrap();
    }
    assert_eq!(world.sim.requests().count("GET /v1.0/subscriptions"), 1);
    world.end().await;
}
