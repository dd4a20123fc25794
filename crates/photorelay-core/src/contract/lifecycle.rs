//! A lifecycle event of a subscription: Graph reports that the subscription needs attention.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Contract, V1};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleMessage {
    pub v: V1,
    pub event: LifecycleEvent,
    pub subscription_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// The lifecycle events that photorelay handles, with Graph's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LifecycleEvent {
    /// Graph delivers nothing more until the subscription is renewed or reauthorized.
    ReauthorizationRequired,
    SubscriptionRemoved,
    /// Notifications were lost.
    Missed,
}

impl LifecycleEvent {
    /// Returns `None` for an unknown event.
    pub fn from_graph(word: &str) -> Option<Self> {
        let all = [Self::ReauthorizationRequired, Self::SubscriptionRemoved, Self::Missed];
        all.into_iter().find(|event| event.as_str().eq_ignore_ascii_case(word))
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReauthorizationRequired => "reauthorizationRequired",
            Self::SubscriptionRemoved => "subscriptionRemoved",
            Self::Missed => "missed",
        }
    }
}

impl Contract for LifecycleMessage {}
