//! Keeps the subscription to changes of users alive: creates one, adopts an existing one, renews it well in time,
//! replaces one that carries an old secret, and deletes surplus ones.
//!
//! Level-triggered: every run compares what Graph lists with what should be, and remembers nothing. Graph does not
//! report that a subscription to users has died, so this runs every hour. It must never wait for the webhook that Graph
//! calls while it answers, and never touches a subscription for another URL. It renews by PATCH only, which
//! reauthorizes too: a separate reauthorization within ten minutes of a renewal can leave a subscription inconsistent.

mod endpoints;
mod error;
mod report;

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use photorelay_core::clock::Clock;
use photorelay_core::contract::{LifecycleEvent, LifecycleMessage};
use photorelay_core::telemetry::metrics;
use secrecy::SecretString;
use tokio::sync::Mutex;
use uuid::Uuid;

pub use endpoints::{SubscriptionMatch, Via};
pub use error::SubscribeError;
pub use report::{Action, MatchedSubscription, SyncReport};

use crate::graph::{
    Graph, GraphError, NewSubscription, Subscription, SubscriptionCreation, SubscriptionDeletion, SubscriptionRenewal,
};
use endpoints::{Endpoints, RESOURCE};

/// A bit less than the 41,760 minutes that Graph allows for users.
/// <https://learn.microsoft.com/graph/api/resources/subscription>
const LIFETIME: SignedDuration = SignedDuration::from_mins(41_000);
/// Once a day: the subscription survives four weeks of failures, and a lost request to reauthorize does no harm.
const RENEW_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// Graph allows one subscription for each combination of resource and changes. With two equivalent combinations, a new
/// one can be created beside the one that it replaces. Checks of deleted users find nothing and cost little.
const CHANGE_TYPES: [&str; 2] = ["updated", "updated,deleted"];
/// Lists are limited to 25 in 20 seconds; one list answers a storm of events.
const LIST_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(10);

pub struct Subscribe {
    graph: Arc<Graph>,
    /// None if Graph has no way to notify.
    endpoints: Option<Endpoints>,
    /// None for a command that was not given it, and then creates none.
    client_state: Option<SecretString>,
    clock: Clock,
    /// The last run and when it began. Locked during a run, so that runs of a process do not overlap. The webhook never
    /// takes this lock: it answers Graph's handshake during a run.
    last: Mutex<Option<(Timestamp, SyncReport)>>,
}

impl Subscribe {
    pub fn new(
        graph: Arc<Graph>,
        via: Option<Via<'_>>,
        client_state: Option<SecretString>,
        previous: Option<&SecretString>,
        clock: Clock,
    ) -> Self {
        let endpoints = via.map(|via| Endpoints::new(via, client_state.as_ref(), previous));
        Self { graph, endpoints, client_state, clock, last: Mutex::default() }
    }

    /// Whether Graph has a way to notify at all.
    pub fn is_configured(&self) -> bool {
        self.endpoints.is_some()
    }

    /// The subscriptions of this application. Changes nothing.
    pub async fn inspect(&self) -> Result<Vec<MatchedSubscription>, GraphError> {
        let listed = self.graph.list_subscriptions().await?;
        Ok(listed.into_iter().map(|subscription| self.classify(subscription)).collect())
    }

    fn classify(&self, subscription: Subscription) -> MatchedSubscription {
        let endpoints = self.endpoints.as_ref();
        let matched = endpoints.map_or(SubscriptionMatch::Elsewhere, |endpoints| endpoints.classify(&subscription));
        MatchedSubscription { subscription, matched }
    }

    /// Makes sure that there is a subscription with enough life left.
    pub async fn sync(&self) -> Result<SyncReport, SubscribeError> {
        let mut last = self.last.lock().await;
        let began_at = self.clock.now();
        let report = self.run().await?;
        tracing::info!(outcome = report.summary(), "subscription");
        *last = Some((began_at, report.clone()));
        Ok(report)
    }

