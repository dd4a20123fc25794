//! The configuration of the function app, read once from the environment.
//!
//! A missing or wrong setting stops the program, and all of them are told at once.

use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use photorelay_core::entra::CredentialConfig;
use photorelay_core::id::TenantId;
use photorelay_core::photo::RenditionSpec;
use photorelay_core::settings::{AlreadyReported, Environment, Problems, Reader, StorageSettings, credential, storage};
use photorelay_core::target::Targets;
use photorelay_core::telemetry::{LogFilter, LogFormat};
use secrecy::SecretString;
use url::Url;

use crate::graph::MAX_GROUPS;
use crate::jobs::notify::MAX_CLIENT_STATE_BYTES;
use crate::jobs::scope::Scope;

/// Everything that the program can be told.
#[derive(Debug, Clone)]
pub struct AppConfig {
    pub tenant_id: TenantId,
    pub credential: CredentialConfig,
    pub graph_url: Url,
    pub authority_url: Url,
    pub storage: StorageSettings,
    pub client_state: SecretString,
    /// Still accepted while the current one is rotated in.
    pub client_state_previous: Option<SecretString>,
    /// Where Graph reaches `/api/notifications`; none means that no subscription is made.
    pub public_url: Option<Url>,
    /// Where Graph delivers instead.
    pub event_delivery: Option<EventDelivery>,
    pub listen: SocketAddr,
    pub targets: Targets,
    /// Whose photos are carried.
    pub scope: Scope,
    pub renditions: Vec<RenditionSpec>,
    pub hold: Duration,
    pub captures_per_day: u32,
    /// How long a sweep, and standalone a message, is leased before that is renewed. Those of a dead process come back
    /// then.
    pub lease: Duration,
    /// A sweep that runs as a function ends after this time and is continued by a message.
    pub sweep_time_limit: Duration,
    /// Standalone: functions that are not run, named as the host names them in `AzureWebJobs.{name}.Disabled`.
    pub disabled: Vec<String>,
    pub log_format: LogFormat,
    /// None: `info` for services, `warn` for commands.
    pub log_filter: Option<LogFilter>,
}

/// What every setting is when it is not given.
pub mod defaults {
    use super::Duration;

    pub const GRAPH_URL: &str = "https://graph.microsoft.com/v1.0";
    pub const AUTHORITY_URL: &str = "https://login.microsoftonline.com";
    pub const LISTEN: &str = "127.0.0.1:7071";
    pub const RENDITIONS: &str = "thumbnailPhoto:96:10240";
    pub const HOLD: Duration = Duration::from_secs(15 * 60);
    pub const CAPTURES_PER_DAY: u32 = 20;
    pub const LEASE: Duration = Duration::from_secs(30);
    /// Well inside the time that host.json gives a function.
    pub const SWEEP_TIME_LIMIT: Duration = Duration::from_secs(8 * 60);
}

impl AppConfig {
    /// What has to be given, and the default of everything else. For whoever builds a configuration in code.
    pub fn with_defaults(
        tenant_id: TenantId,
        credential: CredentialConfig,
        graph_url: Url,
        authority_url: Url,
        storage: StorageSettings,
        client_state: SecretString,
    ) -> Self {
        Self {
            tenant_id,
            credential,
            graph_url,
            authority_url,
            storage,
            client_state,
            client_state_previous: None,
            public_url: None,
            event_delivery: None,
            listen: defaults::LISTEN.parse().expect("the default is an address"),
            targets: Targets::default(),
            scope: Scope::default(),
            renditions: vec![defaults::RENDITIONS.parse().expect("the default is one rendition")],
            hold: defaults::HOLD,
            captures_per_day: defaults::CAPTURES_PER_DAY,
            lease: defaults::LEASE,
            sweep_time_limit: defaults::SWEEP_TIME_LIMIT,
            disabled: Vec::new(),
            log_format: LogFormat::default(),
            log_filter: None,
        }
    }

