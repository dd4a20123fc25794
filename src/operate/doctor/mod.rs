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
use photorelay_core::entra::NoCaCertificates;
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

/// Runs all checks; for `user`, the whole way of one photo too. Side by side, so that the result is there within a minute
/// when several of them get no answer.
pub async fn run_checks(context: &DoctorContext, user: Option<&str>) -> Diagnosis {
    let config = &context.config;
    let mut results =
        vec![CheckResult::ok("configuration", format!("complete, for the tenant {}", config.graph.tenant_id))];
    if config.notifications.client_state.is_none() {
        results.push(CheckResult::warning(
            "client state",
            "PHOTORELAY_CLIENT_STATE is not set here, or cannot be read: what depends on it is not checked",
            "set PHOTORELAY_CLIENT_STATE_FILE to check it: `run`, `serve` and `subscribe` need it",
        ));
    }
    let (token, storage, endpoint, graph) =
        tokio::join!(check_token(context), check_storage(context), check_endpoint(config), check_graph(context, user));
    [token, storage, endpoint, graph].into_iter().for_each(|part| results.extend(part));
    Diagnosis(results)
}

async fn check_token(context: &DoctorContext) -> Vec<CheckResult> {
    let mut results = Vec::new();
    match &context.graph {
        Err(error) => results.push(not_built("token", error, "correct the credential in the environment")),
        Ok(Connected { tokens, .. }) => token::check(&**tokens, &context.config, &mut results).await,
    }
    results
}

async fn check_storage(context: &DoctorContext) -> Vec<CheckResult> {
    let mut results = Vec::new();
    match &context.storage {
        Err(error) => results.push(not_built("storage", error, "correct PhotoStorage__* in the environment")),
        Ok(storage) => storage::check(storage, &context.config.targets, &mut results).await,
    }
    results
}

async fn check_endpoint(config: &AppConfig) -> Vec<CheckResult> {
    let mut results = Vec::new();
    match &config.notifications.delivery {
        Some(NotificationDelivery::Events(_)) => {
            results.push(CheckResult::ok("endpoint", "none: notifications come as events"))
        }
        Some(NotificationDelivery::Webhook(url)) => endpoint::check(Some(url), &mut results).await,
        None => endpoint::check(None, &mut results).await,
    }
    results
}

async fn check_graph(context: &DoctorContext, user: Option<&str>) -> Vec<CheckResult> {
    let Ok(Connected { graph, subscribe, .. }) = &context.graph else { return Vec::new() };
    let (mut subscription, mut settings, mut person) = (Vec::new(), Vec::new(), Vec::new());
    tokio::join!(
        async {
            if subscribe.is_configured() {
                tenant::subscription(subscribe, Timestamp::now(), &mut subscription).await;
            }
        },
        tenant::photo_settings(graph, &mut settings),
        async {
            if let Some(user) = user {
                let (storage, scope) = (context.storage.as_ref().ok(), &context.config.scope);
                tenant::person(graph, storage, scope, user, &mut person).await;
            }
        }
    );
    [subscription, settings, person].concat()
}

/// What could not even be built: the configuration is wrong, unless the machine is.
fn not_built(check: &str, error: &str, fix: &str) -> CheckResult {
    match error.contains(NoCaCertificates::PROBLEM) {
        true => CheckResult::error(check, NoCaCertificates::PROBLEM, NoCaCertificates::FIX),
        false => CheckResult::error(check, error, fix),
    }
}
