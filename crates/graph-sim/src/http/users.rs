//! `GET /users` and `GET /users/{id}`: only what was asked for, in pages.

use serde_json::{Value, json};

use crate::config::roles::READ_USERS;
use crate::locked::locked;

use super::filter::Filter;
use super::query::{PageRequest, next_link, selected, users_context};
use super::{ApiCall, ApiResponse, ApiResult, ApiState, Caller};

pub(crate) fn get(state: &ApiState, call: &ApiCall, caller: &Caller, key: &str) -> ApiResult {
    state.require(caller, &READ_USERS)?;
    let select = selected(state, call)?;
    let index = state.find_user(key)?;
    let mut body = locked(&state.model.directory).user(index).projected(select.as_deref());
    let context = format!("{}/$entity", users_context(state, select.as_deref()));
    body.insert("@odata.context".into(), json!(context));
    Ok(ApiResponse::json(200, Value::Object(body)).with("x-ms-resource-unit", "1"))
}

pub(crate) fn list(state: &ApiState, call: &ApiCall, caller: &Caller) -> ApiResult {
    state.require(caller, &READ_USERS)?;
    let select = selected(state, call)?;
    let filter = Filter::of(state, call)?;
    let PageRequest { start, top } = PageRequest::of(state, call)?;
    let directory = locked(&state.model.directory);
    let listed =
        directory.people_from(start).filter(|(_, person)| person.deleted.is_none() && filter.admits(&person.user));
    let mut rest = listed.peekable();
    let page = rest.by_ref().take(top).map(|(_, person)| Value::Object(person.user.projected(select.as_deref())));
    let page: Vec<Value> = page.collect();
    let mut body = json!({ "@odata.context": users_context(state, select.as_deref()), "value": page });
    if let Some((next, _)) = rest.peek() {
        body["@odata.nextLink"] = next_link(state, call, *next);
    }
    let units = if select.is_some() || top < 20 { "1" } else { "2" };
    Ok(ApiResponse::json(200, body).with("x-ms-resource-unit", units))
}