    /// Does what a lifecycle event asks for. The event may be old: doing it again is harmless.
    pub async fn handle_lifecycle(&self, message: &LifecycleMessage) -> Result<SyncReport, SubscribeError> {
        let id = message.subscription_id;
        let event = message.event.as_str();
        match message.event {
            LifecycleEvent::ReauthorizationRequired => {
                if let Some(until) = self.renew(id).await? {
                    tracing::info!(subscription.id = %id, %until, event, "subscription renewed");
                    let actions = vec![Action::Renewed { id, until }];
                    return Ok(SyncReport {
                        is_configured: true,
                        found: Vec::new(),
                        actions,
                        alive: Some((id, until)),
                    });
                }
            }
            LifecycleEvent::SubscriptionRemoved => tracing::warn!(subscription.id = %id, event, "created anew"),
            LifecycleEvent::Missed => tracing::warn!(
                subscription.id = %id,
                event,
                "Graph lost notifications: the next sweep finds those changes; `photorelay sweep` finds them now"
            ),
        }
        let recent = self.last.lock().await.clone();
        match recent {
            // A run of a moment ago covers this event, unless it considered this very subscription alive.
            Some((at, report))
                if self.clock.now().duration_since(at).abs() < LIST_AGAIN_AFTER
                    && (message.event == LifecycleEvent::Missed
                        || report.alive.is_none_or(|(alive, _)| alive != id)) =>
            {
                Ok(report)
            }
            _ => self.sync().await,
        }
    }

    /// Deletes every subscription of this deployment, or just the named one, even of another deployment.
    pub async fn end(&self, only: Option<Uuid>) -> Result<SyncReport, SubscribeError> {
        let found = self.inspect().await?;
        let mut actions = Vec::new();
        let is_chosen =
            |found: &&MatchedSubscription| only.map_or(found.matched.is_ours(), |id| found.subscription.id == id);
        for found in found.iter().filter(is_chosen) {
            self.delete(found.subscription.id, &mut actions).await?;
        }
        Ok(SyncReport { is_configured: true, found, actions, alive: None })
    }

    async fn run(&self) -> Result<SyncReport, SubscribeError> {
        let Some(endpoints) = &self.endpoints else { return Ok(SyncReport::default()) };
        let found = self.inspect().await?;
        let mut actions = Vec::new();
        // Every process that reads the same list chooses the same one.
        let current = found.iter().filter(|found| found.matched == SubscriptionMatch::Current);
        let current = current.min_by_key(|found| found.subscription.id);
        let mut alive = match current {
            Some(current) => self.refresh(&current.subscription, &mut actions).await?,
            None => None,
        };
        if let Some((id, _)) = alive {
            // A replaced subscription is deleted only if its successor was there in the run before: until then both
            // notify, and Graph delivers what is still under way for the old one.
            let surplus = found.iter().filter(|found| found.matched.is_ours() && found.subscription.id != id);
            for found in surplus {
                self.delete(found.subscription.id, &mut actions).await?;
            }
        }
        if alive.is_none() {
            alive = Some(self.establish(endpoints, &found, &mut actions).await?);
        }
        Ok(SyncReport { is_configured: true, found, actions, alive })
    }

    /// Renews it once a day. None if it no longer exists.
    async fn refresh(
        &self,
        found: &Subscription,
        actions: &mut Vec<Action>,
    ) -> Result<Option<(Uuid, Timestamp)>, SubscribeError> {
        let id = found.id;
        if found.expires_at > self.clock.now() + LIFETIME - RENEW_EVERY {
            return Ok(Some((id, found.expires_at)));
        }
        let renewed = self.renew(id).await?;
        actions.push(renewed.map_or(Action::Lost { id }, |until| Action::Renewed { id, until }));
        Ok(renewed.map(|until| (id, until)))
    }

