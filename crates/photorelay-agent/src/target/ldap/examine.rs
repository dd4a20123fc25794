//! What `doctor` wants to know of a directory: whether it is reached, and whether the account may write the photo.

use ldap3::Scope;
use photorelay_core::finding::Finding;

use super::LdapTarget;
use super::search;
use crate::target::Target as _;

/// What the account may write of an object, as the directory works it out (MS-ADTS 3.1.1.4.5.17).
const EFFECTIVE: &str = "allowedAttributesEffective";
const USERS: &str = "(&(objectCategory=person)(objectClass=user))";

impl LdapTarget {
    pub async fn examine(&self) -> Vec<Finding> {
        let session = match self.connections.session().await {
            Ok(session) => session,
            Err(error) => {
                let mend = "check PHOTORELAY_LDAP_URLS, the firewall, PHOTORELAY_LDAP_CA_FILE and the account";
                return vec![Finding::error("directory", error.to_string(), mend)];
            }
        };
        let (attribute, base) = (&self.settings.attribute, &self.settings.base);
        let limit = self.limit();
        let mut findings = vec![
            Finding::ok("directory", format!("signed in to {} by verified TLS", self.server())),
            Finding::ok("schema", format!("{attribute} takes {limit} bytes")),
        ];
        let wanted = [EFFECTIVE.to_owned()];
        findings.push(match search::run(&session, base, Scope::Subtree, USERS, &wanted).await {
            Err(search::Error::Answered(error)) => Finding::error(
                "users",
                error.to_string(),
                "check PHOTORELAY_LDAP_BASE_DN and the account's right to read",
            ),
            Err(search::Error::Lost(error)) => {
                let lost = self.connections.lost(&session, &error).await;
                Finding::error("users", lost.to_string(), "try again in some minutes")
            }
            Ok(users) if users.is_empty() => {
                Finding::error("users", format!("none below {base}"), "check PHOTORELAY_LDAP_BASE_DN")
            }
            Ok(users) => {
                let may = |user: &search::Entry| {
                    let attributes = user.values(EFFECTIVE).iter();
                    attributes
                        .filter_map(|name| str::from_utf8(name).ok())
                        .any(|name| name.eq_ignore_ascii_case(attribute))
                };
                match users.iter().filter(|user| may(user)).count() {
                    0 => Finding::error(
                        "rights",
                        format!(
                            "the account may not write {attribute} of any of {} users that were tried",
                            users.len()
                        ),
                        "delegate it as infra/agent/README.md says",
                    ),
                    writable => Finding::ok(
                        "rights",
                        format!("may write {attribute} of {writable} of {} users tried", users.len()),
                    ),
                }
            }
        });
        findings
    }
}
