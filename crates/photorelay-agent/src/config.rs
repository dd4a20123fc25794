//! The agent's configuration, read once from the environment; all problems are told at once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::id::TenantId;
use photorelay_core::settings::{Environment, Problems, Reader, StorageSettings, credential, storage};
use photorelay_core::target::Targets;
use photorelay_core::telemetry::{LogFilter, LogFormat};
use url::Url;

use crate::certificate;
use crate::connectors::ldap::names::{AttributeName, Servers};
use crate::connectors::ldap::{DEFAULT_TIMEOUT, DirectoryScope, LdapSettings, NOT_BUILT, SignIn};
use crate::full_reconciliation::FullReconciliationSettings;
use crate::policy::WritePolicy;
use crate::queue::DEFAULT_LEASE;
use crate::quota::QuotaLimits;

#[derive(Debug, Clone)]
pub struct AgentConfig {
    pub tenant_id: TenantId,
    pub storage: StorageSettings,
    pub authority_url: Url,
    /// When the certificate that signs in to Azure runs out.
    pub certificate_expires_at: Option<Timestamp>,
    /// The target's name and queue.
    pub target: String,
    pub queue: String,
    /// This agent's name in receipts.
    pub agent: String,
    pub place: ConnectorSettings,
    pub dry_run: bool,
    pub policy: WritePolicy,
    pub limits: QuotaLimits,
    /// How often everybody in the trail is looked at; none for never.
    pub pass: Option<FullReconciliationSettings>,
    /// How long an item is hidden before its lease is renewed. One whose agent died comes back then.
    pub lease: Duration,
    pub log_format: LogFormat,
    /// None: what suits the command.
    pub log_filter: Option<LogFilter>,
}

/// Where photos are shown.
#[derive(Debug, Clone)]
pub enum ConnectorSettings {
    /// A file for each person, showing this rendition.
    Folder {
        path: PathBuf,
        rendition: String,
    },
    Ldap(Box<LdapSettings>),
}

impl AgentConfig {
    /// Reads every setting; the error names all that are missing or wrong.
    pub fn read(environment: &Environment) -> Result<Self, Problems> {
        let mut reader = Reader::new(environment);
        let tenant_id = reader.required("PHOTORELAY_TENANT_ID");
        let credential = credential(&mut reader).ok().flatten();
        let storage = storage(&mut reader, credential.as_ref());
        let authority_url = reader.url("PHOTORELAY_AUTHORITY_URL", Some("https://login.microsoftonline.com"));
        let targets: Targets = reader.optional("PHOTORELAY_TARGETS").unwrap_or_default();
        let name: Option<String> = reader.optional("PHOTORELAY_AGENT_TARGET");
        let target = match &name {
            None => targets.all().first(),
            Some(name) => targets.by_name(name),
        };
        if target.is_none() {
            reader.problem("PHOTORELAY_AGENT_TARGET is none of the targets that PHOTORELAY_TARGETS names");
        }
        let agent = reader.optional("PHOTORELAY_AGENT_NAME").or_else(|| reader.peek("HOSTNAME"));
        let place = place(&mut reader);
        let dry_run = reader.flag("PHOTORELAY_DRY_RUN");
        let policy = policy(&mut reader);
        let limits = QuotaLimits {
            per_minute: limit(&mut reader, "PHOTORELAY_WRITES_PER_MINUTE"),
            per_day: limit(&mut reader, "PHOTORELAY_WRITES_PER_DAY"),
        };
        let hours: u32 = reader.optional("PHOTORELAY_PASS_HOURS").unwrap_or(24);
        let lease = reader.positive_seconds("PHOTORELAY_LEASE_SECONDS", DEFAULT_LEASE);
        let log_format = reader.optional("PHOTORELAY_LOG_FORMAT").unwrap_or_default();
        let log_filter = reader.optional("PHOTORELAY_LOG");
        reader.finish(|| {
            let target = target?;
            Some(Self {
                tenant_id: tenant_id?,
                storage: storage?,
                authority_url: authority_url?,
                certificate_expires_at: credential.as_ref().and_then(certificate::expires_at),
                target: target.name.clone(),
                queue: target.queue.clone(),
                agent: agent.unwrap_or_else(|| "agent".to_owned()),
                place: place?,
                dry_run,
                policy: policy?,
                limits,
                pass: (hours > 0).then(|| FullReconciliationSettings {
                    every: Duration::from_secs(u64::from(hours) * 3600),
                    serving: target.clone(),
                }),
                lease,
                log_format,
                log_filter,
            })
        })
    }
}

/// 0 stands for no limit.
fn limit(reader: &mut Reader<'_>, name: &str) -> Option<u32> {
    reader.optional(name).filter(|limit| *limit > 0)
}

fn policy(reader: &mut Reader<'_>) -> Option<WritePolicy> {
    let removal = reader.or_default("PHOTORELAY_REMOVAL", "hold");
    let removals_per_day = reader.optional("PHOTORELAY_REMOVALS_PER_DAY");
    let foreign = reader.or_default("PHOTORELAY_FOREIGN", "keep-foreign");
    let pilot = reader.optional("PHOTORELAY_PILOT");
    Some(WritePolicy { removal: removal?, removals_per_day, foreign: foreign?, pilot })
}