    /// Reads every setting; the error names all that are missing or wrong.
    pub fn read(environment: &Environment) -> Result<Self, Problems> {
        let mut reader = Reader::new(environment);
        let tenant_id = reader.required("PHOTORELAY_TENANT_ID");
        let credential = match credential(&mut reader) {
            Ok(Some(credential)) => Some(credential),
            Ok(None) => {
                reader.problem(
                    "no credential for Microsoft Graph: run with a managed identity, or set \
                     PHOTORELAY_CLIENT_SECRET_FILE, PHOTORELAY_CLIENT_CERTIFICATE_FILE, or AZURE_FEDERATED_TOKEN_FILE \
                     (workload identity)",
                );
                None
            }
            Err(AlreadyReported) => None,
        };
        let storage = storage(&mut reader, credential.as_ref());
        let client_state = reader.required_secret("PHOTORELAY_CLIENT_STATE");
        let client_state_previous = reader.secret("PHOTORELAY_CLIENT_STATE_PREVIOUS");
        for (name, secret) in [
            ("PHOTORELAY_CLIENT_STATE", client_state.as_ref()),
            ("PHOTORELAY_CLIENT_STATE_PREVIOUS", client_state_previous.as_ref()),
        ] {
            check_client_state(&mut reader, name, secret);
        }
        let graph_url = reader.url("PHOTORELAY_GRAPH_URL", Some(defaults::GRAPH_URL));
        let authority_url = reader.url("PHOTORELAY_AUTHORITY_URL", Some(defaults::AUTHORITY_URL));
        let public_url = reader.url("PHOTORELAY_PUBLIC_URL", None);
        let event_delivery = reader.optional("PHOTORELAY_EVENT_DELIVERY");
        if public_url.is_some() && event_delivery.is_some() {
            reader.problem("PHOTORELAY_PUBLIC_URL and PHOTORELAY_EVENT_DELIVERY are both set: Graph has one way to us");
        }
        let listen = reader.or_default("PHOTORELAY_LISTEN", defaults::LISTEN);
        let targets = reader.optional("PHOTORELAY_TARGETS").unwrap_or_default();
        let scope = scope(&mut reader);
        let renditions = renditions(&mut reader);
        let hold = reader.seconds("PHOTORELAY_HOLD_SECONDS", defaults::HOLD);
        let captures_per_day = reader.optional("PHOTORELAY_CAPTURES_PER_DAY").unwrap_or(defaults::CAPTURES_PER_DAY);
        let lease = reader.positive_seconds("PHOTORELAY_LEASE_SECONDS", defaults::LEASE);
        let sweep_time_limit = reader.seconds("PHOTORELAY_SWEEP_SECONDS", defaults::SWEEP_TIME_LIMIT);
        let disabled = disabled(&mut reader);
        let log_format = reader.optional("PHOTORELAY_LOG_FORMAT").unwrap_or_default();
        let log_filter = reader.optional("PHOTORELAY_LOG");
        reader.finish(|| {
            Some(Self {
                tenant_id: tenant_id?,
                credential: credential?,
                graph_url: graph_url?,
                authority_url: authority_url?,
                storage: storage?,
                client_state: client_state?,
                client_state_previous,
                public_url,
                event_delivery,
                listen: listen?,
                targets,
                scope: scope?,
                renditions: renditions?,
                hold,
                captures_per_day,
                lease,
                sweep_time_limit,
                disabled,
                log_format,
                log_filter,
            })
        })
    }
}

/// An event hub or a partner topic of Event Grid, in Graph's notation.
/// <https://learn.microsoft.com/graph/change-notifications-delivery-event-hubs>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDelivery(pub String);

