//! Query options and pages, as Graph's lists have them in common.

use serde_json::{Value, json};

use crate::model::SimUser;

use super::{ApiCall, ApiResult, ApiState};

const DEFAULT_PAGE: usize = 100;
const LARGEST_PAGE: usize = 999;
const SKIPTOKEN_PREFIX: &str = "RFNwdAoAAQ";

/// The properties of `$select`, all of them known.
pub(crate) fn selected(state: &ApiState, call: &ApiCall) -> ApiResult<Option<Vec<String>>> {
    let Some(text) = call.query_option("$select") else { return Ok(None) };
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    match names.iter().find(|name| !SimUser::is_property(name)) {
        Some(unknown) => Err(state.refuse(call, "property_unknown", &[("property", unknown)])),
        None => Ok(Some(names)),
    }
}

/// `@odata.context` of people.
pub(crate) fn users_context(state: &ApiState, select: Option<&[String]>) -> String {
    let select = select.map(|names| format!("({})", names.join(","))).unwrap_or_default();
    format!("{}/v1.0/$metadata#users{select}", state.url)
}

/// Which part of a list is asked for.
#[derive(Debug)]
pub(crate) struct PageRequest {
    pub(crate) start: usize,
    pub(crate) top: usize,
}

impl PageRequest {
    pub(crate) fn of(state: &ApiState, call: &ApiCall) -> ApiResult<Self> {
        let top = match call.query_option("$top") {
            None => DEFAULT_PAGE,
            Some(text) => {
                let top = text.parse().ok().filter(|top| (1..=LARGEST_PAGE).contains(top));
                top.ok_or_else(|| state.refuse(call, "query_option_invalid", &[("value", text)]))?
            }
        };
        let start = match call.query_option("$skiptoken") {
            None => 0,
            Some(token) => {
                let start = token.strip_prefix(SKIPTOKEN_PREFIX).and_then(|hex| usize::from_str_radix(hex, 16).ok());
                start.ok_or_else(|| state.refuse(call, "skiptoken_invalid", &[]))?
            }
        };
        Ok(Self { start, top })
    }
}

/// `@odata.nextLink`: the same call from another start on.
pub(crate) fn next_link(state: &ApiState, call: &ApiCall, start: usize) -> Value {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in call.query.iter().filter(|(name, _)| name != "$skiptoken") {
        query.append_pair(name, value);
    }
    query.append_pair("$skiptoken", &format!("{SKIPTOKEN_PREFIX}{start:x}"));
    json!(format!("{}{}?{}", state.url, call.path, query.finish()))
}
