//! Users as operators call them: finds who is meant by a name, and shows names beside object IDs.
//!
//! Names are for terminals. They come from the trail and from the directory, and may hold anything: what a terminal would
//! take for a command is replaced.

use std::fmt;

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, stream};
use photorelay_core::contract::Identity;
use photorelay_core::id::UserId;
use photorelay_core::target::Target;
use serde::Serialize;

use crate::connectors::ldap::{AccountSid, LdapConnector};
use crate::writeback::Reconciler;

/// Entries read side by side.
const CONCURRENCY: usize = 16;

/// Where names are looked up.
#[derive(Debug)]
pub struct People {
    reconciler: Reconciler,
    /// Users whom it does not serve are not known by name.
    serving: Target,
    /// None where the target is no directory.
    directory: Option<LdapConnector>,
}

/// How operators know a user.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_debug_implementations, reason = "personal data")]
pub struct PersonNames {
    pub sam_account_name: Option<String>,
    pub distinguished_name: Option<String>,
}

impl People {
    pub fn new(reconciler: Reconciler, serving: Target, directory: Option<LdapConnector>) -> Self {
        Self { reconciler, serving, directory }
    }

    /// The user with this object ID, user principal name or sAMAccountName (with or without `DOMAIN\\`). The directory
    /// knows every account; the trail knows the names that its entries recorded, of users of all domains.
    pub async fn find(&self, name: &str) -> Result<UserId> {
        if let Ok(user) = name.parse() {
            return Ok(user);
        }
        let (domain, name) = match name.rsplit_once('\\') {
            Some((domain, account)) => (Some(domain), account),
            None => (None, name),
        };
        let accounts = match &self.directory {
            Some(directory) => directory.accounts_called(name).await.context("the directory cannot be asked")?,
            None => Vec::new(),
        };
        let mut found = Vec::new();
        let mut trail = self.reconciler.trail().users_after(None);
        while let Some(users) = trail.next_page().await? {
            let entries =
                users.into_iter().map(|user| async move { (user, self.reconciler.trail().latest(user).await) });
            let mut entries = stream::iter(entries).buffered(CONCURRENCY);
            while let Some((user, latest)) = entries.next().await {
                // An entry that cannot be read is what `audit verify` reports.
                let Ok(Some(latest)) = latest else { continue };
                let identity = &latest.entry.identity;
                if self.serving.serves(identity.domain.as_deref())
                    && domain.is_none_or(|domain| is_in(identity, domain))
                    && is_called(identity, name, &accounts)
                {
                    found.push(user);
                }
            }
        }
        match found.as_slice() {
            [user] => Ok(*user),
            [] => bail!(
                "the trail knows no user of that name whom this target serves: give an object ID, a sAMAccountName \
                 (after a domain's DNS name or the first label of it, if at all), or, where the target is a directory \
                 or PHOTORELAY_IDENTITY_EXTRA records it, a user principal name"
            ),
            several => {
                let ids: Vec<String> = several.iter().map(UserId::to_string).collect();
                bail!("{} users have that name, give the object ID of one: {}", ids.len(), ids.join(", "))
            }
        }
    }

    /// The names of this user, as far as they are known.
    pub async fn names_of(&self, user: UserId) -> PersonNames {
        match self.reconciler.trail().latest(user).await {
            Ok(Some(latest)) => self.names(&latest.entry.identity).await,
            _ => PersonNames::default(),
        }
    }

    async fn names(&self, identity: &Identity) -> PersonNames {
        let in_directory = match &self.directory {
            Some(directory) => directory.names_of(identity).await.ok().flatten(),
            None => None,
        };
        let (account, distinguished) = in_directory.map_or((None, None), |names| (names.account, names.distinguished));
        let sam_account_name = account.or_else(|| identity.sam_account_name.clone());
        PersonNames {
            sam_account_name: sam_account_name.map(printable),
            distinguished_name: distinguished.map(printable),
        }
    }
}

/// By the domain's DNS name, or by the labels that it begins with: the first one mostly is the NetBIOS name.
fn is_in(identity: &Identity, domain: &str) -> bool {
    let Some(known) = &identity.domain else { return false };
    let (known, domain) = (known.to_lowercase(), domain.to_lowercase());
    known == domain || known.starts_with(&format!("{domain}."))
}

/// Whom the directory calls so; another one with the same name is not meant. If it knows none, whom the trail does.
fn is_called(identity: &Identity, name: &str, accounts: &[AccountSid]) -> bool {
    if !accounts.is_empty() {
        return accounts.iter().any(|account| account.is_of(identity));
    }
    let is = |known: &Option<String>| known.as_ref().is_some_and(|known| known.to_lowercase() == name.to_lowercase());
    is(&identity.sam_account_name) || is(&identity.user_principal_name)
}

/// Without what a terminal would act on.
fn printable(text: String) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

impl fmt::Display for PersonNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sam_account_name.as_deref().unwrap_or("no account name is known"))?;
        self.distinguished_name.as_ref().map_or(Ok(()), |name| write!(f, "  {name}"))
    }
}
