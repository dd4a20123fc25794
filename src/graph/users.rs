//! The population: `users/delta`, page by page. The caller stores the link of the last page and begins there next time.
//!
//! Links are followed only to the configured Graph URL, because the token goes with the request. An expired link (they
//! live about seven days) is an answer, not an error: begin anew.

use photorelay_core::id::UserId;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::client::Graph;
use super::error::{GraphError, RequestContext};
use super::request::{Priority, Request};

const NEEDS: &str = "User.Read.All";
const SELECT: &str = "$select=id,userType,onPremisesSyncEnabled,onPremisesDomainName,onPremisesSecurityIdentifier";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeltaPage {
    /// Request `next` to get the rest of this round.
    More { users: Vec<DeltaUser>, next: String },
    /// The round is complete; `link` begins the next one.
    Last { users: Vec<DeltaUser>, link: String },
    /// The link is too old: forget the population and begin without one.
    Resync,
}

/// A user that was created, changed or deleted. Users repeat and come in any order; the last mention counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaUser {
    pub id: UserId,
    /// Deleted, for good or for now.
    pub removed: bool,
    pub user_type: Option<String>,
    pub sync_enabled: Option<bool>,
    /// The on-premises domain.
    pub domain: Option<String>,
    /// Whether the user has the SID of an on-premises account.
    pub has_sid: bool,
}

#[derive(Deserialize)]
struct WirePage {
    value: Vec<WireUser>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    delta: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireUser {
    id: UserId,
    #[serde(rename = "@removed")]
    removed: Option<Value>,
    user_type: Option<String>,
    on_premises_sync_enabled: Option<bool>,
    on_premises_domain_name: Option<String>,
    on_premises_security_identifier: Option<String>,
}

impl Graph {
    /// One page of the population: the first of a full list without a link, else what `link` leads to.
    pub async fn users_delta(&self, link: Option<&str>) -> Result<DeltaPage, GraphError> {
        const OPERATION: &str = "list users";
        let url = match link {
            None => {
                let mut url = self.transport.url(&["users", "delta"]);
                url.set_query(Some(SELECT));
                url
            }
            Some(link) => match self.transport.accept_link(link) {
                Some(url) => url,
                // The Graph URL was changed: the old link is of no use.
                None => return Ok(DeltaPage::Resync),
            },
        };
        let answer = self
            .transport
            .send(Request::new(OPERATION, NEEDS, Method::GET, url).priority(Priority::Low).ahead())
            .await?;
        if link.is_some() && (400..500).contains(&answer.status.as_u16()) {
            let item = answer.into_item();
            let code = item.trace.code.as_deref().unwrap_or_default();
            let forgotten =
                ["syncStateNotFound", "resyncRequired"].iter().any(|known| code.eq_ignore_ascii_case(known));
            return if item.status == 410 || forgotten { Ok(DeltaPage::Resync) } else { Err(item.into_error()) };
        }
        let trace = answer.trace.clone();
        let page: WirePage = answer.json()?;
        let users = page
            .value
            .into_iter()
            .map(|user| DeltaUser {
                id: user.id,
                removed: user.removed.is_some(),
                user_type: user.user_type,
                sync_enabled: user.on_premises_sync_enabled,
                domain: user.on_premises_domain_name,
                has_sid: user.on_premises_security_identifier.is_some_and(|sid| !sid.is_empty()),
            })
            .collect();
        match (page.next, page.delta) {
            (Some(next), None) => Ok(DeltaPage::More { next: self.checked(next, &trace)?, users }),
            (None, Some(link)) => Ok(DeltaPage::Last { link: self.checked(link, &trace)?, users }),
            _ => Err(bad("a page with no link, or with two", &trace)),
        }
    }

    fn checked(&self, link: String, trace: &RequestContext) -> Result<String, GraphError> {
        match self.transport.accept_link(&link) {
            Some(_) => Ok(link),
            None => Err(bad("a link to another place", trace)),
        }
    }
}

fn bad(reason: &str, trace: &RequestContext) -> GraphError {
    GraphError::BadAnswer { reason: reason.to_owned(), at: Box::new(trace.clone()) }
}
