//! `photorelay doctor`: looks at everything that has to be right before a photo can travel, and says what mends what is
//! not. One check that fails never hides the others.
//!
//! It changes nothing but a probe blob of its own, which it deletes again.

mod endpoint;
mod storage;
mod tenant;
mod token;

use std::sync::Arc;

use jiff::Timestamp;
use photorelay_core::diagnosis::{CheckResult, Diagnosis};
use photorelay_core::storage::Storage;

use crate::config::{AppConfig, NotificationDelivery};
use crate::graph::{Graph, TokenSource};
use crate::jobs::subscribe::Subscribe;

/// What there is to look at. What could not be made at all is an error in words.
#[derive(Debug)]
pub struct DoctorContext {
    pub config: AppConfig,
    pub graph: Result<Connected, String>,
    pub storage: Result<Storage, String>,
}

/// What speaks with Graph.
#[derive(Debug)]
pub struct Connected {
    pub graph: Arc<Graph>,
    pub tokens: Arc<dyn TokenSource>,
    pub subscribe: Subscribe,
}

/// Looks at everything; `user` is somebody to go the whole way for.
pub async fn run_checks(context: &DoctorContext, user: Option<&str>) -> Diagnosis {
    let config = &context.config;
    let mut findings =
        vec![CheckResult::ok("configuration", format!("complete, for the tenant {}", config.graph.tenant_id))];
    match &context.graph {
        Err(error) => findings.push(CheckResult::error("token", error, "correct the credential in the environment")),
        Ok(Connected { tokens, .. }) => token::look(&**tokens, config, &mut findings).await,
    }
    match &context.storage {
        Err(error) => findings.push(CheckResult::error("storage", error, "correct PhotoStorage__* in the environment")),
        Ok(storage) => storage::look(storage, &config.targets, &mut findings).await,
    }
    match &config.notifications.delivery {
        Some(NotificationDelivery::Events(_)) => {
            findings.push(CheckResult::ok("endpoint", "none: notifications come as events"))
        }
        Some(NotificationDelivery::Webhook(url)) => endpoint::look(Some(url), &mut findings).await,
        None => endpoint::look(None, &mut findings).await,
    }
    if let Ok(Connected { graph, subscribe, .. }) = &context.graph {
        if subscribe.is_configured() {
            tenant::subscription(subscribe, Timestamp::now(), &mut findings).await;
        }
        tenant::photo_settings(graph, &mut findings).await;
        if let Some(user) = user {
            tenant::person(graph, context.storage.as_ref().ok(), &config.scope, user, &mut findings).await;
        }
    }
    Diagnosis(findings)
}