impl FromStr for EventDelivery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (hub, topic) = (text.strip_prefix("EventHub:https://"), text.strip_prefix("EventGrid:?"));
        let is_hub = hub.is_some_and(|hub| hub.contains("/eventhubname/") && hub.contains("?tenantId="));
        let is_topic = topic.is_some_and(|topic| topic.contains("partnertopic="));
        if is_hub || is_topic {
            return Ok(Self(text.to_owned()));
        }
        Err("neither EventHub:https://NAMESPACE.servicebus.windows.net/eventhubname/HUB?tenantId=DOMAIN nor \
             EventGrid:?azuresubscriptionid=ID&resourcegroup=GROUP&partnertopic=TOPIC&location=REGION"
            .to_owned())
    }
}

/// The host's own way of switching a function off.
fn disabled(reader: &mut Reader<'_>) -> Vec<String> {
    let functions = ["propagate", "subscribe", "sweep"].iter();
    let disabled = functions.filter(|name| reader.flag(&format!("AzureWebJobs.{name}.Disabled")));
    disabled.map(|name| (*name).to_owned()).collect()
}

/// Storage alone, for commands that need nothing else.
pub fn read_storage(environment: &Environment) -> Result<(StorageSettings, Url), Problems> {
    let mut reader = Reader::new(environment);
    let own = credential(&mut reader);
    let storage = storage(&mut reader, own.ok().flatten().as_ref());
    let authority_url = reader.url("PHOTORELAY_AUTHORITY_URL", Some(defaults::AUTHORITY_URL));
    reader.finish(|| Some((storage?, authority_url?)))
}

fn renditions(reader: &mut Reader<'_>) -> Option<Vec<RenditionSpec>> {
    let text: String = reader.or_default("PHOTORELAY_RENDITIONS", defaults::RENDITIONS)?;
    let specs: Result<Vec<RenditionSpec>, _> = text.split(',').map(|spec| spec.trim().parse()).collect();
    match specs {
        Ok(specs) => Some(specs),
        Err(error) => {
            reader.problem(&format!("PHOTORELAY_RENDITIONS: {error}"));
            None
        }
    }
}

fn scope(reader: &mut Reader<'_>) -> Option<Scope> {
    let domains = list::<String>(reader, "PHOTORELAY_SCOPE_DOMAINS");
    let groups = list(reader, "PHOTORELAY_SCOPE_GROUPS");
    let users = list(reader, "PHOTORELAY_SCOPE_USERS");
    let (domains, groups, users) = (domains?, groups?, users?);
    if groups.len() > MAX_GROUPS {
        reader.problem(&format!("PHOTORELAY_SCOPE_GROUPS names more than {MAX_GROUPS} groups: put them into one"));
        return None;
    }
    let domains = domains.iter().map(|domain| domain.to_lowercase()).collect();
    Some(Scope { domains, groups, users: users.into_iter().collect() })
}

/// Values with commas between them; none where one is wrong.
fn list<T: FromStr<Err: Display>>(reader: &mut Reader<'_>, name: &str) -> Option<Vec<T>> {
    let Some(text) = reader.optional::<String>(name) else { return Some(Vec::new()) };
    let values: Result<Vec<T>, String> = text
        .split(',')
        .map(|value| match value.trim() {
            "" => Err("an empty value".to_owned()),
            value => value.parse().map_err(|error: T::Err| error.to_string()),
        })
        .collect();
    values.map_err(|error| reader.problem(&format!("{name}: {error}"))).ok()
}

/// Graph takes at most 128 characters; fewer than 16 can be guessed.
fn check_client_state(reader: &mut Reader<'_>, name: &str, secret: Option<&SecretString>) {
    use secrecy::ExposeSecret;
    let Some(secret) = secret.map(ExposeSecret::expose_secret) else { return };
    if !(16..=MAX_CLIENT_STATE_BYTES).contains(&secret.len()) {
        reader.problem(&format!("{name} must have 16 to 128 characters, such as from `openssl rand -hex 32`"));
    }
}

#[cfg(test)]
mod tests {
    use photorelay_core::settings::ServiceUri;

    use super::*;

