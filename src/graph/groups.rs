//! Transitive group members. Requested only where groups are configured as the scope.

use photorelay_core::id::{GroupId, UserId};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::batch::BatchEntry;
use super::client::Graph;
use super::error::{GraphError, RequestContext};
use super::request::{Priority, Request};
use super::response::{ItemBody, ItemResponse};

const NEEDS: &str = "GroupMember.Read.All";
/// The largest page that Graph returns.
const PAGE: &str = "$select=id&$top=999";
/// A group cannot have more pages.
const MAX_PAGES: u32 = 5_000;
/// The most groups that one request can ask about.
pub const MAX_GROUPS: usize = 20;

#[derive(Deserialize)]
struct WirePage {
    value: Vec<WireMember>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct WireMember {
    /// Of a user, a group, a device: ids are unique among all of them.
    id: UserId,
}

#[derive(Deserialize)]
struct WireGroups {
    value: Vec<GroupId>,
}

impl Graph {
    /// Shows all members of a group, transitive ones included, page by page: nothing is kept of a group of any size.
    pub async fn group_members(&self, group: GroupId, mut show: impl FnMut(UserId)) -> Result<(), GraphError> {
        let mut url = self.transport.url(&["groups", &group.to_string(), "transitiveMembers"]);
        url.set_query(Some(PAGE));
        for _ in 0..MAX_PAGES {
            let request = Request::new("list the group", NEEDS, Method::GET, url).priority(Priority::Low);
            let answer = self.transport.send(request).await?;
            let trace = answer.trace.clone();
            let page: WirePage = answer.json()?;
            page.value.into_iter().for_each(|member| show(member.id));
            let Some(next) = page.next else { return Ok(()) };
            url = self.transport.accept_link(&next).ok_or_else(|| bad("a link to another place", &trace))?;
        }
        Err(bad("a list that does not come to an end", &RequestContext::of("list the group", None)))
    }

    /// Whether each of up to [`MAX_BATCH`](super::MAX_BATCH) users is in one of up to [`MAX_GROUPS`] groups, directly
    /// or through others.
    pub async fn are_in_groups(
        &self,
        users: &[UserId],
        groups: &[GroupId],
        priority: Priority,
    ) -> Result<Vec<(UserId, Result<bool, GraphError>)>, GraphError> {
        let item = |user| BatchEntry::post(format!("/users/{user}/checkMemberGroups"), json!({ "groupIds": groups }));
        let items = self.batch_of("look into the groups", NEEDS, users, priority, item).await?;
        Ok(items.into_iter().map(|(user, item)| (user, item.and_then(is_in_any))).collect())
    }
}

fn is_in_any(item: ItemResponse) -> Result<bool, GraphError> {
    if !(200..300).contains(&item.status) {
        return Err(item.into_error());
    }
    let ItemBody::Json(json) = &item.body else { return Err(item.bad("no JSON")) };
    let wire: WireGroups =
        serde_json::from_str(json.get()).map_err(|_| item.bad("JSON of another form than promised"))?;
    Ok(!wire.value.is_empty())
}

fn bad(reason: &str, trace: &RequestContext) -> GraphError {
    GraphError::BadAnswer { reason: reason.to_owned(), at: Box::new(trace.clone()) }
}
