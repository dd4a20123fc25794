//! Which target the agent writes to: a folder, an LDAP directory or the feed for MIM, one and no more.

use std::path::{Path, PathBuf};
use std::time::Duration;

use photorelay_core::settings::{Environment, Problems, Reader};
use photorelay_core::telemetry::LogSettings;

use crate::connectors::folder::FileName;
use crate::connectors::ldap::names::{AttributeName, Servers};
use crate::connectors::ldap::{DEFAULT_TIMEOUT, DirectoryScope, LdapSettings, NOT_BUILT, Server, SignIn};
use crate::connectors::mim::MimSettings;

/// Where photos are written.
#[derive(Debug, Clone)]
pub enum ConnectorSettings {
    /// A file for each user, with this rendition of the photo.
    Folder {
        path: PathBuf,
        rendition: String,
        /// Other renditions, in folders of their own beside it.
        further: Vec<String>,
        name: FileName,
        /// Whether `manifest.csv` is written beside the photos.
        manifest: bool,
    },
    Ldap(Box<LdapSettings>),
    Mim(Box<MimSettings>),
}

const FOLDER: &str = "PHOTORELAY_FOLDER_PATH";
const MIM: &str = "PHOTORELAY_MIM_PATH";

const MOST_CONNECTIONS: usize = 16;

/// Any of these selects the directory.
const LDAP: [&str; 14] = [
    "PHOTORELAY_LDAP_URLS",
    "PHOTORELAY_LDAP_BASE_DN",
    "PHOTORELAY_LDAP_BIND_DN",
    "PHOTORELAY_LDAP_PASSWORD_FILE",
    "PHOTORELAY_LDAP_CA_FILE",
    "PHOTORELAY_LDAP_CONNECTIONS",
    "PHOTORELAY_LDAP_ATTRIBUTE",
    "PHOTORELAY_LDAP_ANCHOR_ATTRIBUTE",
    "PHOTORELAY_LDAP_REQUIRE_EXTERNAL_ID",
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
            Self::Folder { .. } | Self::Mim(_) => false,
            Self::Ldap(settings) => settings.ca_file.is_none() && settings.servers.iter().any(Server::is_verified),
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let ldap = LDAP.iter().find(|name| reader.has(name)).copied();
        let named: Vec<&str> = [FOLDER, MIM].into_iter().filter(|name| reader.has(name)).chain(ldap).collect();
        match named[..] {
            [FOLDER] => {
                let path = reader.required(FOLDER);
                let rendition: Option<String> = reader.or_default("PHOTORELAY_FOLDER_RENDITION", "thumbnailPhoto");
                let further = further_renditions(reader, rendition.as_deref());
                let name = reader.or_default("PHOTORELAY_FOLDER_NAME", "{samAccountName}");
                let manifest = reader.flag("PHOTORELAY_FOLDER_MANIFEST");
                Some(Self::Folder { path: path?, rendition: rendition?, further: further?, name: name?, manifest })
            }
            [MIM] => mim(reader).map(|settings| Self::Mim(Box::new(settings))),
            [_] => directory(reader).map(|settings| Self::Ldap(Box::new(settings))),
            [] => {
                reader.problem(&format!("{FOLDER}, PHOTORELAY_LDAP_URLS or {MIM} is missing: where are photos shown?"));
                None
            }
            _ => {
                reader.problem(&format!("{} are set together: an agent serves one target", named.join(" and ")));
                None
            }
        }
    }
}

/// The feed alone, for commands that work on nothing else.
pub fn read_feed(environment: &Environment) -> Result<(MimSettings, LogSettings), Problems> {
    let mut reader = Reader::new(environment);
    let settings = mim(&mut reader);
    let logs = LogSettings::read(&mut reader);
    reader.finish(|| Some((settings?, logs)))
}

