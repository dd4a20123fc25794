//! Finds users by how the directory calls them, and says how it calls them: for a console that an operator looks at.
//!
//! Names are personal data: they are shown, and never logged or stored. A text that an operator types is a literal of the
//! filter and nothing else.

use std::fmt;

use photorelay_core::id::UserId;
use reqwest::Method;
use serde::Deserialize;

use super::client::Graph;
use super::error::GraphError;
use super::request::{Priority, Request};
use super::response::{ItemBody, ItemResponse};

const NEEDS: &str = "User.Read.All";
const SELECT: &str = "id,displayName,userPrincipalName,onPremisesSamAccountName";
/// What `startsWith` is asked about; each of them supports it without advanced query parameters.
const SEARCHED: [&str; 3] = ["displayName", "userPrincipalName", "onPremisesSamAccountName"];
/// As many as an operator reads. A longer answer means that the text is too short.
pub const MAX_FOUND: usize = 25;
/// No name is longer.
const MAX_TEXT_CHARS: usize = 256;

/// What the directory calls a user.
#[derive(Clone, PartialEq, Eq)]
pub struct DirectoryName {
    pub id: UserId,
    pub display_name: Option<String>,
    pub user_principal_name: Option<String>,
    pub sam_account_name: Option<String>,
}

impl fmt::Debug for DirectoryName {
    /// Personal data: shows only who it is about.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryName").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireNames {
    id: UserId,
    display_name: Option<String>,
    user_principal_name: Option<String>,
    on_premises_sam_account_name: Option<String>,
}

#[derive(Deserialize)]
struct WireNamesPage {
    value: Vec<WireNames>,
}

impl From<WireNames> for DirectoryName {
    fn from(wire: WireNames) -> Self {
        let fit = |name: Option<String>| name.map(|name| name.chars().take(MAX_TEXT_CHARS).collect());
        Self {
            id: wire.id,
            display_name: fit(wire.display_name),
            user_principal_name: fit(wire.user_principal_name),
            sam_account_name: fit(wire.on_premises_sam_account_name),
        }
    }
}

impl Graph {
    /// Up to [`MAX_FOUND`] users whose display name, user principal name or sAMAccountName begins with the text.
    pub async fn search_users(&self, text: &str) -> Result<Vec<DirectoryName>, GraphError> {
        let text: String = text.trim().chars().filter(|c| !c.is_control()).take(MAX_TEXT_CHARS).collect();
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let literal = text.replace('\'', "''");
        let conditions = SEARCHED.map(|property| format!("startsWith({property},'{literal}')"));
        let mut url = self.transport.url(&["users"]);
        url.query_pairs_mut()
            .append_pair("$filter", &conditions.join(" or "))
            .append_pair("$select", SELECT)
            .append_pair("$top", &MAX_FOUND.to_string());
        let request = Request::new("search users", NEEDS, Method::GET, url);
        let page: WireNamesPage = self.transport.send(request).await?.json()?;
        Ok(page.value.into_iter().take(MAX_FOUND).map(DirectoryName::from).collect())
    }

    /// The names of up to [`MAX_BATCH`](super::MAX_BATCH) users; those whom Graph does not know or show are left out.
    pub async fn names_of(&self, users: &[UserId]) -> Result<Vec<DirectoryName>, GraphError> {
        let path = |user| format!("/users/{user}?$select={SELECT}");
        let items = self.batch("read names", NEEDS, users, Priority::Normal, path).await?;
        Ok(items.into_iter().filter_map(|(user, item)| names_in(item.ok()?, user)).collect())
    }
}

fn names_in(item: ItemResponse, user: UserId) -> Option<DirectoryName> {
    let ItemBody::Json(json) = &item.body else { return None };
    let wire: WireNames = serde_json::from_str(json.get()).ok().filter(|_| item.status == 200)?;
    (wire.id == user).then(|| wire.into())
}
