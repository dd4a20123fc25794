//! Keeps the subscription to changes of users alive: makes one, adopts one that is there, renews it well in time,
//! replaces one that carries an old secret, and cleans up what is surplus.
//!
//! Level-triggered: every run compares what Graph lists with what should be, and remembers nothing. A subscription that
//! died is never announced for users, so this runs every hour. It must never wait for the webhook that Graph calls back
//! while it answers, and never touches a subscription for another URL. It only ever renews by PATCH, which reauthorizes
//! too: a reauthorization of its own within ten minutes of a renewal can leave a subscription inconsistent.

mod endpoints;
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

pub use endpoints::{Match, Via};
pub use report::{Action, MatchedSubscription, SyncReport};

use crate::graph::{
    Graph, GraphError, NewSubscription, Subscription, SubscriptionCreation, SubscriptionDeletion, SubscriptionRenewal,
};
use endpoints::Endpoints;

const RESOURCE: &str = "users";
/// A bit less than the 41,760 minutes that Graph allows for users.
/// <https://learn.microsoft.com/graph/api/resources/subscription>
const LIFETIME: SignedDuration = SignedDuration::from_mins(41_000);
/// Once a day: four weeks of failures are survived, and a challenge to reauthorize that was lost is made up for.
const RENEW_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// Graph allows one subscription for each combination of resource and changes. With two combinations that tell the same
/// a new one can be made beside the one that it replaces. Deleted people are looked at in vain, which costs little.
const CHANGE_TYPES: [&str; 2] = ["updated", "updated,deleted"];
/// Lists are limited to 25 in 20 seconds, and a storm of events is answered by one.
const LIST_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(10);

pub struct Subscribe {
    graph: Arc<Graph>,
    /// None means that there is no webhook.
    endpoints: Option<Endpoints>,
    client_state: SecretString,
    clock: Clock,
    /// The last run and when it was. Held during a run: within a process, runs do not overlap. The webhook never asks
    /// for it, so Graph's call back is answered meanwhile.
    last: Mutex<Option<(Timestamp, SyncReport)>>,
}

#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    #[error(transparent)]
    Graph(#[from] GraphError),
    #[error(
        "Graph cannot reach the endpoints ({message}): check that PHOTORELAY_PUBLIC_URL leads to this program from the \
         internet, without sign-in and with a certificate that is trusted"
    )]
    EndpointRefused { message: String },
    #[error("Graph allows no more subscriptions ({message}): delete some that are not used, or wait until they expire")]
    QuotaExceeded { message: String },
    #[error(
        "other subscriptions to users of this application take all the room there is ({}): stop the program that made \
         them, or delete them with `photorelay unsubscribe --id ID`",
        ids(.0)
    )]
    TakenElsewhere(Vec<Uuid>),
    #[error("subscriptions vanish as soon as they are made: look at the tenant's audit log for who deletes them")]
    Vanishing,
}

impl Subscribe {
    pub fn new(
        graph: Arc<Graph>,
        via: Option<Via<'_>>,
        client_state: SecretString,
        previous: Option<&SecretString>,
        clock: Clock,
    ) -> Self {
        let endpoints = via.map(|via| Endpoints::new(via, &client_state, previous));
        Self { graph, endpoints, client_state, clock, last: Mutex::default() }
    }

    /// Whether Graph has a way to us at all.
    pub fn is_configured(&self) -> bool {
        self.endpoints.is_some()
    }

    /// The subscriptions of this application, without doing anything about them.
    pub async fn inspect(&self) -> Result<Vec<MatchedSubscription>, GraphError> {
        let listed = self.graph.list_subscriptions().await?;
        Ok(listed.into_iter().map(|subscription| self.judge(subscription)).collect())
    }

    fn judge(&self, subscription: Subscription) -> MatchedSubscription {
        let fit = self.endpoints.as_ref().map_or(Match::Elsewhere, |endpoints| endpoints.fit(&subscription));
        MatchedSubscription { subscription, fit }
    }

    /// Makes sure that there is a subscription with enough life left.
    pub async fn keep(&self) -> Result<SyncReport, SubscribeError> {
        let mut last = self.last.lock().await;
        let began_at = self.clock.now();
        let kept = self.run().await?;
        tracing::info!(outcome = kept.summary(), "subscription");
        *last = Some((began_at, kept.clone()));
        Ok(kept)
    }

    /// Does what a lifecycle event asks for. What it says may be old: doing it again is harmless.
    pub async fn handle_lifecycle(&self, message: &LifecycleMessage) -> Result<SyncReport, SubscribeError> {
        let id = message.subscription_id;
        let event = message.event.as_str();
        match message.event {
            LifecycleEvent::ReauthorizationRequired => {
                if let Some(until) = self.renew(id).await? {
                    tracing::info!(subscription.id = %id, %until, event, "subscription renewed");
                    let did = vec![Action::Renewed { id, until }];
                    return Ok(SyncReport { is_configured: true, found: Vec::new(), did, alive: Some((id, until)) });
                }
            }
            LifecycleEvent::SubscriptionRemoved => tracing::warn!(subscription.id = %id, event, "made anew"),
            LifecycleEvent::Missed => tracing::warn!(
                subscription.id = %id,
                event,
                "Graph lost notifications: the next sweep finds what they were about, `photorelay sweep` finds it now"
            ),
        }
        let recent = self.last.lock().await.clone();
        match recent {
            // A run of a moment ago knows it already, unless it took this very subscription for alive.
            Some((at, kept))
                if self.clock.now().duration_since(at).abs() < LIST_AGAIN_AFTER
                    && (message.event == LifecycleEvent::Missed || kept.alive.is_none_or(|(alive, _)| alive != id)) =>
            {
                Ok(kept)
            }
            _ => self.keep().await,
        }
    }

