//! What `doctor` checks of a directory: whether it is reached, keeps the same time, finds users by an index, and whether
//! the account may write the photos of the users in scope.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ldap3::Scope;
use photorelay_core::diagnosis::CheckResult;
use photorelay_core::wording::counted;

use super::attributes::{ANYTHING, EXTERNAL_ID};
use super::connection::NO_CHANNEL_BINDING;
use super::connector::LdapConnector;
use super::rights::RightsSample;
use super::search::DirectoryEntry;
use crate::connectors::{Connector as _, ConnectorError};

/// In the root DSE.
const CAPABILITIES: &str = "supportedCapabilities";
/// LDAP_CAP_ACTIVE_DIRECTORY_PARTIAL_SECRETS_OID: the server is a read-only domain controller (MS-ADTS 3.1.1.3.4.3).
const READ_ONLY: &[u8] = b"1.2.840.113556.1.4.1920";
const NAME_A_WRITABLE_SERVER: &str =
    "name a writable domain controller of the users' domain in PHOTORELAY_LDAP_URLS, at port 636 or 389";
/// Certificates and sign-ins are judged by clocks; Kerberos allows five minutes.
const CLOCKS_MAY_DIFFER: Duration = Duration::from_secs(300);
/// The account with which Entra Connect reads a domain, as its express settings name it. One that was chosen by hand is
/// not seen. <https://learn.microsoft.com/entra/identity/hybrid/connect/reference-connect-accounts-permissions>
const ENTRA_CONNECT: &str = "(&(objectCategory=person)(objectClass=user)(sAMAccountName=MSOL_*))";

impl LdapConnector {
    pub async fn run_checks(&self) -> Vec<CheckResult> {
        if let Some(server) = self.settings.servers.iter().find(|server| server.is_global_catalogue()) {
            let says = format!("{server} is a port of the global catalogue (3268, 3269), which takes no changes");
            return vec![CheckResult::error("server", says, NAME_A_WRITABLE_SERVER)];
        }
        let (anchor_is_indexed, lacks_channel_binding) = match self.connections.to_search().await {
            Ok(session) => (session.anchor_is_indexed, session.lacks_channel_binding),
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
        if lacks_channel_binding {
            results.push(CheckResult::warning(
                "channel binding",
                format!("{}: {NO_CHANNEL_BINDING}", self.server()),
                "give the domain controller a certificate signed with RSA PKCS #1 or ECDSA before channel binding is \
                 required there (LdapEnforceChannelBinding)",
            ));
        }
        results.push(self.takes_changes().await);
        results.extend(self.clock().await);
        results.extend(self.scope_exists().await);
        results.append(&mut self.rights().await);
        results.extend(self.object_enforcement().await);
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

    /// A read-only domain controller shows users and takes no changes.
    async fn takes_changes(&self) -> CheckResult {
        match self.search("", Scope::Base, ANYTHING, &[CAPABILITIES.to_owned()]).await {
            Ok(root) if root.first().is_some_and(is_read_only) => {
                let says = format!("{} is a read-only domain controller", self.server());
                CheckResult::error("server", says, NAME_A_WRITABLE_SERVER)
            }
            Ok(_) => CheckResult::ok("server", format!("{} takes changes", self.server())),
            Err(error) => CheckResult::error("server", error.to_string(), "see above"),
        }
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

    async fn rights(&self) -> Vec<CheckResult> {
        let (attribute, base) = (&self.settings.attribute, &self.settings.base);
        let RightsSample { tried, writable, readable, identified } = match self.sample_rights().await {
            Err(ConnectorError::Down(reason)) => {
                return vec![CheckResult::error("users", reason, "try again in some minutes")];
            }
            Err(error) => {
                let fix = "check PHOTORELAY_LDAP_BASE_DN and the account's right to read";
                return vec![CheckResult::error("users", error.to_string(), fix)];
            }
            Ok(RightsSample { tried: 0, .. }) => {
                let fix = "check PHOTORELAY_LDAP_BASE_DN and PHOTORELAY_LDAP_SCOPE_*";
                return vec![CheckResult::error("users", format!("none in scope below {base}"), fix)];
            }
            Ok(sample) => sample,
        };
        let users = counted(tried as u64, "user", "users");
        let write = match writable {
            0 => CheckResult::error(
                "rights",
                format!("the account may not write {attribute} of any of {users} tried"),
                "delegate it as infra/agent/README.md says",
            ),
            writable => CheckResult::ok("rights", format!("may write {attribute} of {writable} of {users} tried")),
        };
        // The directory says what the account may write, and hides what it may not read.
        let read = match readable {
            0 => CheckResult::warning(
                "right to read",
                format!("no {attribute} is seen of {users} tried: none has one yet, or the account may not read it"),
                "see that the delegation grants reading as well (RPWP), as infra/agent/README.md says",
            ),
            readable => CheckResult::ok("right to read", format!("sees {attribute} of {readable} of {users} tried")),
        };
        let mut results = vec![write, read];
        if self.settings.require_external_id {
            results.push(match identified {
                0 => CheckResult::error(
                    "external id",
                    format!("none of {users} tried has {EXTERNAL_ID}, and no photo is written without it"),
                    "let Entra ID provision the users or Exchange hybrid write it, or take \
                     PHOTORELAY_LDAP_REQUIRE_EXTERNAL_ID out of the settings",
                ),
                identified => {
                    CheckResult::ok("external id", format!("{identified} of {users} tried have {EXTERNAL_ID}"))
                }
            });
        }
        results
    }
}

fn is_read_only(root: &DirectoryEntry) -> bool {
    root.values(CAPABILITIES).iter().any(|capability| capability == READ_ONLY)
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
    fn a_read_only_domain_controller_is_known_by_its_capability() {
        let root = |capability: &[u8]| DirectoryEntry::new([(CAPABILITIES, capability)]);
        assert!(is_read_only(&root(b"1.2.840.113556.1.4.1920")));
        assert!(!is_read_only(&root(b"1.2.840.113556.1.4.800")) && !is_read_only(&DirectoryEntry::new([])));
    }

    #[test]
    fn the_time_of_a_domain_controller_is_read() {
        assert_eq!(generalized_time("20261127161128.0Z"), Some("2026-11-27T16:11:28Z".parse().unwrap()));
        for wrong in ["", "20261127161128", "20261327161128.0Z", "2026112716112\u{e9}.0Z"] {
            assert_eq!(generalized_time(wrong), None, "{wrong}");
        }
    }
}
