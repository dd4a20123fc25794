//! `photorelay doctor`: checks everything that has to be right before a photo can travel, and says how to fix what is
//! not. One failed check never hides the others.
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

/// What is checked. What could not be built at all is an error in words.
#[derive(Debug)]
pub struct DoctorContext {
    pub config: AppConfig,
    pub graph: Result<Connected, String>,
    pub storage: Result<Storage, String>,
}

/// What talks to Graph.
#[derive(Debug)]
pub struct Connected {
    pub graph: Arc<Graph>,
    pub tokens: Arc<dyn TokenSource>,
    pub subscribe: Subscribe,
}

/// Runs all checks; for `user`, the whole way of one photo too.
pub async fn run_checks(context: &DoctorContext, user: Option<&str>) -> Diagnosis {
    let config = &context.config;
    let mut results =
        vec![CheckResult::ok("configuration", format!("complete, for the tenant {}", config.graph.tenant_id))];
    match &context.graph {
        Err(error) => results.push(CheckResult::error("token", error, "correct the credential in the environment")),
        Ok(Connected { tokens, .. }) => token::check(&**tokens, config, &mut results).await,
    }
    match &context.storage {
        Err(error) => results.push(CheckResult::error("storage", error, "correct PhotoStorage__* in the environment")),
        Ok(storage) => storage::check(storage, &config.targets, &mut results).await,
    }
    match &config.notifications.delivery {
        Some(NotificationDelivery::Events(_)) => {
            results.push(CheckResult::ok("endpoint", "none: notifications come as events"))
        }
        Some(NotificationDelivery::Webhook(url)) => endpoint::check(Some(url), &mut results).await,
        None => endpoint::check(None, &mut results).await,
    }
    if let Ok(Connected { graph, subscribe, .. }) = &context.graph {
        if subscribe.is_configured() {
            tenant::subscription(subscribe, Timestamp::now(), &mut results).await;
        }
        tenant::photo_settings(graph, &mut results).await;
        if let Some(user) = user {
            tenant::person(graph, context.storage.as_ref().ok(), &config.scope, user, &mut results).await;
        }
    }
    Diagnosis(results)
}
