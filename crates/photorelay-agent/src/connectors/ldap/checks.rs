//! What `doctor` checks of a directory: whether it is reached, keeps the same time, finds users by an index, and whether
//! the account may write the photos of the users in scope.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ldap3::Scope;
use photorelay_core::diagnosis::CheckResult;

use super::attributes::{GUID, USERS};
use super::connector::LdapConnector;
use super::identifiers::guid;
use super::search::DirectoryEntry;
use crate::connectors::{Connector as _, ConnectorError};

/// What the account may write of an object, as the directory works it out (MS-ADTS 3.1.1.4.5.17).
const EFFECTIVE: &str = "allowedAttributesEffective";
/// Certificates and sign-ins are judged by clocks; Kerberos allows five minutes.
const CLOCKS_MAY_DIFFER: Duration = Duration::from_secs(300);
const ANYTHING: &str = "(objectClass=*)";
/// The account with which Entra Connect reads a domain, as its express settings name it. One that was chosen by hand is
/// not seen. <https://learn.microsoft.com/entra/identity/hybrid/connect/reference-connect-accounts-permissions>
const ENTRA_CONNECT: &str = "(&(objectCategory=person)(objectClass=user)(sAMAccountName=MSOL_*))";

impl LdapConnector {
    pub async fn run_checks(&self) -> Vec<CheckResult> {
        let anchor_is_indexed = match self.connections.session().await {
            Ok(session) => session.anchor_is_indexed,
            Err(error) => {
                let fix = "check PHOTORELAY_LDAP_URLS, the firewall, PHOTORELAY_LDAP_CA_FILE and the account";
                return vec![CheckResult::error("directory", error.to_string(), fix)];
            }
        };
        let anchor = self.settings.anchor();
        let limit = self.limit();
        let mut results = vec![
            CheckResult::ok("directory", format!("signed in to {} by verified TLS", self.server())),
            CheckResult::ok("schema", format!("{} takes {limit} bytes", self.settings.attribute)),
            CheckResult::ok(
                "anchor",
                match anchor_is_indexed {
                    true => format!("{anchor} is indexed"),
                    false => format!("{anchor} has no index: users are found by SID, anchors are counted hourly"),
                },
            ),
        ];
        results.extend(self.clock().await);
        results.extend(self.scope_exists().await);
        results.push(self.rights().await);
        results.extend(self.loops().await);
        results
    }

    /// Entra Connect synchronises thumbnailPhoto to the tenant unless it is configured otherwise, and a small copy that we
    /// wrote could replace the large original there. Its configuration cannot be seen from here.
    async fn loops(&self) -> Option<CheckResult> {
        let root = self.search("", Scope::Base, ANYTHING, &["defaultNamingContext".to_owned()]).await.ok()?;
        let domain = root.first()?.text("defaultNamingContext")?;
        let found = self.search(domain, Scope::Subtree, ENTRA_CONNECT, &["1.1".to_owned()]).await.ok()?;
        Some(match found.is_empty() {
            true => CheckResult::ok("loop", "no account of Entra Connect is seen in this domain"),
            false => CheckResult::warning(
                "loop",
                "Entra Connect has an account in this domain and may carry our copies back up",
                "see by `photorelay doctor` that the tenant takes photos from the cloud (photoUpdateSettings), or take \
                 thumbnailPhoto out of what Entra Connect synchronises",
            ),
        })
    }

    async fn clock(&self) -> Option<CheckResult> {
        let root = self.search("", Scope::Base, ANYTHING, &["currentTime".to_owned()]).await.ok()?;
        let there = generalized_time(root.first()?.text("currentTime")?)?;
        let apart = there.duration_since(Timestamp::now()).unsigned_abs();
        let says = format!("the domain controller's differs by {} s", apart.as_secs());
        Some(match apart <= CLOCKS_MAY_DIFFER {
            true => CheckResult::ok("clock", says),
            false => CheckResult::error("clock", says, "synchronise this machine with the domain"),
        })
    }

    /// A unit or group that does not exist has no members, and nothing would be written.
    async fn scope_exists(&self) -> Vec<CheckResult> {
        let scope = &self.settings.scope;
        let units = scope.units.iter().map(|unit| ("PHOTORELAY_LDAP_SCOPE_UNITS", unit));
        let named: Vec<_> =
            units.chain(scope.group.iter().map(|group| ("PHOTORELAY_LDAP_SCOPE_GROUP", group))).collect();
        let mut results = Vec::new();
        for (setting, name) in named {
            results.push(match self.search(name, Scope::Base, ANYTHING, &["1.1".to_owned()]).await {
                Ok(found) if !found.is_empty() => CheckResult::ok("scope", format!("{name} is there")),
                Ok(_) => CheckResult::error("scope", format!("{name} is not there"), format!("correct {setting}")),
                Err(error) => CheckResult::error("scope", format!("{name}: {error}"), format!("correct {setting}")),
            });
        }
        results
    }

    async fn rights(&self) -> CheckResult {
        let (attribute, base) = (&self.settings.attribute, &self.settings.base);
        let wanted = [EFFECTIVE.to_owned(), GUID.to_owned()];
        let users = match self.search(base, Scope::Subtree, &format!("(&{USERS})"), &wanted).await {
            Err(ConnectorError::Down(reason)) => {
                return CheckResult::error("users", reason, "try again in some minutes");
            }
            Err(error) => {
                let fix = "check PHOTORELAY_LDAP_BASE_DN and the account's right to read";
                return CheckResult::error("users", error.to_string(), fix);
            }
            Ok(users) if users.is_empty() => {
                return CheckResult::error("users", format!("none below {base}"), "check PHOTORELAY_LDAP_BASE_DN");
            }
            Ok(users) => users,
        };
        let mut in_scope = 0;
        for user in users.iter().filter_map(|user| user.value(GUID).and_then(guid)) {
            in_scope += usize::from(self.is_in_scope(user).await.unwrap_or_default());
        }
        let tried = match in_scope == users.len() {
            true => format!("{} users tried", users.len()),
            false => format!("{} users tried, {in_scope} of them in scope", users.len()),
        };
        let may = |user: &&DirectoryEntry| {
            let attributes = user.values(EFFECTIVE).iter().filter_map(|name| str::from_utf8(name).ok());
            attributes.into_iter().any(|name| name.eq_ignore_ascii_case(attribute))
        };
        match users.iter().filter(may).count() {
            0 => CheckResult::error(
                "rights",
                format!("the account may not write {attribute} of any of {tried}"),
                "delegate it as infra/agent/README.md says",
            ),
            writable => CheckResult::ok("rights", format!("may write {attribute} of {writable} of {tried}")),
        }
    }
}

/// `20261127161128.0Z` (RFC 4517, 3.3.13), which is always in UTC here.
fn generalized_time(text: &str) -> Option<Timestamp> {
    let civil = DateTime::strptime("%Y%m%d%H%M%S", text.get(..14)?).ok()?;
    text.ends_with('Z').then(|| TimeZone::UTC.to_timestamp(civil).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_domain_controller_is_read() {
        assert_eq!(generalized_time("20261127161128.0Z"), Some("2026-11-27T16:11:28Z".parse().unwrap()));
        for wrong in ["", "20261127161128", "20261327161128.0Z", "2026112716112\u{e9}.0Z"] {
            assert_eq!(generalized_time(wrong), None, "{wrong}");
        }
    }
}
