//! User properties: what ties an Entra ID user to an on-premises account.
//!
//! These are personal data: they are never printed. An answer about another user than the requested one is refused,
//! because it would put a photo on the wrong account.

use std::fmt;

use photorelay_core::contract::Identity;
use photorelay_core::id::UserId;
use reqwest::Method;
use serde::Deserialize;

use super::client::Graph;
use super::error::GraphError;
use super::request::{Priority, Request};
use super::response::{ItemBody, ItemResponse};

const NEEDS: &str = "User.Read.All";
const SELECT: &str = "id,userType,accountEnabled,onPremisesSyncEnabled,onPremisesImmutableId,\
                      onPremisesSamAccountName,onPremisesDomainName,onPremisesSecurityIdentifier";
/// None of the properties can be longer; a message that carries them has to stay small.
const MAX_PROPERTY_BYTES: usize = 256;
/// A user principal name has at most 113 characters; this leaves room for what people paste.
const MAX_NAME_BYTES: usize = 512;

/// A user as Entra ID knows them.
#[derive(Clone, PartialEq, Eq)]
pub struct GraphUser {
    pub id: UserId,
    /// `Member` or `Guest`; none for very old accounts.
    pub user_type: Option<String>,
    pub account_enabled: Option<bool>,
    /// True: synchronised; false: no longer synchronised; none: never was, or the source of authority was moved to the
    /// cloud.
    pub sync_enabled: Option<bool>,
    /// `onPremisesImmutableId`: the source anchor.
    pub anchor: Option<String>,
    pub sid: Option<String>,
    pub sam_account_name: Option<String>,
    pub domain: Option<String>,
    /// This and the next two are read only if [`IdentityExtra`](super::IdentityExtra) names them.
    pub employee_id: Option<String>,
    pub user_principal_name: Option<String>,
    pub mail: Option<String>,
}

impl GraphUser {
    /// The user's on-premises account.
    pub fn identity(&self) -> Identity {
        Identity {
            anchor: self.anchor.clone(),
            sid: self.sid.clone(),
            sam_account_name: self.sam_account_name.clone(),
            domain: self.domain.clone(),
            employee_id: self.employee_id.clone(),
            user_principal_name: self.user_principal_name.clone(),
            mail: self.mail.clone(),
        }
    }
}

impl fmt::Debug for GraphUser {
    /// Personal data: says only what is known, not what it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphUser")
            .field("id", &self.id)
            .field("user_type", &self.user_type)
            .field("account_enabled", &self.account_enabled)
            .field("sync_enabled", &self.sync_enabled)
            .field("identity", &self.identity())
            .finish()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireUserProperties {
    id: UserId,
    user_type: Option<String>,
    account_enabled: Option<bool>,
    on_premises_sync_enabled: Option<bool>,
    on_premises_immutable_id: Option<String>,
    on_premises_security_identifier: Option<String>,
    on_premises_sam_account_name: Option<String>,
    on_premises_domain_name: Option<String>,
    employee_id: Option<String>,
    user_principal_name: Option<String>,
    mail: Option<String>,
}

#[derive(Deserialize)]
struct WireId {
    id: UserId,
}

impl Graph {
    /// Up to [`MAX_BATCH`](super::MAX_BATCH) users in one request; none for those that do not exist.
    pub async fn users(
        &self,
        users: &[UserId],
        priority: Priority,
    ) -> Result<Vec<(UserId, Result<Option<GraphUser>, GraphError>)>, GraphError> {
        let extra = self.transport.identity_extra().select();
        let path = |user| format!("/users/{user}?$select={SELECT}{extra}");
        let items = self.batch("read the user", NEEDS, users, priority, path).await?;
        Ok(items.into_iter().map(|(user, item)| (user, item.and_then(|item| graph_user(item, user)))).collect())
    }

    /// Finds a user by user principal name or object id; none if there is no such user.
    pub async fn find_user(&self, upn_or_id: &str) -> Result<Option<UserId>, GraphError> {
        let name = upn_or_id.trim();
        let is_id = name.parse::<UserId>().is_ok();
        let may_be_upn = name.contains('@') && name.len() <= MAX_NAME_BYTES;
        // Anything else could name something below `/users` that is not a user.
        if !is_id && !may_be_upn {
            return Ok(None);
        }
        let mut url = if name.starts_with('$') {
            // A path segment that begins with a dollar sign would be read as an operation.
            self.transport.url(&[&format!("users('{}')", name.replace('\'', "''"))])
        } else {
            self.transport.url(&["users", name])
        };
        url.set_query(Some("$select=id"));
        let answer = self.transport.send(Request::new("find the user", NEEDS, Method::GET, url)).await?;
        if answer.status.as_u16() == 404 {
            let foreign = || answer.bad("a 404 that does not come from Graph".to_owned());
            return if answer.is_from_graph() { Ok(None) } else { Err(foreign()) };
        }
        Ok(Some(answer.json::<WireId>()?.id))
    }
}

fn graph_user(item: ItemResponse, user: UserId) -> Result<Option<GraphUser>, GraphError> {
    match item.status {
        200..=299 => {}
        404 => return Ok(None),
        _ => return Err(item.into_error()),
    }
    let ItemBody::Json(json) = &item.body else {
        return Err(item.bad("no JSON"));
    };
    let wire: WireUserProperties =
        serde_json::from_str(json.get()).map_err(|_| item.bad("JSON of another form than promised"))?;
    if wire.id != user {
        return Err(item.bad("it is about another user"));
    }
    let property = |value: Option<String>| match value {
        Some(text) if text.len() > MAX_PROPERTY_BYTES => Err(item.bad("a property longer than any can be")),
        other => Ok(other.filter(|text| !text.is_empty())),
    };
    Ok(Some(GraphUser {
        id: wire.id,
        user_type: property(wire.user_type)?,
        account_enabled: wire.account_enabled,
        sync_enabled: wire.on_premises_sync_enabled,
        anchor: property(wire.on_premises_immutable_id)?,
        sid: property(wire.on_premises_security_identifier)?,
        sam_account_name: property(wire.on_premises_sam_account_name)?,
        domain: property(wire.on_premises_domain_name)?,
        employee_id: property(wire.employee_id)?,
        user_principal_name: property(wire.user_principal_name)?,
        mail: property(wire.mail)?,
    }))
}
