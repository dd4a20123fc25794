//! `/_sim/`: what a user of the program cannot reach through Graph itself, as JSON. Needs no token; the README lists it.
//!
//! Tests use the library, which can do far more.

use std::time::Duration;

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::locked::locked;

use super::{ApiCall, ApiResponse, ApiState};

const LIST_LIMIT: usize = 100;

pub(crate) fn respond(state: &ApiState, call: &ApiCall) -> ApiResponse {
    match control(state, call) {
        Ok(Some(body)) => ApiResponse::json(200, body),
        Ok(None) => {
            let error = format!("{} {} is not a control of the simulator", call.method, call.path);
            ApiResponse::json(404, json!({ "error": error }))
        }
        Err(problem) => ApiResponse::json(400, json!({ "error": format!("{problem:#}") })),
    }
}

/// The body of the response; `None` for an unknown control.
fn control(state: &ApiState, call: &ApiCall) -> anyhow::Result<Option<Value>> {
    let parts: Vec<&str> = call.segments.iter().skip(1).map(String::as_str).collect();
    Ok(Some(match (&call.method, parts.as_slice()) {
        (&Method::GET, ["settings"]) => json!(state.settings()),
        (&Method::PATCH, ["settings"]) => change_settings(state, serde_json::from_slice(&call.body)?)?,
        (&Method::POST, ["users", key, "photo", "next"]) => {
            let directory = locked(&state.model.directory);
            let index = directory.find(key).ok_or_else(|| anyhow::anyhow!("the tenant has no user '{key}'"))?;
            let id = directory.user(index).id;
            drop(directory);
            state.tenant().change_photo(id)?;
            json!({ "changed": id })
        }
        (&Method::POST, ["clock", "advance"]) => {
            let wanted: ClockAdvance = serde_json::from_slice(&call.body)?;
            state.model.clock.advance(Duration::from_secs(wanted.seconds));
            state.notifier.wake();
            json!({ "now": state.now() })
        }
        (&Method::GET, ["requests"]) => {
            let log = locked(&state.requests);
            let from = log.entries.len().saturating_sub(LIST_LIMIT);
            json!({ "counters": log.counters, "requests": log.entries[from..] })
        }
        (&Method::GET, ["violations"]) => json!({ "violations": *locked(&state.violations) }),
        _ => return Ok(None),
    }))
}

fn change_settings(state: &ApiState, changes: Map<String, Value>) -> anyhow::Result<Value> {
    let mut merged = json!(state.settings());
    for (name, value) in changes {
        merged[name.as_str()] = value;
    }
    let settings = serde_json::from_value(merged.clone())?;
    state.settings.edit(|known| *known = settings);
    state.notifier.wake();
    Ok(merged)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockAdvance {
    seconds: u64,
}
