//! Which target the agent writes to: a folder or an LDAP directory, never both.

use std::path::{Path, PathBuf};

use photorelay_core::settings::Reader;

use crate::connectors::ldap::names::{AttributeName, Servers};
use crate::connectors::ldap::{DEFAULT_TIMEOUT, DirectoryScope, LdapSettings, NOT_BUILT, Server, SignIn};

/// Where photos are written.
#[derive(Debug, Clone)]
pub enum ConnectorSettings {
    /// A file for each user, with this rendition.
    Folder {
        path: PathBuf,
        rendition: String,
    },
    Ldap(Box<LdapSettings>),
}

/// Any of these selects the directory.
const LDAP: [&str; 12] = [
    "PHOTORELAY_LDAP_URLS",
    "PHOTORELAY_LDAP_BASE_DN",
    "PHOTORELAY_LDAP_BIND_DN",
    "PHOTORELAY_LDAP_PASSWORD_FILE",
    "PHOTORELAY_LDAP_CA_FILE",
    "PHOTORELAY_LDAP_ATTRIBUTE",
    "PHOTORELAY_LDAP_ANCHOR_ATTRIBUTE",
    "PHOTORELAY_LDAP_SCOPE_UNITS",
    "PHOTORELAY_LDAP_SCOPE_GROUP",
    "PHOTORELAY_LDAP_SCOPE_FILTER",
    "PHOTORELAY_LDAP_TIMEOUT_SECONDS",
    "PHOTORELAY_LDAP_SIGN_IN",
];

impl ConnectorSettings {
    /// Whether a server's certificate is verified by those of this machine.
    pub(super) fn needs_authorities(&self) -> bool {
        match self {
            Self::Folder { .. } => false,
            Self::Ldap(settings) => settings.ca_file.is_none() && settings.servers.iter().any(Server::is_verified),
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let ldap = LDAP.iter().find(|name| reader.has(name));
        match (reader.has("PHOTORELAY_FOLDER_PATH"), ldap) {
            (true, Some(ldap)) => {
                reader.problem(&format!("PHOTORELAY_FOLDER_PATH and {ldap} are both set: an agent serves one target"));
                None
            }
            (false, None) => {
                reader.problem("PHOTORELAY_FOLDER_PATH or PHOTORELAY_LDAP_URLS is missing: where are photos shown?");
                None
            }
            (true, None) => {
                let path = reader.required("PHOTORELAY_FOLDER_PATH");
                let rendition = reader.or_default("PHOTORELAY_FOLDER_RENDITION", "thumbnailPhoto");
                Some(Self::Folder { path: path?, rendition: rendition? })
            }
            (false, Some(_)) => directory(reader).map(|settings| Self::Ldap(Box::new(settings))),
        }
    }
}

fn directory(reader: &mut Reader<'_>) -> Option<LdapSettings> {
    let servers: Option<Servers> = reader.required("PHOTORELAY_LDAP_URLS");
    let base = reader.required("PHOTORELAY_LDAP_BASE_DN");
    let sign_in = sign_in(reader);
    let ca_file: Option<PathBuf> = reader.optional("PHOTORELAY_LDAP_CA_FILE");
    let attribute: Option<AttributeName> = reader.or_default("PHOTORELAY_LDAP_ATTRIBUTE", "thumbnailPhoto");
    let anchor_attribute: Option<AttributeName> = reader.optional("PHOTORELAY_LDAP_ANCHOR_ATTRIBUTE");
    let units: Option<String> = reader.optional("PHOTORELAY_LDAP_SCOPE_UNITS");
    let group = reader.optional("PHOTORELAY_LDAP_SCOPE_GROUP");
    let scope = DirectoryScope::new(units.as_deref(), group, reader.optional("PHOTORELAY_LDAP_SCOPE_FILTER"));
    let scope = scope.map_err(|error| reader.problem(&format!("PHOTORELAY_LDAP_SCOPE_FILTER: {error}"))).ok();
    let timeout = reader.positive_seconds("PHOTORELAY_LDAP_TIMEOUT_SECONDS", DEFAULT_TIMEOUT);
    can_be_read(reader, "PHOTORELAY_LDAP_CA_FILE", ca_file.as_deref());
    Some(LdapSettings {
        servers: servers?.0,
        base: base?,
        sign_in: sign_in?,
        ca_file,
        attribute: attribute?.0,
        anchor_attribute: anchor_attribute.map(|name| name.0),
        scope: scope?,
        timeout,
    })
}

fn sign_in(reader: &mut Reader<'_>) -> Option<SignIn> {
    const SIGN_IN: &str = "PHOTORELAY_LDAP_SIGN_IN";
    match reader.optional::<String>(SIGN_IN).as_deref().unwrap_or("password") {
        "password" => {
            let bind_as = reader.required("PHOTORELAY_LDAP_BIND_DN");
            let file: Option<PathBuf> = reader.required("PHOTORELAY_LDAP_PASSWORD_FILE");
            can_be_read(reader, "PHOTORELAY_LDAP_PASSWORD_FILE", file.as_deref());
            Some(SignIn::Password { bind_as: bind_as?, file: file? })
        }
        "kerberos" if cfg!(feature = "kerberos") => Some(SignIn::Kerberos),
        "kerberos" => {
            reader.problem(&format!("{SIGN_IN} is kerberos, and {NOT_BUILT}"));
            None
        }
        other => {
            reader.problem(&format!("{SIGN_IN}: `{other}` is none of password, kerberos"));
            None
        }
    }
}

fn can_be_read(reader: &mut Reader<'_>, name: &str, file: Option<&Path>) {
    if let Some(file) = file
        && let Err(error) = std::fs::File::open(file)
    {
        reader.problem(&format!("{name}: {} cannot be read: {error}", file.display()));
    }
}