    /// Deletes every subscription of this deployment, or just the one that is named, whosoever it is.
    pub async fn end(&self, only: Option<Uuid>) -> Result<SyncReport, SubscribeError> {
        let found = self.inspect().await?;
        let mut did = Vec::new();
        let chosen = |found: &&MatchedSubscription| only.map_or(found.fit.is_ours(), |id| found.subscription.id == id);
        for found in found.iter().filter(chosen) {
            self.delete(found.subscription.id, &mut did).await?;
        }
        Ok(SyncReport { is_configured: true, found, did, alive: None })
    }

    async fn run(&self) -> Result<SyncReport, SubscribeError> {
        let Some(endpoints) = &self.endpoints else { return Ok(SyncReport::default()) };
        let found = self.inspect().await?;
        let mut did = Vec::new();
        // Everybody who looks at the same list decides for the same one.
        let current =
            found.iter().filter(|found| found.fit == Match::Current).min_by_key(|found| found.subscription.id);
        let mut alive = match current {
            Some(current) => self.refresh(&current.subscription, &mut did).await?,
            None => None,
        };
        if let Some((id, _)) = alive {
            // What is replaced goes only when its successor was there in the run before: until then both notify, and
            // what Graph still wanted to deliver for the old one is delivered.
            let surplus = found.iter().filter(|found| found.fit.is_ours() && found.subscription.id != id);
            for found in surplus {
                self.delete(found.subscription.id, &mut did).await?;
            }
        }
        if alive.is_none() {
            alive = Some(self.establish(endpoints, &found, &mut did).await?);
        }
        Ok(SyncReport { is_configured: true, found, did, alive })
    }

    /// Renews it once a day. None if it vanished.
    async fn refresh(
        &self,
        found: &Subscription,
        did: &mut Vec<Action>,
    ) -> Result<Option<(Uuid, Timestamp)>, SubscribeError> {
        let id = found.id;
        if found.expires_at > self.clock.now() + LIFETIME - RENEW_EVERY {
            return Ok(Some((id, found.expires_at)));
        }
        let renewed = self.renew(id).await?;
        did.push(renewed.map_or(Action::Lost { id }, |until| Action::Renewed { id, until }));
        Ok(renewed.map(|until| (id, until)))
    }

    /// Makes a subscription beside those that are there.
    async fn establish(
        &self,
        endpoints: &Endpoints,
        found: &[MatchedSubscription],
        did: &mut Vec<Action>,
    ) -> Result<(Uuid, Timestamp), SubscribeError> {
        let mut others: Vec<MatchedSubscription> =
            found.iter().filter(|found| found.fit != Match::OtherResource).cloned().collect();
        others.retain(|other| !did.contains(&Action::Lost { id: other.subscription.id }));
        // Every turn ends it, or knows one more that stands in the way, or one less.
        for _ in 0..2 * CHANGE_TYPES.len() {
            let is_taken = |wanted: &str| others.iter().any(|other| covers(&other.subscription, wanted));
            let Some(change_type) = CHANGE_TYPES.into_iter().find(|wanted| !is_taken(wanted)) else {
                self.make_room(&mut others, did).await?;
                continue;
            };
            let wanted = NewSubscription {
                resource: RESOURCE.to_owned(),
                change_type: change_type.to_owned(),
                notification_url: endpoints.notification_url(),
                lifecycle_url: Some(endpoints.lifecycle_url()),
                expires_at: self.clock.now() + LIFETIME,
                client_state: self.client_state.clone(),
            };
            match self.graph.create_subscription(&wanted).await? {
                SubscriptionCreation::Created(made) => {
                    metrics::subscription("created");
                    did.push(Action::Created { id: made.id, until: made.expires_at });
                    return Ok((made.id, made.expires_at));
                }
                // Somebody made it in between, or a list that was behind did not show it.
                SubscriptionCreation::AlreadyExists { id: Some(id) } => {
                    let Some(existing) = self.graph.subscription(id).await?.map(|one| self.judge(one)) else {
                        continue;
                    };
                    if existing.fit == Match::Current
                        && let Some(alive) = self.refresh(&existing.subscription, did).await?
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

    /// Deletes one of ours that is out of date; one whose notifications are still accepted comes last.
    async fn make_room(
        &self,
        others: &mut Vec<MatchedSubscription>,
        did: &mut Vec<Action>,
    ) -> Result<(), SubscribeError> {
        let worst = others.iter().filter(|other| other.fit.is_ours()).min_by_key(|other| other.fit == Match::Previous);
        let Some(id) = worst.map(|worst| worst.subscription.id) else {
            return Err(SubscribeError::TakenElsewhere(others.iter().map(|other| other.subscription.id).collect()));
        };
        self.delete(id, did).await?;
        others.retain(|other| other.subscription.id != id);
        Ok(())
    }

    /// None if it vanished: renewing never brings it back.
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

    async fn delete(&self, id: Uuid, did: &mut Vec<Action>) -> Result<(), SubscribeError> {
        if self.graph.delete_subscription(id).await? == SubscriptionDeletion::Deleted {
            metrics::subscription("deleted");
            did.push(Action::Deleted { id });
        }
        Ok(())
    }
}

impl fmt::Debug for Subscribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribe").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

/// Whether it stands in the way of a subscription with these changes.
fn covers(subscription: &Subscription, wanted: &str) -> bool {
    let kinds = |text: &str| {
        let mut kinds: Vec<String> = text.split(',').map(|kind| kind.trim().to_ascii_lowercase()).collect();
        kinds.sort();
        kinds
    };
    kinds(&subscription.change_type) == kinds(wanted)
}

fn ids(ids: &[Uuid]) -> String {
    if ids.is_empty() {
        return "Graph does not say which".to_owned();
    }
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
