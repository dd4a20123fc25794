//! Lifecycle notifications in, messages for `renew` out: Graph's warnings that a subscription needs attention.
//!
//! Judged like notifications: one that is not ours is counted and dropped, and the caller never learns why. A renewal
//! must not happen here: Graph waits for this answer, and a renewal makes Graph call the webhook. Nothing depends on
//! these events: `subscribe` finds every hour what no event announced.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use photorelay_core::contract::{self, LifecycleEvent, LifecycleMessage, V1};
use photorelay_core::id::TenantId;
use photorelay_core::names::SUBSCRIPTIONS_QUEUE;
use photorelay_core::queue::{Outgoing, QueueStore};
use photorelay_core::telemetry::{self, metrics};
use serde::Deserialize;
use tracing::Instrument;
use uuid::Uuid;

use super::notify::{Accepted, ClientStates, NotifyError, Text, items, text};

/// Takes what Graph posts to the lifecycle endpoint.
#[derive(Debug)]
pub struct Lifecycle {
    queues: Arc<dyn QueueStore>,
    tenant: TenantId,
    client_states: Arc<ClientStates>,
}

impl Lifecycle {
    pub fn new(queues: Arc<dyn QueueStore>, tenant: TenantId, client_states: Arc<ClientStates>) -> Self {
        Self { queues, tenant, client_states }
    }

    /// Stores a message for every event of a known kind; the same event twice is one message.
    pub async fn accept(&self, body: &[u8], traceparent: Option<&str>) -> Result<Accepted, NotifyError> {
        let items = items::<Item<'_>>(body)?;
        let ours: Vec<&Item<'_>> = items.iter().flatten().filter(|item| self.is_ours(item)).collect();
        let known: Vec<(LifecycleEvent, Uuid)> = ours.iter().filter_map(|item| item.event()).collect();
        let unknown = ours.len() - known.len();
        let dropped = items.len() - ours.len();
        let distinct: BTreeSet<(LifecycleEvent, Uuid)> = known.iter().copied().collect();
        if !distinct.is_empty() {
            let span = tracing::debug_span!("lifecycle", trace.id = tracing::field::Empty);
            let trace = telemetry::step(&span, traceparent).to_string();
            let messages = distinct.iter().map(|(event, subscription_id)| LifecycleMessage {
                v: V1,
                event: *event,
                subscription_id: *subscription_id,
                traceparent: Some(trace.clone()),
            });
            let messages = messages.map(|message| Outgoing::now(Bytes::from(contract::to_bytes(&message)))).collect();
            self.queues.send(SUBSCRIPTIONS_QUEUE, messages).instrument(span).await?;
        }
        for (event, _) in &known {
            metrics::lifecycle(event.as_str(), 1);
        }
        metrics::lifecycle("unknown", unknown);
        metrics::lifecycle("dropped", dropped);
        if unknown > 0 {
            tracing::warn!(unknown, "lifecycle events of a kind that this version does not know are ignored");
        }
        Ok(Accepted { notifications: known.len(), dropped })
    }

    fn is_ours(&self, item: &Item<'_>) -> bool {
        let authentic = self.client_states.accept(text(&item.client_state));
        let tenants = [text(&item.tenant_id), text(&item.organization_id)];
        let is_own = |tenant: &&str| tenant.parse() == Ok(self.tenant);
        authentic && tenants.iter().any(is_own) && tenants.iter().all(|tenant| tenant.is_empty() || is_own(tenant))
    }
}

/// `changeNotification` with a `lifecycleEvent`, as far as it is used.
/// <https://learn.microsoft.com/graph/change-notifications-lifecycle-events>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(borrow)]
    client_state: Option<Text<'a>>,
    #[serde(borrow)]
    tenant_id: Option<Text<'a>>,
    /// The tenant too: Graph was seen to name it this way, where its documentation shows `tenantId`.
    #[serde(borrow)]
    organization_id: Option<Text<'a>>,
    #[serde(borrow)]
    subscription_id: Option<Text<'a>>,
    #[serde(borrow)]
    lifecycle_event: Option<Text<'a>>,
}

impl Item<'_> {
    fn event(&self) -> Option<(LifecycleEvent, Uuid)> {
        Some((LifecycleEvent::from_graph(text(&self.lifecycle_event))?, text(&self.subscription_id).parse().ok()?))
    }
}