    /// Creates a subscription beside those that exist.
    async fn establish(
        &self,
        endpoints: &Endpoints,
        found: &[MatchedSubscription],
        actions: &mut Vec<Action>,
    ) -> Result<(Uuid, Timestamp), SubscribeError> {
        let client_state = self.client_state.as_ref().ok_or(SubscribeError::NoClientState)?;
        let mut others: Vec<MatchedSubscription> =
            found.iter().filter(|found| found.matched != SubscriptionMatch::OtherResource).cloned().collect();
        others.retain(|other| !actions.contains(&Action::Lost { id: other.subscription.id }));
        // Every turn returns, or finds one more subscription in the way, or deletes one.
        for _ in 0..2 * CHANGE_TYPES.len() {
            let is_taken = |wanted: &str| others.iter().any(|other| covers(&other.subscription, wanted));
            let Some(change_type) = CHANGE_TYPES.into_iter().find(|wanted| !is_taken(wanted)) else {
                self.make_room(&mut others, actions).await?;
                continue;
            };
            let wanted = NewSubscription {
                resource: RESOURCE.to_owned(),
                change_type: change_type.to_owned(),
                notification_url: endpoints.notification_url(),
                lifecycle_url: Some(endpoints.lifecycle_url()),
                expires_at: self.clock.now() + LIFETIME,
                client_state: client_state.clone(),
            };
            match self.graph.create_subscription(&wanted).await? {
                SubscriptionCreation::Created(made) => {
                    metrics::subscription("created");
                    actions.push(Action::Created { id: made.id, until: made.expires_at });
                    return Ok((made.id, made.expires_at));
                }
                // Created in between, or missing in a list that was behind.
                SubscriptionCreation::AlreadyExists { id: Some(id) } => {
                    let Some(existing) = self.graph.subscription(id).await?.map(|one| self.classify(one)) else {
                        continue;
                    };
                    if existing.matched == SubscriptionMatch::Current
                        && let Some(alive) = self.refresh(&existing.subscription, actions).await?
                    {
                        return Ok(alive);
                    }
                    others.push(existing);
                }
                SubscriptionCreation::AlreadyExists { id: None } => {
                    return Err(SubscribeError::TakenElsewhere(Vec::new()));
                }
                SubscriptionCreation::EndpointRefused { message } => {
                    return Err(SubscribeError::EndpointRefused { message });
                }
                SubscriptionCreation::QuotaExceeded { message } => {
                    return Err(SubscribeError::QuotaExceeded { message });
                }
            }
        }
        Err(SubscribeError::Vanishing)
    }

    /// Deletes one of ours that is out of date; one whose notifications are still accepted goes last.
    async fn make_room(
        &self,
        others: &mut Vec<MatchedSubscription>,
        actions: &mut Vec<Action>,
    ) -> Result<(), SubscribeError> {
        let ours = others.iter().filter(|other| other.matched.is_ours());
        let worst = ours.min_by_key(|other| other.matched == SubscriptionMatch::Previous);
        let Some(id) = worst.map(|worst| worst.subscription.id) else {
            return Err(SubscribeError::TakenElsewhere(others.iter().map(|other| other.subscription.id).collect()));
        };
        self.delete(id, actions).await?;
        others.retain(|other| other.subscription.id != id);
        Ok(())
    }

    /// None if it no longer exists: renewing never brings it back.
    async fn renew(&self, id: Uuid) -> Result<Option<Timestamp>, SubscribeError> {
        match self.graph.renew_subscription(id, self.clock.now() + LIFETIME).await? {
            SubscriptionRenewal::Renewed(ours) => {
                metrics::subscription("renewed");
                Ok(Some(ours.expires_at))
            }
            SubscriptionRenewal::Gone => Ok(None),
            SubscriptionRenewal::EndpointRefused { message } => Err(SubscribeError::EndpointRefused { message }),
        }
    }

    async fn delete(&self, id: Uuid, actions: &mut Vec<Action>) -> Result<(), SubscribeError> {
        if self.graph.delete_subscription(id).await? == SubscriptionDeletion::Deleted {
            metrics::subscription("deleted");
            actions.push(Action::Deleted { id });
        }
        Ok(())
    }
}

impl fmt::Debug for Subscribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribe").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

/// Whether it is in the way of a subscription to these changes.
fn covers(subscription: &Subscription, wanted: &str) -> bool {
    let kinds = |text: &str| {
        let mut kinds: Vec<String> = text.split(',').map(|kind| kind.trim().to_ascii_lowercase()).collect();
        kinds.sort();
        kinds
    };
    kinds(&subscription.change_type) == kinds(wanted)
}
