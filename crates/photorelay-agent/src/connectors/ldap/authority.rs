//! Users who are managed in the cloud, and the policy by which domain controllers keep them from being changed by others
//! than Entra ID (object enforcement of Entra Cloud Sync, a preview; docs/platform-facts.md has the sources).
//!
//! It only reads, and decides nothing about who is written: the domain controller does that, and this says why. It owns
//! the failure "a refusal that is due to the policy is blamed on the delegation". What the account may not read counts as
//! absent, and a refusal is then one like any other.

use std::sync::atomic::Ordering;

use ldap3::Scope;
use photorelay_core::diagnosis::CheckResult;
use photorelay_core::wording::counted;

use super::attributes::{ANYTHING, SID, USERS};
use super::connector::LdapConnector;
use super::identifiers::{escaped, sid_bytes, sid_text};
use super::search::DirectoryEntry;
use crate::connectors::{ConnectorError, EntryRef};

/// Whose the authority over an object is ([MS-ADA2] ms-DS-Object-SOA).
const MARK: &str = "msDS-ObjectSoa";
const CLOUD: &[u8] = b"Cloud";
/// Below the domain.
const POLICY: &str = "CN=Cloud,CN=SOA-Policies,CN=System";
/// The SIDs that may change what is marked.
const ALLOWED: &str = "msDS-Settings";
const MOST_ALLOWED: usize = 64;
/// Holds `Enforced` or `Audit`. The documentation speaks of a keyword and does not name the attribute.
const MODE: &str = "keywords";
const AUDIT: &[u8] = b"Audit";
/// The SIDs of the account that is signed in, and of its groups, in the root DSE ([MS-ADTS] 3.1.1.3.2).
const OWN_SIDS: &str = "tokenGroups";
/// So many marked users are counted.
const MOST_COUNTED: usize = 100;
const CHECK: &str = "object enforcement";

/// The policy of a domain, and what it means for the agent's account.
struct AuthorityPolicy {
    name: String,
    is_audit: bool,
    entries: usize,
    /// Entries that are no SID, or that of no account of this domain any more.
    stale: Vec<String>,
    /// The account's own SID, if it could be read.
    account: Option<String>,
    /// Whether the account, or a group that it is in, is among the entries.
    includes_account: bool,
}

impl AuthorityPolicy {
    /// Why the account may not change what is marked, and what to do about it; none if it may.
    fn obstacle(&self) -> Option<(String, String)> {
        let Self { name, entries, stale, .. } = self;
        if !stale.is_empty() {
            let says = format!("{} of its entries are the SID of no account that the agent sees", stale.len());
            let fix = format!(
                "see whether these accounts exist: {}. Correct or remove those that do not in {ALLOWED} of {name}: one such \
                 entry keeps the whole policy from loading, and then no account may change these users",
                stale.join(", ")
            );
            return Some((says, fix));
        }
        if *entries > MOST_ALLOWED {
            let says = format!("it has {entries} entries, and {MOST_ALLOWED} are allowed");
            return Some((says, format!("remove entries from {ALLOWED} of {name}")));
        }
        if self.includes_account {
            return None;
        }
        let account = self.account.as_deref().unwrap_or("the SID of the agent's account");
        let fix = match MOST_ALLOWED - entries {
            0 => format!(
                "{ALLOWED} of {name} holds {MOST_ALLOWED} entries, the most that it may: put the agent's account \
                 ({account}) into a group that it lists, or replace an entry"
            ),
            free => format!("add {account} to {ALLOWED} of {name} ({free} of {MOST_ALLOWED} entries are free)"),
        };
        Some(("the agent's account is not among its entries".to_owned(), fix))
    }
}

