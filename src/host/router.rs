//! The two routers of the function app, made from the manifest.
//!
//! [`public_router`] is what the internet may reach; [`trigger_router`] is for the Functions host and the standalone pump
//! alone, because a trigger believes whatever it is sent. Only under the host, on the loopback interface, are both served
//! by one listener. A function in the manifest that this program does not implement is an error at start-up.

use std::sync::Arc;

use anyhow::{Result, bail};
use axum::Router;
use axum::routing::get;

pub use super::functions::Functions;
use super::manifest::{Function, Manifest, Trigger};
use super::triggers;
use super::webhook::{self, Inbox};

/// The endpoints that Microsoft Graph calls, under the path that the host proxies (`/api/notifications`), and `/`, which
/// says that the process answers: the host and orchestrators poll it.
pub fn public_router(functions: &Arc<Functions>, manifest: &Manifest) -> Result<Router> {
    let mut router = Router::new().route("/", get(|| async { "photorelay" }));
    for function in &manifest.functions {
        let Trigger::Http { route } = &function.trigger else { continue };
        let inbox = match function.name.as_str() {
            "notifications" => Inbox::Notifications,
            "lifecycle" => Inbox::Lifecycle,
            _ => return not_implemented(function),
        };
        let path = format!("/{}/{route}", manifest.route_prefix);
        router = router.merge(webhook::routes(&path, Arc::clone(functions), inbox));
    }
    Ok(router)
}

/// Every other function of the manifest, as `POST /{function}` with an envelope.
pub fn trigger_router(functions: &Arc<Functions>, manifest: &Manifest) -> Result<Router> {
    let mut router = Router::new();
    for function in &manifest.functions {
        if matches!(function.trigger, Trigger::Http { .. }) {
            continue;
        }
        match triggers::route(function, functions) {
            Some(route) => router = router.merge(route),
            None => return not_implemented(function),
        }
    }
    Ok(router)
}

fn not_implemented(function: &Function) -> Result<Router> {
    bail!("function.json names `{}` with {:?}, which this program does not implement", function.name, function.trigger)
}