/// A folder or a directory, never both.
fn place(reader: &mut Reader<'_>) -> Option<ConnectorSettings> {
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
            Some(ConnectorSettings::Folder { path: path?, rendition: rendition? })
        }
        (false, Some(_)) => directory(reader).map(|settings| ConnectorSettings::Ldap(Box::new(settings))),
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

#[cfg(test)]
mod tests {
    use photorelay_core::entra::CredentialConfig;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<ConnectorSettings, String> {
        let base =
            [("PHOTORELAY_TENANT_ID", "7b6a5c4d-0000-4000-8000-000000000001"), ("PhotoStorage__path", "/nowhere")];
        let environment: Environment = base.iter().chain(variables).copied().collect();
        AgentConfig::read(&environment).map(|config| config.place).map_err(|problems| problems.to_string())
    }

    #[test]
    fn exactly_one_of_folder_and_directory_is_configured() {
        assert!(matches!(read(&[("PHOTORELAY_FOLDER_PATH", "/p")]), Ok(ConnectorSettings::Folder { .. })));
        assert!(read(&[]).unwrap_err().contains("PHOTORELAY_LDAP_URLS"));
        let both = read(&[("PHOTORELAY_FOLDER_PATH", "/p"), ("PHOTORELAY_LDAP_URLS", "ldaps://dc1")]);
        assert!(both.unwrap_err().contains("both set"));
    }

    #[test]
    fn whoever_signs_in_signs_in_to_the_storage_too_unless_a_sas_is_given() {
        let with = |more: &[(&'static str, &'static str)]| {
            let base = [
                ("PHOTORELAY_TENANT_ID", "7b6a5c4d-0000-4000-8000-000000000001"),
                ("PHOTORELAY_FOLDER_PATH", "/p"),
                ("PhotoStorage__queueServiceUri", "https://a.queue.core.windows.net/"),
            ];
            let environment: Environment = base.iter().chain(more).copied().collect();
            AgentConfig::read(&environment).map(|config| config.storage).map_err(|problems| problems.to_string())
        };
        let blob = ("PhotoStorage__blobServiceUri", "https://a.blob.core.windows.net/");
        let own = [blob, ("PHOTORELAY_CLIENT_ID", "agent"), ("PHOTORELAY_CLIENT_SECRET", "s3cret")];
        let Ok(StorageSettings::Azure { credential, .. }) = with(&own) else { panic!("no storage") };
        assert!(matches!(credential, Some(CredentialConfig::ClientSecret { .. })));
        assert!(with(&[blob]).unwrap_err().contains("PHOTORELAY_CLIENT_CERTIFICATE_FILE"));
    }

    #[test]
    fn everything_that_is_wrong_with_the_directory_is_told_at_once() {
        let told = read(&[
            ("PHOTORELAY_LDAP_URLS", "ldap+plain://dc1"),
            ("PHOTORELAY_LDAP_PASSWORD_FILE", "/nowhere/password"),
            ("PHOTORELAY_LDAP_CA_FILE", "/nowhere/ca.pem"),
            ("PHOTORELAY_LDAP_ATTRIBUTE", "photo)("),
            ("PHOTORELAY_LDAP_ANCHOR_ATTRIBUTE", "*"),
            ("PHOTORELAY_LDAP_SCOPE_FILTER", "department=Sales)"),
        ])
        .unwrap_err();
        for name in
            ["URLS", "BASE_DN", "BIND_DN", "PASSWORD_FILE", "CA_FILE", "ATTRIBUTE", "ANCHOR_ATTRIBUTE", "SCOPE_FILTER"]
        {
            assert!(told.contains(&format!("PHOTORELAY_LDAP_{name}")), "{name} is missing in {told}");
        }
    }

    #[test]
    #[cfg(not(feature = "kerberos"))]
    fn a_program_without_kerberos_says_so_before_it_starts() {
        let with = |sign_in: &str| read(&[("PHOTORELAY_LDAP_SIGN_IN", sign_in)]).unwrap_err();
        assert!(with("kerberos").contains("--features kerberos"));
        assert!(with("ntlm").contains("none of password, kerberos"));
    }

    #[test]
    fn the_attribute_is_thumbnail_photo_unless_another_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let file = file.path().to_str().unwrap();
        let given = [
            ("PHOTORELAY_LDAP_URLS", "ldaps://dc1,ldaps://dc2"),
            ("PHOTORELAY_LDAP_BASE_DN", "DC=contoso,DC=test"),
            ("PHOTORELAY_LDAP_BIND_DN", "agent@contoso.test"),
            ("PHOTORELAY_LDAP_PASSWORD_FILE", file),
        ];
        let Ok(ConnectorSettings::Ldap(settings)) = read(&given) else { panic!("no directory") };
        assert_eq!((settings.attribute.as_str(), settings.servers.len()), ("thumbnailPhoto", 2));
    }
}