impl LdapConnector {
    /// Why a domain controller refused to change this user, if its policy is the reason. The agent pauses where it has
    /// written no user yet; otherwise users who are not marked go on.
    pub(super) async fn kept_by_authority(&self, entry: &EntryRef, reason: &str) -> Option<ConnectorError> {
        let found = self.search(&entry.0, Scope::Base, ANYTHING, &[MARK.to_owned()]).await.ok()?;
        if !found.first().is_some_and(is_marked) {
            return None;
        }
        let policy = self.authority_policy().await.ok()??;
        let (says, fix) = policy.obstacle().filter(|_| !policy.is_audit)?;
        // What the code means otherwise, such as a missing right, is not what it means here.
        let answer = reason.split(": ").next().unwrap_or(reason);
        let reason = format!(
            "{answer}: the user is managed in the cloud ({MARK}=Cloud), and the policy {} lets only its entries change such \
             users: {says}; {fix}",
            policy.name
        );
        Some(match self.has_written.load(Ordering::Relaxed) {
            true => ConnectorError::Refused(reason),
            false => ConnectorError::Down(reason),
        })
    }

    /// What `doctor` says about the policy.
    pub(super) async fn object_enforcement(&self) -> Option<CheckResult> {
        let (policy, marked) = match (self.authority_policy().await, self.marked_users().await) {
            (Ok(None), _) => {
                return Some(CheckResult::ok(CHECK, format!("no policy is seen ({POLICY})")));
            }
            (Ok(Some(policy)), Ok(marked)) => (policy, marked),
            (Err(error), _) | (_, Err(error)) => {
                let fix = "see that the agent's account may read the policy and its domain";
                return Some(CheckResult::warning(CHECK, error.to_string(), fix));
            }
        };
        let users = match marked {
            MOST_COUNTED.. => format!("{MOST_COUNTED} users in scope or more are"),
            marked => counted(marked as u64, "user in scope is", "users in scope are"),
        };
        let mode = if policy.is_audit { "logs" } else { "refuses" };
        let about = format!("{} {mode} changes by others; {users} marked {MARK}=Cloud", policy.name);
        Some(match policy.obstacle() {
            None => CheckResult::ok(CHECK, format!("{about}; the agent's account is among its entries")),
            Some((says, fix)) if policy.is_audit || marked == 0 => {
                CheckResult::warning(CHECK, format!("{about}; {says}"), fix)
            }
            Some((says, fix)) => CheckResult::error(CHECK, format!("{about}; {says}"), fix),
        })
    }

    async fn marked_users(&self) -> Result<usize, ConnectorError> {
        let filter = format!("(&{USERS}({MARK}=Cloud){})", self.settings.scope.conditions());
        let mut marked = 0;
        for base in self.settings.scope.bases(&self.settings.base) {
            marked += self.some_below(base, &filter, &["1.1".to_owned()], MOST_COUNTED - marked).await?.len();
        }
        Ok(marked)
    }

    /// None if the domain has no policy that the account can see.
    async fn authority_policy(&self) -> Result<Option<AuthorityPolicy>, ConnectorError> {
        let wanted = ["defaultNamingContext", OWN_SIDS].map(str::to_owned);
        let root = self.search("", Scope::Base, ANYTHING, &wanted).await?;
        let Some(domain) = root.first().and_then(|root| root.text("defaultNamingContext")) else { return Ok(None) };
        let name = format!("{POLICY},{domain}");
        let found = self.search(&name, Scope::Base, ANYTHING, &[ALLOWED, MODE].map(str::to_owned)).await?;
        let Some(found) = found.first() else { return Ok(None) };
        let entries: Vec<String> =
            found.values(ALLOWED).iter().map(|entry| String::from_utf8_lossy(entry).trim().to_owned()).collect();
        let own = root.first().map(|root| root.values(OWN_SIDS)).unwrap_or_default();
        Ok(Some(AuthorityPolicy {
            name,
            is_audit: found.values(MODE).iter().any(|mode| mode.eq_ignore_ascii_case(AUDIT)),
            entries: entries.len(),
            account: self.account_among(domain, own).await?,
            includes_account: entries.iter().filter_map(|entry| sid_bytes(entry)).any(|sid| own.contains(&sid)),
            stale: self.stale(domain, entries).await?,
        }))
    }

