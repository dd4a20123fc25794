//! Groups: who is in them, directly or through other groups. Asked for only where groups are configured as the scope.

use std::collections::BTreeSet;

use photorelay_core::id::{GroupId, UserId};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{GraphError, RequestContext};
use super::request::{ItemResponse, ReplyBody, Request};
use super::{Graph, Priority};

const NEEDS: &str = "GroupMember.Read.All";
/// The largest page that Graph gives.
const PAGE: &str = "$select=id&$top=999";
/// A group cannot have more pages.
const MAX_PAGES: u32 = 5_000;
/// One request can ask about as many groups.
pub const MAX_GROUPS: usize = 20;

#[derive(Deserialize)]
struct WirePage {
    value: Vec<WireMember>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct WireMember {
    /// Of a person, a group, a device: ids are unique among all of them.
    id: UserId,
}

#[derive(Deserialize)]
struct WireGroups {
    value: Vec<GroupId>,
}

impl Graph {
    /// Everybody in a group, and in the groups of it.
    pub async fn group_members(&self, group: GroupId) -> Result<BTreeSet<UserId>, GraphError> {
        let mut url = self.inner.url(&["groups", &group.to_string(), "transitiveMembers"]);
        url.set_query(Some(PAGE));
        let mut members = BTreeSet::new();
        for _ in 0..MAX_PAGES {
            let call = Request::new("list the group", NEEDS, Method::GET, url).priority(Priority::Low);
            let answer = self.inner.send(call).await?;
            let trace = answer.trace.clone();
            let page: WirePage = answer.json()?;
            members.extend(page.value.into_iter().map(|member| member.id));
            let Some(next) = page.next else { return Ok(members) };
            url = self.inner.accept_link(&next).ok_or_else(|| bad("a link to another place", &trace))?;
        }
        Err(bad("a list that does not come to an end", &RequestContext::of("list the group", None)))
    }

    /// Whether each of up to [`MAX_BATCH`](super::MAX_BATCH) people is in one of up to [`MAX_GROUPS`] groups, directly
    /// or through others.
    pub async fn are_in_groups(
        &self,
        users: &[UserId],
        groups: &[GroupId],
        priority: Priority,
    ) -> Result<Vec<(UserId, Result<bool, GraphError>)>, GraphError> {
        let body = json!({ "groupIds": groups });
        let path = |user| format!("/users/{user}/checkMemberGroups");
        let replies = self.batch_post("look into the groups", NEEDS, users, priority, path, &body).await?;
        Ok(replies.into_iter().map(|(user, reply)| (user, reply.and_then(is_in_any))).collect())
    }
}

fn is_in_any(reply: ItemResponse) -> Result<bool, GraphError> {
    if !(200..300).contains(&reply.status) {
        return Err(reply.into_error());
    }
    let ReplyBody::Json(value @ Value::Object(_)) = &reply.body else { return Err(reply.bad("no JSON")) };
    let wire = WireGroups::deserialize(value).map_err(|_| reply.bad("JSON of another form than promised"))?;
    Ok(!wire.value.is_empty())
}

fn bad(reason: &str, trace: &RequestContext) -> GraphError {
    GraphError::BadAnswer { reason: reason.to_owned(), at: Box::new(trace.clone()) }
}
