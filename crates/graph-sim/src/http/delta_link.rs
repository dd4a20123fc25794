//! The links of `users/delta`: opaque, and complete, so that nothing about a round is kept here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::locked::locked;

use super::query::selected;
use super::{ApiCall, ApiResponse, ApiResult, ApiState};

const LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a link stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DeltaRound {
    /// The revision that the caller knows; none in a first round.
    pub(crate) since: Option<u64>,
    /// The directory's revision when the round began: what the next round starts from.
    pub(crate) began: u64,
    /// Where the next page starts.
    pub(crate) at: usize,
    pub(crate) select: Option<Vec<String>>,
    issued: Timestamp,
    generation: u64,
}

impl DeltaRound {
    fn new(state: &ApiState, since: Option<u64>, began: u64, select: Option<Vec<String>>) -> Self {
        let generation = state.settings().delta_generation;
        Self { since, began, at: 0, select, issued: state.now(), generation }
    }

    /// The round that shows what happens after this one began.
    pub(crate) fn next(&self, state: &ApiState) -> Self {
        Self::new(state, Some(self.began), self.began, self.select.clone())
    }

    /// The link to the page of this round that starts at `at`.
    pub(crate) fn next_link(&self, state: &ApiState, at: usize) -> Value {
        let generation = state.settings().delta_generation;
        Self { at, issued: state.now(), generation, ..self.clone() }.link(state, "$skiptoken")
    }

    pub(crate) fn delta_link(&self, state: &ApiState) -> Value {
        self.link(state, "$deltatoken")
    }

    fn link(&self, state: &ApiState, name: &str) -> Value {
        let token = URL_SAFE_NO_PAD.encode(json!(self).to_string());
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, &token).finish();
        json!(format!("{}/v1.0/users/delta?{query}", state.url))
    }
}

/// What a call of `users/delta` asks for.
pub(crate) enum DeltaRequest {
    Page(DeltaRound),
    /// Only a link to what happens from now on, in that round.
    Latest(DeltaRound),
}

impl DeltaRequest {
    /// A first round, or what the token stands for. A link is followed as it is: nothing may be added to it.
    pub(crate) fn of(state: &ApiState, call: &ApiCall) -> ApiResult<Self> {
        let revision = locked(&state.model.directory).revision();
        let (token, starts_round) = match (call.query_option("$deltatoken"), call.query_option("$skiptoken")) {
            (Some(_), Some(_)) => return Err(state.refuse(call, "delta_token_invalid", &[])),
            (Some("latest"), None) => {
                let select = selected(state, call)?;
                return Ok(Self::Latest(DeltaRound::new(state, Some(revision), revision, select)));
            }
            // An empty token is where a 410 leads.
            (None | Some(""), None) => {
                return Ok(Self::Page(DeltaRound::new(state, None, revision, selected(state, call)?)));
            }
            (Some(token), None) => (token, true),
            (None, Some(token)) => (token, false),
        };
        if call.query.len() > 1 {
            return Err(state.refuse(call, "delta_option_repeated", &[]));
        }
        let mut round = decoded(token).ok_or_else(|| state.refuse(call, "delta_token_invalid", &[]))?;
        let is_too_old = state.now().duration_since(round.issued) > LIFETIME;
        if is_too_old || round.generation != state.settings().delta_generation {
            return Err(resync(state, &round));
        }
        if starts_round {
            round.began = revision;
        }
        Ok(Self::Page(round))
    }
}

/// 410 with the place to start over.
fn resync(state: &ApiState, round: &DeltaRound) -> ApiResponse {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if let Some(select) = &round.select {
        query.append_pair("$select", &select.join(","));
    }
    query.append_pair("$deltatoken", "");
    let location = format!("{}/v1.0/users/delta?{}", state.url, query.finish());
    state.error("delta_resync", &[]).with("Location", location)
}

fn decoded(token: &str) -> Option<DeltaRound> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}
