//! Names of users for operators: an account name that they give, and the names by which they know who is meant. Nothing here
//! decides what is written; that needs two identifiers (`find.rs`).

use ldap3::Scope;
use photorelay_core::contract::Identity;

use super::attributes::{ACCOUNT, SID, USERS};
use super::connector::LdapConnector;
use super::find::{DirectoryIdentity, among_users};
use super::identifiers::{escaped, sid_bytes};
use crate::connectors::ConnectorError;

/// What Active Directory calls it, on request only.
const DISTINGUISHED: &str = "distinguishedName";
const PRINCIPAL: &str = "userPrincipalName";

/// The names of one user object. Personal data, so there is no Debug.
#[expect(missing_debug_implementations, reason = "personal data")]
pub struct AccountNames {
    pub account: Option<String>,
    pub distinguished: Option<String>,
}

/// The security identifier of a user object. It has no Debug either.
#[expect(missing_debug_implementations, reason = "personal data")]
pub struct AccountSid(Vec<u8>);

impl AccountSid {
    /// Whether an entry of the trail means the same account.
    pub fn is_of(&self, identity: &Identity) -> bool {
        identity.sid.as_deref().and_then(sid_bytes).is_some_and(|sid| sid == self.0)
    }
}

impl LdapConnector {
    /// The names of the user with this identity; none if it is not exactly one.
    pub async fn names_of(&self, identity: &Identity) -> Result<Option<AccountNames>, ConnectorError> {
        let wanted = DirectoryIdentity::of(identity, &self.settings)?;
        let filter = among_users(&wanted.by_sid().unwrap_or_else(|| wanted.by_all()));
        let attributes = [ACCOUNT, DISTINGUISHED].map(str::to_owned);
        let found = self.search(&self.settings.base, Scope::Subtree, &filter, &attributes).await?;
        let [found] = found.as_slice() else { return Ok(None) };
        let text = |attribute| found.text(attribute).map(str::to_owned);
        Ok(Some(AccountNames { account: text(ACCOUNT), distinguished: text(DISTINGUISHED) }))
    }

    /// The accounts with this sAMAccountName or userPrincipalName.
    pub async fn accounts_called(&self, name: &str) -> Result<Vec<AccountSid>, ConnectorError> {
        let value = escaped(name.as_bytes());
        let filter = format!("(&{USERS}(|({ACCOUNT}={value})({PRINCIPAL}={value})))");
        let found = self.search(&self.settings.base, Scope::Subtree, &filter, &[SID.to_owned()]).await?;
        Ok(found.iter().filter_map(|entry| entry.value(SID).map(|sid| AccountSid(sid.to_vec()))).collect())
    }
}
