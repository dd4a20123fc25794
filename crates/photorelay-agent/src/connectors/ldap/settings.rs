//! Which directory, with which account, and which attribute.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use super::attributes::CONSISTENCY;
use super::scope::DirectoryScope;

/// A domain controller that has not answered after this time is taken for lost.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Debug, Clone)]
pub struct LdapSettings {
    /// In the order of preference; one at a time is used.
    pub servers: Vec<Server>,
    /// Users are looked for below it.
    pub base: String,
    pub sign_in: SignIn,
    /// The authorities that sign the domain controllers' certificates; those that the system trusts if none is named.
    pub ca_file: Option<PathBuf>,
    /// The attribute that shows the photo, and the rendition that is written to it.
    pub attribute: String,
    /// The attribute that holds the source anchor as text. None: mS-DS-ConsistencyGuid, or objectGUID where that is
    /// empty.
    pub anchor_attribute: Option<String>,
    /// Whether a user object must name the user's object ID in Entra ID besides, in msDS-ExternalDirectoryObjectId.
    pub require_external_id: bool,
    /// Which of them are written.
    pub scope: DirectoryScope,
    /// For every request and its answer; a domain controller that takes longer is left.
    pub timeout: Duration,
    /// To the one domain controller that is used; at least one.
    pub connections: usize,
}

/// The account that reads and writes the directory.
#[derive(Debug, Clone)]
pub enum SignIn {
    /// A simple bind. The password stays in its file and is read for each bind, so that a new one needs no restart.
    Password {
        /// A distinguished name or a user principal name.
        bind_as: String,
        file: PathBuf,
    },
    /// With the tickets of the machine or the account (SASL GSSAPI), in a build with the feature `kerberos`.
    Kerberos,
}

impl LdapSettings {
    /// The attribute that holds most anchors.
    pub(super) fn anchor(&self) -> &str {
        self.anchor_attribute.as_deref().unwrap_or(CONSISTENCY)
    }
}

/// One domain controller and how the way to it is protected.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    pub(super) url: Url,
    pub(super) starttls: bool,
}

impl Server {
    /// Over TLS.
    pub(crate) fn is_verified(&self) -> bool {
        self.starttls || self.url.scheme() == "ldaps"
    }

    /// Of any domain controller, over any protection.
    pub(super) fn is_global_catalogue(&self) -> bool {
        matches!(self.url.port(), Some(3268 | 3269))
    }
}

impl FromStr for Server {
    type Err = String;

    /// `ldaps://` and `ldap://`, which begins with StartTLS; `ldap+plain://` only to this machine.
    fn from_str(text: &str) -> Result<Self, String> {
        let (text, plain) = match text.strip_prefix("ldap+plain://") {
            Some(rest) => (format!("ldap://{rest}"), true),
            None => (text.to_owned(), false),
        };
        let url = Url::parse(&text).map_err(|error| format!("not a URL: {error}"))?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("the URL names no domain controller")?;
        let is_decorated = url.query().is_some() || url.fragment().is_some() || !url.username().is_empty();
        if is_decorated || url.password().is_some() || !matches!(url.path(), "" | "/") {
            return Err("the URL may name a domain controller and a port, nothing else".to_owned());
        }
        let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        match (url.scheme(), plain) {
            ("ldap", true) if !local => {
                Err("ldap+plain:// sends the password readable and is only for this machine: use ldaps://".to_owned())
            }
            ("ldap", plain) => Ok(Self { url, starttls: !plain }),
            ("ldaps", _) => Ok(Self { url, starttls: false }),
            _ => Err("the URL must begin with ldaps:// or ldap:// (which begins with StartTLS)".to_owned()),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_a_server_is_protected_unless_it_stays_on_this_machine() {
        let starttls = |text: &str| text.parse::<Server>().map(|server| server.starttls);
        assert_eq!(starttls("ldaps://dc1.contoso.test"), Ok(false));
        assert_eq!(starttls("ldap://dc1.contoso.test:3389"), Ok(true));
        assert_eq!(starttls("ldap://127.0.0.1"), Ok(true));
        assert_eq!(starttls("ldap+plain://127.0.0.1:1389"), Ok(false));
        for wrong in [
            "ldap+plain://dc1.contoso.test",
            "https://dc1",
            "dc1",
            "ldaps://",
            "ldaps://a:b@dc1",
            "ldaps://dc1?x",
            "ldaps://dc1#x",
            "",
        ] {
            assert!(starttls(wrong).is_err(), "{wrong}");
        }
    }
}
