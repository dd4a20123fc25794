//! Groups, as far as membership goes: `transitiveMembers` and `checkMemberGroups`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::auth::{Caller, READ_GROUPS};
use crate::inner::Inner;
use crate::locked;
use crate::users::option;
use crate::wire::{Answer, Call};

const DEFAULT_PAGE: usize = 100;
const LARGEST_PAGE: usize = 999;
/// Groups that one `checkMemberGroups` may name.
const MOST_GROUPS: usize = 20;

/// The direct members of each group: people and groups.
#[derive(Debug, Default)]
pub(crate) struct Groups(pub(crate) BTreeMap<Uuid, Vec<Uuid>>);

impl Groups {
    /// Everybody and everything in a group or in groups of it; none if there is no such group.
    fn transitive(&self, group: Uuid) -> Option<BTreeSet<Uuid>> {
        let mut open: Vec<Uuid> = self.0.get(&group)?.clone();
        let mut all = BTreeSet::new();
        while let Some(member) = open.pop() {
            if all.insert(member) {
                open.extend(self.0.get(&member).into_iter().flatten());
            }
        }
        Some(all)
    }
}

pub(crate) fn transitive_members(inner: &Inner, call: &Call, caller: &Caller, id: &str) -> Result<Answer, Answer> {
    caller.require(inner, &READ_GROUPS)?;
    let invalid = |value: &str| inner.refuse(call, "query_option_invalid", &[("value", value)]);
    if let Some(select) = option(call, "$select").filter(|select| *select != "id") {
        return Err(invalid(select));
    }
    let top = match option(call, "$top") {
        None => DEFAULT_PAGE,
        Some(text) => text.parse().ok().filter(|top| (1..=LARGEST_PAGE).contains(top)).ok_or_else(|| invalid(text))?,
    };
    let start: usize = match option(call, "$skiptoken") {
        None => 0,
        Some(text) => text.parse().map_err(|_| inner.refuse(call, "skiptoken_invalid", &[]))?,
    };
    let known = id.parse().ok().and_then(|id| locked(&inner.groups).transitive(id));
    let members = known.ok_or_else(|| inner.error("user_unknown", &[("key", id)]))?;
    let groups: BTreeSet<Uuid> = locked(&inner.groups).0.keys().copied().collect();
    let page: Vec<_> = members
        .iter()
        .skip(start)
        .take(top)
        .map(|id| {
            let kind = if groups.contains(id) { "#microsoft.graph.group" } else { "#microsoft.graph.user" };
            json!({ "@odata.type": kind, "id": id })
        })
        .collect();
    let mut body = json!({ "@odata.context": format!("{}/v1.0/$metadata#directoryObjects", inner.url), "value": page });
    if start + top < members.len() {
        let link = format!(
            "{}/v1.0/groups/{id}/transitiveMembers?$select=id&$top={top}&$skiptoken={}",
            inner.url,
            start + top
        );
        body["@odata.nextLink"] = json!(link);
    }
    Ok(Answer::json(200, body).with("x-ms-resource-unit", "1"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Asked {
    group_ids: Vec<Uuid>,
}

pub(crate) fn check_member_groups(inner: &Inner, call: &Call, caller: &Caller, key: &str) -> Result<Answer, Answer> {
    caller.require(inner, &READ_GROUPS)?;
    if call.media_type() != "application/json" {
        return Err(inner.refuse(call, "media_type", &[("type", &call.media_type())]));
    }
    let asked: Option<Asked> = serde_json::from_slice(&call.body).ok();
    let asked = asked.filter(|asked| (1..=MOST_GROUPS).contains(&asked.group_ids.len()));
    let Some(asked) = asked else {
        return Err(inner.refuse(call, "query_option_invalid", &[("value", "groupIds")]));
    };
    let person = {
        let directory = locked(&inner.directory);
        let index = directory.find(key).ok_or_else(|| inner.error("user_unknown", &[("key", key)]))?;
        directory.people[index].user.id
    };
    let groups = locked(&inner.groups);
    let has_member = |group: &Uuid| groups.transitive(*group).is_some_and(|members| members.contains(&person));
    let value: Vec<Uuid> = asked.group_ids.into_iter().filter(has_member).collect();
    let context = format!("{}/v1.0/$metadata#Collection(Edm.String)", inner.url);
    Ok(Answer::json(200, json!({ "@odata.context": context, "value": value })).with("x-ms-resource-unit", "1"))
}
