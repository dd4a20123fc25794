//! What a run found and did, for the operator and for the log.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::json;
use uuid::Uuid;

use super::endpoints::SubscriptionMatch;
use crate::graph::Subscription;

/// A subscription of this application, and how it relates to this deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedSubscription {
    pub subscription: Subscription,
    pub matched: SubscriptionMatch,
}

impl Serialize for MatchedSubscription {
    /// Without the URLs: they carry secrets.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Subscription { id, change_type, expires_at, .. } = &self.subscription;
        let shown = json!({ "id": id, "changeType": change_type, "until": expires_at, "is": self.matched });
        shown.serialize(serializer)
    }
}

/// One thing that a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum Action {
    Created {
        id: Uuid,
        until: Timestamp,
    },
    Renewed {
        id: Uuid,
        until: Timestamp,
    },
    /// It vanished before it could be renewed.
    Lost {
        id: Uuid,
    },
    Deleted {
        id: Uuid,
    },
}

/// The state after a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncReport {
    /// Whether there is an endpoint that Graph could notify.
    pub is_configured: bool,
    pub found: Vec<MatchedSubscription>,
    pub actions: Vec<Action>,
    /// The subscription that lives now, and until when.
    #[serde(serialize_with = "alive")]
    pub alive: Option<(Uuid, Timestamp)>,
}

fn alive<S: Serializer>(alive: &Option<(Uuid, Timestamp)>, serializer: S) -> Result<S::Ok, S::Error> {
    alive.map(|(id, until)| json!({ "id": id, "until": until })).serialize(serializer)
}

impl SyncReport {
    /// One line for the log.
    pub fn summary(&self) -> String {
        match (self.alive, self.actions.as_slice()) {
            _ if !self.is_configured => NOT_CONFIGURED.to_owned(),
            (Some((id, until)), []) => format!("subscription {id} is alive until {until}"),
            (_, actions) => actions.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        }
    }
}

const NOT_CONFIGURED: &str = "no subscription: PHOTORELAY_PUBLIC_URL is not set, so Graph cannot notify";

impl fmt::Display for MatchedSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Subscription { id, change_type, expires_at, .. } = &self.subscription;
        write!(f, "{id} for `{change_type}` until {expires_at:.0}, {}", self.matched)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Created { id, until } => write!(f, "created {id}, until {until:.0}"),
            Action::Renewed { id, until } => write!(f, "renewed {id}, until {until:.0}"),
            Action::Lost { id } => write!(f, "{id} no longer existed when it was due for renewal"),
            Action::Deleted { id } => write!(f, "deleted {id}"),
        }
    }
}

impl fmt::Display for SyncReport {
    /// Several lines: what was found, then what was done.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_configured {
            return f.write_str(NOT_CONFIGURED);
        }
        labelled(f, "found", &self.found, "no subscription of this application")?;
        f.write_str("\n")?;
        labelled(f, "did", &self.actions, "nothing: it is alive and was renewed within a day")
    }
}

/// The label stands before the first line only.
pub(super) fn labelled<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    label: &str,
    lines: &[T],
    none: &str,
) -> fmt::Result {
    if lines.is_empty() {
        return write!(f, "{label:<6} {none}");
    }
    for (at, line) in lines.iter().enumerate() {
        let (end, label) = if at == 0 { ("", label) } else { ("\n", "") };
        write!(f, "{end}{label:<6} {line}")?;
    }
    Ok(())
}