/// Each of them names a folder, so two that differ only in case are one on Windows.
fn further_renditions(reader: &mut Reader<'_>, first: Option<&str>) -> Option<Vec<String>> {
    const NAME: &str = "PHOTORELAY_FOLDER_MORE_RENDITIONS";
    let Some(names) = reader.optional::<String>(NAME) else { return Some(Vec::new()) };
    let mut further: Vec<String> = Vec::new();
    for name in names.split(',').map(str::trim) {
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !is_name {
            reader.problem(&format!("{NAME}: `{name}` is no name of a rendition in PHOTORELAY_RENDITIONS"));
            return None;
        }
        if further.iter().map(String::as_str).chain(first).any(|known| known.eq_ignore_ascii_case(name)) {
            reader.problem(&format!("{NAME}: `{name}` is written already"));
            return None;
        }
        further.push(name.to_owned());
    }
    Some(further)
}

fn mim(reader: &mut Reader<'_>) -> Option<MimSettings> {
    let feed: Option<PathBuf> = reader.required(MIM);
    let state: Option<PathBuf> = reader.optional("PHOTORELAY_MIM_STATE");
    let rendition = reader.or_default("PHOTORELAY_MIM_RENDITION", "thumbnailPhoto");
    let key = reader.or_default("PHOTORELAY_MIM_ANCHOR", "userId");
    let checksum = reader.or_default("PHOTORELAY_MIM_CHECKSUM", "sha256");
    let publish_every = reader.positive_seconds("PHOTORELAY_MIM_PUBLISH_SECONDS", Duration::from_secs(30));
    let tombstone_days = reader.or_default("PHOTORELAY_MIM_TOMBSTONE_DAYS", "90");
    let shrink_percent = reader.or_default("PHOTORELAY_MIM_SHRINK_PERCENT", "1");
    let scripts = reader.optional("PHOTORELAY_MIM_SCRIPTS");
    let feed = feed?;
    Some(MimSettings {
        state: state.unwrap_or_else(|| feed.join("state")),
        feed,
        rendition: rendition?,
        key: key?,
        checksum: checksum?,
        publish_every,
        tombstone_days: tombstone_days?,
        shrink_percent: shrink_percent?,
        scripts,
    })
}

fn directory(reader: &mut Reader<'_>) -> Option<LdapSettings> {
    let servers: Option<Servers> = reader.required("PHOTORELAY_LDAP_URLS");
    let base = reader.required("PHOTORELAY_LDAP_BASE_DN");
    let sign_in = sign_in(reader);
    let ca_file: Option<PathBuf> = reader.optional("PHOTORELAY_LDAP_CA_FILE");
    let attribute: Option<AttributeName> = reader.or_default("PHOTORELAY_LDAP_ATTRIBUTE", "thumbnailPhoto");
    let anchor_attribute: Option<AttributeName> = reader.optional("PHOTORELAY_LDAP_ANCHOR_ATTRIBUTE");
    let require_external_id = reader.flag("PHOTORELAY_LDAP_REQUIRE_EXTERNAL_ID");
    let units: Option<String> = reader.optional("PHOTORELAY_LDAP_SCOPE_UNITS");
    let group = reader.optional("PHOTORELAY_LDAP_SCOPE_GROUP");
    let scope = DirectoryScope::new(units.as_deref(), group, reader.optional("PHOTORELAY_LDAP_SCOPE_FILTER"));
    let scope = scope.map_err(|error| reader.problem(&format!("PHOTORELAY_LDAP_SCOPE_FILTER: {error}"))).ok();
    let timeout = reader.positive_seconds("PHOTORELAY_LDAP_TIMEOUT_SECONDS", DEFAULT_TIMEOUT);
    let connections = connections(reader);
    can_be_read(reader, "PHOTORELAY_LDAP_CA_FILE", ca_file.as_deref());
    Some(LdapSettings {
        servers: servers?.0,
        base: base?,
        sign_in: sign_in?,
        ca_file,
        attribute: attribute?.0,
        anchor_attribute: anchor_attribute.map(|name| name.0),
        require_external_id,
        scope: scope?,
        timeout,
        connections: connections?,
    })
}

/// To the one domain controller; more than this only take from it what other programs need.
fn connections(reader: &mut Reader<'_>) -> Option<usize> {
    const NAME: &str = "PHOTORELAY_LDAP_CONNECTIONS";
    let wanted: usize = reader.or_default(NAME, "1")?;
    if !(1..=MOST_CONNECTIONS).contains(&wanted) {
        reader.problem(&format!("{NAME}: {wanted} is not between 1 and {MOST_CONNECTIONS}"));
        return None;
    }
    Some(wanted)
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
