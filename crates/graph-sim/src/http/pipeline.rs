//! The way of every call: holds, the mailbox's concurrency, faults, latency, then the handler.

use std::future::Future;
use std::time::Duration;

use crate::faults::{BodyFault, HoldPoint, MailboxPermit};
use crate::locked::locked;

use super::fault_response::fault_response;
use super::request_log::RecordedItem;
use super::route::Route;
use super::{ApiCall, ApiResponse, ApiResult, ApiState};

/// A response, and the items of a batch that led to it.
#[derive(Debug)]
pub(crate) struct CarriedOut {
    pub(crate) response: ApiResponse,
    pub(crate) items: Vec<RecordedItem>,
    pub(crate) body_fault: Option<BodyFault>,
}

impl From<ApiResponse> for CarriedOut {
    fn from(response: ApiResponse) -> Self {
        Self { response, items: Vec::new(), body_fault: None }
    }
}

/// Carries a call out by `handler`, unless a limit or a fault prevents it.
pub(crate) async fn perform(
    state: &ApiState,
    route: &Route,
    call: &ApiCall,
    handler: impl Future<Output = CarriedOut>,
) -> CarriedOut {
    hold(state, call, HoldPoint::Before).await;
    let permit = match mailbox_permit(state, route) {
        Ok(permit) => permit,
        Err(refusal) => return refusal.into(),
    };
    let mut dice = state.model.dice.fork();
    let outcome = locked(&state.faults).judge(call.line(), &mut dice);
    // A batch takes the time of its items.
    let own = if *route == Route::Batch { 0 } else { state.model.dice.between(state.settings().latency_ms) };
    let latency = outcome.latency_ms + own;
    if latency > 0 {
        tokio::time::sleep(Duration::from_millis(latency)).await;
    }
    let replacement = outcome.fault.as_ref().and_then(|fault| fault_response(state, fault));
    let done = match replacement {
        Some(response) if !outcome.carried_out => response.into(),
        replacement => {
            let done = handler.await;
            let response = replacement.unwrap_or(done.response);
            CarriedOut { response, body_fault: outcome.fault.as_ref().and_then(BodyFault::of), ..done }
        }
    };
    drop(permit);
    hold(state, call, HoldPoint::After).await;
    done
}

async fn hold(state: &ApiState, call: &ApiCall, point: HoldPoint) {
    let held = locked(&state.holds).catch(call.line(), point);
    if let Some(held) = held {
        held.released().await;
    }
}

/// `None` for calls that no mailbox serves.
fn mailbox_permit(state: &ApiState, route: &Route) -> ApiResult<Option<MailboxPermit>> {
    let mailbox = route.mailbox().and_then(|user| locked(&state.model.directory).find(user));
    let Some(mailbox) = mailbox else { return Ok(None) };
    let refusal = || state.error("throttled_mailbox", &[]).with("Retry-After", "1");
    state.mailboxes.permit(mailbox).map(Some).ok_or_else(refusal)
}
