//! `GET /users/delta`: who was added, changed or removed since a link was given.
//!
//! What happens during a round shows up in it or in the next one, sometimes in both.
//! <https://learn.microsoft.com/graph/delta-query-overview>

use serde_json::{Value, json};

use crate::config::roles::READ_USERS;
use crate::locked::locked;
use crate::model::{Deleted, DirectoryUser};

use super::delta_link::{DeltaRequest, DeltaRound};
use super::query::users_context;
use super::{ApiCall, ApiResponse, ApiResult, ApiState, Caller};

pub(crate) fn page(state: &ApiState, call: &ApiCall, caller: &Caller) -> ApiResult {
    state.require(caller, &READ_USERS)?;
    let body = match DeltaRequest::of(state, call)? {
        DeltaRequest::Latest(round) => json!({
            "@odata.context": users_context(state, round.select.as_deref()), "value": [],
            "@odata.deltaLink": round.delta_link(state),
        }),
        DeltaRequest::Page(round) => page_of(state, round),
    };
    Ok(ApiResponse::json(200, body).with("x-ms-resource-unit", "1"))
}

fn page_of(state: &ApiState, round: DeltaRound) -> Value {
    let mut body = json!({ "@odata.context": users_context(state, round.select.as_deref()) });
    if state.model.dice.chance(state.settings().delta_empty_pages) {
        body["value"] = json!([]);
        body["@odata.nextLink"] = round.next_link(state, round.at);
        return body;
    }
    let (value, next) = listed(state, &round);
    body["value"] = Value::Array(value);
    match next {
        Some(at) => body["@odata.nextLink"] = round.next_link(state, at),
        None => body["@odata.deltaLink"] = round.next(state).delta_link(state),
    }
    body
}

/// The people of one page, and where the next page starts.
fn listed(state: &ApiState, round: &DeltaRound) -> (Vec<Value>, Option<usize>) {
    let settings = state.settings();
    let is_replayed = || state.model.dice.chance(settings.delta_replays);
    let directory = locked(&state.model.directory);
    let (mut value, mut repeated, mut next) = (Vec::new(), Vec::new(), None);
    let people: Box<dyn Iterator<Item = _>> = match round.since {
        Some(_) if settings.delta_replays == 0.0 => Box::new(directory.kept_from(round.at)),
        _ => Box::new(directory.people_from(round.at)),
    };
    for (index, person) in people {
        let is_shown = shows(round, &person, settings.delta_shows_photo_changes)
            || (round.since.is_some() && person.deleted.is_none() && is_replayed());
        if !is_shown {
            continue;
        }
        if value.len() == settings.delta_page.max(1) {
            next = Some(index);
            break;
        }
        let item = item(&person, round.select.as_deref());
        if is_replayed() {
            repeated.push(item.clone());
        }
        value.push(item);
    }
    value.append(&mut repeated);
    (value, next)
}

/// Whether a person belongs in this round.
fn shows(round: &DeltaRound, person: &DirectoryUser, with_photos: bool) -> bool {
    let Some(since) = round.since else {
        // A person who is deleted during the first round may already have been shown.
        return person.deleted.is_none() || person.listed > round.began;
    };
    let selected = |name: &str| round.select.as_ref().is_none_or(|names| names.iter().any(|wanted| wanted == name));
    person.listed > since
        || (with_photos && person.revision > since)
        || person.edited.iter().any(|(name, revision)| *revision > since && selected(name))
}

fn item(person: &DirectoryUser, select: Option<&[String]>) -> Value {
    let reason = match person.deleted {
        None => {
            let mut item = person.user.projected(select);
            item.insert("id".into(), json!(person.user.id));
            return Value::Object(item);
        }
        Some(Deleted::Restorable) => "changed",
        Some(Deleted::Permanently) => "deleted",
    };
    json!({ "id": person.user.id, "@removed": { "reason": reason } })
}