    const WHOLE: [(&str, &str); 5] = [
        ("PHOTORELAY_TENANT_ID", "84bd8158-6d4d-4958-8b9f-9d6445542f95"),
        ("PHOTORELAY_CLIENT_ID", "24d3b144-21ae-4080-943f-7067b395b913"),
        ("PHOTORELAY_CLIENT_SECRET", "the-client-secret"),
        ("PHOTORELAY_CLIENT_STATE", "0123456789abcdef"),
        ("PhotoStorage__path", "data"),
    ];

    /// What is wrong with a whole configuration after these changes; an empty value takes a setting away.
    fn problems(changes: &[(&str, &str)]) -> String {
        let environment: Environment = WHOLE.iter().chain(changes).copied().collect();
        match AppConfig::read(&environment) {
            Ok(_) => String::new(),
            Err(problems) => problems.to_string(),
        }
    }

    #[test]
    fn a_whole_configuration_is_taken() {
        assert_eq!(problems(&[]), "");
    }

    #[test]
    fn all_problems_are_told_at_once_and_no_secret_with_them() {
        let told = problems(&[
            ("PHOTORELAY_TENANT_ID", "contoso"),
            ("PHOTORELAY_CLIENT_STATE", "short"),
            ("PHOTORELAY_GRAPH_URL", "http://graph.example.net"),
            ("PHOTORELAY_TARGETS", "ad"),
            ("PHOTORELAY_RENDITIONS", "thumbnailPhoto"),
            ("PHOTORELAY_SCOPE_GROUPS", "1f2c0b0e-0000-4000-8000-000000000001, everybody"),
            ("PHOTORELAY_SCOPE_DOMAINS", "contoso.test,"),
            ("PHOTORELAY_LOG_FORMAT", "xml"),
        ]);
        for setting in [
            "TENANT_ID",
            "CLIENT_STATE",
            "GRAPH_URL",
            "TARGETS",
            "RENDITIONS",
            "SCOPE_GROUPS",
            "SCOPE_DOMAINS",
            "LOG_FORMAT",
        ] {
            assert!(told.contains(&format!("PHOTORELAY_{setting}")), "{setting} is missing in {told}");
        }
        assert!(!told.contains("short") && !told.contains("the-client-secret"), "{told}");
    }

    #[test]
    fn without_a_client_state_the_program_refuses_to_start() {
        assert!(problems(&[("PHOTORELAY_CLIENT_STATE", "")]).contains("PHOTORELAY_CLIENT_STATE_FILE"));
        assert!(problems(&[("PHOTORELAY_CLIENT_STATE", "@Microsoft.KeyVault(SecretUri=x)")]).contains("not resolved"));
    }

    #[test]
    fn the_embedded_store_refuses_to_start_inside_azure() {
        assert!(problems(&[("WEBSITE_INSTANCE_ID", "1")]).contains("lost with the instance"));
    }

    #[test]
    fn storage_is_one_of_both_and_whole() {
        let blob = ("PhotoStorage__blobServiceUri", "https://st.blob.core.windows.net/?sv=1&sig=secret");
        let queue = ("PhotoStorage__queueServiceUri", "https://st.queue.core.windows.net/?sv=1&sig=secret");
        let no_path = ("PhotoStorage__path", "");
        assert!(problems(&[blob, queue]).contains("keep one"));
        assert!(problems(&[no_path, blob]).contains("both or neither"));
        assert_eq!(problems(&[no_path, blob, queue]), "");
        let bare = ("PhotoStorage__blobServiceUri", "https://st.blob.core.windows.net/");
        assert_eq!(problems(&[no_path, bare, queue]), "", "whoever signs in to Graph signs in to the storage");
        let alone: Environment = [bare, queue].into_iter().collect();
        assert!(read_storage(&alone).unwrap_err().to_string().contains("PhotoStorage__credential"));
    }

    #[test]
    fn a_service_uri_never_prints_its_sas() {
        let uri = ServiceUri("https://st.blob.core.windows.net/?sv=1&sig=secret".parse().unwrap());
        assert!(!format!("{uri:?}").contains("secret"));
    }
}
