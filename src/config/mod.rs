//! The configuration of the function app, read once from the environment.
//!
//! One struct per concern, and each reads itself. A missing or wrong setting stops the program, and all problems are
//! reported at once.

mod capture;
mod graph;
mod hosting;
mod notifications;
mod operator;
mod scope;
#[cfg(test)]
mod tests;

pub use capture::CaptureSettings;
pub use graph::GraphSettings;
pub use hosting::HostingSettings;
pub use notifications::{ConfigPurpose, EventDelivery, NotificationDelivery, NotificationSettings};
pub use operator::OperatorConfig;

use photorelay_core::settings::{Environment, Problems, Reader, StorageSettings, credential, storage};
use photorelay_core::target::Targets;
use photorelay_core::telemetry::LogSettings;
use secrecy::SecretString;
use url::Url;

use crate::jobs::scope::Scope;

/// Every setting of the program.
#[derive(Debug, Clone)]
pub struct AppConfig {
    pub graph: GraphSettings,
    pub storage: StorageSettings,
    pub notifications: NotificationSettings,
    pub capture: CaptureSettings,
    /// Where photos are announced.
    pub targets: Targets,
    /// Whose photos are carried.
    pub scope: Scope,
    pub hosting: HostingSettings,
    pub logs: LogSettings,
}

impl AppConfig {
    /// What has to be given, and the default of everything else. For configurations that are built in code.
    pub fn with_defaults(graph: GraphSettings, storage: StorageSettings, client_state: SecretString) -> Self {
        Self {
            graph,
            storage,
            notifications: NotificationSettings::new(client_state),
            capture: CaptureSettings::default(),
            targets: Targets::default(),
            scope: Scope::default(),
            hosting: HostingSettings::default(),
            logs: LogSettings::default(),
        }
    }

    /// Reads every setting; the error names all that are missing or wrong.
    pub fn read(environment: &Environment, purpose: ConfigPurpose) -> Result<Self, Problems> {
        let mut reader = Reader::new(environment);
        let credential = credential(&mut reader);
        let storage = storage(&mut reader, credential.as_ref());
        let graph = GraphSettings::read(&mut reader, credential);
        let notifications = NotificationSettings::read(&mut reader, purpose);
        let capture = CaptureSettings::read(&mut reader);
        let targets = reader.optional("PHOTORELAY_TARGETS").unwrap_or_default();
        let scope = scope::read(&mut reader);
        let hosting = HostingSettings::read(&mut reader);
        let logs = LogSettings::read(&mut reader);
        reader.finish(|| {
            Some(Self {
                graph: graph?,
                storage: storage?,
                notifications: notifications?,
                capture: capture?,
                targets,
                scope: scope?,
                hosting: hosting?,
                logs,
            })
        })
    }
}

/// The targets alone.
pub fn read_targets(environment: &Environment) -> Result<Targets, Problems> {
    let mut reader = Reader::new(environment);
    let targets = reader.optional("PHOTORELAY_TARGETS").unwrap_or_default();
    reader.finish(|| Some(targets))
}

/// Storage alone and the authority that signs in to it, for commands that need nothing else.
pub fn read_storage(environment: &Environment) -> Result<(StorageSettings, Url), Problems> {
    let mut reader = Reader::new(environment);
    let own = credential(&mut reader);
    let storage = storage(&mut reader, own.as_ref());
    let authority_url = graph::authority_url(&mut reader);
    reader.finish(|| Some((storage?, authority_url?)))
}
