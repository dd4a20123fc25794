//! Membership of groups: `transitiveMembers` and `checkMemberGroups`.

use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::config::roles::READ_GROUPS;
use crate::locked::locked;

use super::query::{PageRequest, next_link};
use super::{ApiCall, ApiResponse, ApiResult, ApiState, Caller};

/// Groups that one `checkMemberGroups` may name.
const MOST_GROUPS: usize = 20;

pub(crate) fn transitive_members(state: &ApiState, call: &ApiCall, caller: &Caller, id: &str) -> ApiResult {
    state.require(caller, &READ_GROUPS)?;
    if let Some(select) = call.query_option("$select").filter(|select| *select != "id") {
        return Err(state.refuse(call, "query_option_invalid", &[("value", select)]));
    }
    let PageRequest { start, top } = PageRequest::of(state, call)?;
    let groups = locked(&state.model.groups);
    let members = id.parse().ok().and_then(|id| groups.transitive_members(id));
    let members = members.ok_or_else(|| state.error("user_unknown", &[("key", id)]))?;
    let page = members.iter().skip(start).take(top).map(|id| {
        let data_type = if groups.contains(*id) { "#microsoft.graph.group" } else { "#microsoft.graph.user" };
        json!({ "@odata.type": data_type, "id": id })
    });
    let context = format!("{}/v1.0/$metadata#directoryObjects", state.url);
    let mut body = json!({ "@odata.context": context, "value": page.collect::<Vec<_>>() });
    if start + top < members.len() {
        body["@odata.nextLink"] = next_link(state, call, start + top);
    }
    Ok(ApiResponse::json(200, body).with("x-ms-resource-unit", "1"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CheckMemberGroups {
    group_ids: Vec<Uuid>,
}

pub(crate) fn check_member_groups(state: &ApiState, call: &ApiCall, caller: &Caller, key: &str) -> ApiResult {
    state.require(caller, &READ_GROUPS)?;
    state.require_media_type(call, "application/json")?;
    let asked: Option<CheckMemberGroups> = serde_json::from_slice(&call.body).ok();
    let Some(asked) = asked.filter(|asked| (1..=MOST_GROUPS).contains(&asked.group_ids.len())) else {
        return Err(state.refuse(call, "query_option_invalid", &[("value", "groupIds")]));
    };
    let index = state.find_user(key)?;
    let person = locked(&state.model.directory).user(index).id;
    let groups = locked(&state.model.groups);
    let has_member = |group: &Uuid| groups.transitive_members(*group).is_some_and(|all| all.contains(&person));
    let value: Vec<Uuid> = asked.group_ids.into_iter().filter(has_member).collect();
    let context = format!("{}/v1.0/$metadata#Collection(Edm.String)", state.url);
    Ok(ApiResponse::json(200, json!({ "@odata.context": context, "value": value })).with("x-ms-resource-unit", "1"))
}