    /// Of those SIDs, the account's own. The others are of groups.
    async fn account_among(&self, domain: &str, own: &[Vec<u8>]) -> Result<Option<String>, ConnectorError> {
        let own: String = own.iter().map(|sid| format!("({SID}={})", escaped(sid))).collect();
        if own.is_empty() {
            return Ok(None);
        }
        // Computers and managed service accounts are users, too.
        let filter = format!("(&(objectClass=user)(|{own}))");
        let found = self.search(domain, Scope::Subtree, &filter, &[SID.to_owned()]).await?;
        Ok(found.first().and_then(|account| sid_text(account.value(SID)?)))
    }

    /// The entries that are no SID, or one of this domain that no object has. What another domain issued is not judged.
    async fn stale(&self, domain: &str, entries: Vec<String>) -> Result<Vec<String>, ConnectorError> {
        let head = self.search(domain, Scope::Base, ANYTHING, &[SID.to_owned()]).await?;
        let issuer = head.first().and_then(|head| sid_text(head.value(SID)?)).map(|issuer| format!("{issuer}-"));
        let is_ours = |entry: &str| issuer.as_deref().is_some_and(|issuer| entry.starts_with(issuer));
        let ours: Vec<Vec<u8>> =
            entries.iter().filter(|entry| is_ours(entry)).filter_map(|sid| sid_bytes(sid)).collect();
        let filter: String = ours.iter().map(|sid| format!("({SID}={})", escaped(sid))).collect();
        let known = match ours.len() {
            0 => Vec::new(),
            most => self.some_below(domain, &format!("(|{filter})"), &[SID.to_owned()], most).await?,
        };
        let is_known = |sid: &[u8]| known.iter().any(|object| object.value(SID) == Some(sid));
        let is_stale = |entry: &String| match sid_bytes(entry) {
            Some(sid) => is_ours(entry) && !is_known(&sid),
            None => true,
        };
        Ok(entries.into_iter().filter(is_stale).collect())
    }
}

fn is_marked(user: &DirectoryEntry) -> bool {
    user.values(MARK).iter().any(|mark| mark.eq_ignore_ascii_case(CLOUD))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(entries: usize, stale: &[&str], includes_account: bool) -> AuthorityPolicy {
        AuthorityPolicy {
            name: format!("{POLICY},DC=contoso,DC=test"),
            is_audit: false,
            entries,
            stale: stale.iter().map(|&entry| entry.to_owned()).collect(),
            account: Some("S-1-5-21-1-2-3-1104".to_owned()),
            includes_account,
        }
    }

    #[test]
    fn an_account_that_is_listed_may_write_unless_the_policy_cannot_be_loaded() {
        assert!(policy(1, &[], true).obstacle().is_none());
        assert!(policy(64, &[], true).obstacle().is_none());
        let (says, _) = policy(65, &[], true).obstacle().unwrap();
        assert!(says.contains("65 entries, and 64 are allowed"), "{says}");
        let (_, fix) = policy(2, &["S-1-5-21-1-2-3-9999"], true).obstacle().unwrap();
        assert!(fix.contains("exist: S-1-5-21-1-2-3-9999. Correct or remove"), "{fix}");
        assert!(fix.contains("in msDS-Settings of CN=Cloud,CN=SOA-Policies"), "{fix}");
    }

    #[test]
    fn an_account_that_is_not_listed_is_to_be_added_while_there_is_room() {
        let fix = |entries| policy(entries, &[], false).obstacle().unwrap().1;
        assert!(fix(1).contains("add S-1-5-21-1-2-3-1104 to msDS-Settings"), "{}", fix(1));
        assert!(fix(63).contains("(1 of 64 entries are free)"), "{}", fix(63));
        assert!(fix(64).contains("into a group that it lists"), "{}", fix(64));
    }
}
