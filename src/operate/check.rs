//! `photorelay check <user>`: reconciles one user now, and explains every step it took and why.

use std::io::Write;

use anyhow::{Context, Result};
use photorelay_core::answer::print_json;
use photorelay_core::contract::{Cause, CauseKind, CheckMessage, FetchPolicy, V1};
use photorelay_core::id::UserId;
use photorelay_core::trace::TraceContext;
use serde_json::{Value, json};

use crate::graph::Graph;
use crate::jobs::propagate::{Journal, Propagate};

/// The user with this object id or user principal name.
pub async fn find(graph: &Graph, name: &str) -> Result<UserId> {
    if let Ok(user) = name.parse() {
        return Ok(user);
    }
    graph.find_user(name).await?.context("no user has that object id or user principal name")
}

/// Reconciles the user, whatever the ETag says, and prints the journal. As text, that of a check that failed, too.
pub async fn check(propagate: &Propagate, user: UserId, is_json: bool, out: &mut dyn Write) -> Result<()> {
    let trace = TraceContext::start();
    let message = CheckMessage {
        v: V1,
        cause: Cause::now(CauseKind::Operator, trace.trace_id()),
        users: vec![user],
        fetch_policy: FetchPolicy::Always,
        attempt: 0,
        absence: None,
        traceparent: Some(trace.to_string()),
    };
    let mut journal = Journal::keeping();
    let result = propagate.check(user, &message, &mut journal).await;
    if !is_json {
        write!(out, "{journal}")?;
    }
    let found = result.with_context(|| format!("the check of {user} could not be finished"))?;
    if !is_json {
        return Ok(writeln!(out, "{user}: {found}")?);
    }
    let steps: Vec<Value> = journal.lines().map(|(step, says)| json!({ "step": step, "says": says })).collect();
    let answer = json!({ "userId": user, "steps": steps, "outcome": found, "says": found.to_string() });
    Ok(print_json(out, &answer)?)
}
