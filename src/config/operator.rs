//! What the commands of operators read that need the storage and no more: Graph is asked only where it is configured.

use photorelay_core::id::TenantId;
use photorelay_core::settings::{Environment, Problems, Reader, StorageSettings, credential, storage};
use photorelay_core::target::Targets;
use photorelay_core::telemetry::LogSettings;
use url::Url;

use super::graph::{GraphSettings, authority_url};
use super::notifications::{ConfigPurpose, NotificationSettings};
use crate::graph::GraphUnset;

/// The settings of a command that reads the storage, with the sign-in of the operator who runs it.
#[derive(Debug, Clone)]
pub struct OperatorConfig {
    pub storage: StorageSettings,
    /// The login host of the cloud, which signs in to the storage.
    pub authority_url: Url,
    pub targets: Targets,
    pub graph: Result<GraphSettings, GraphUnset>,
    /// Known without Graph, too.
    pub tenant_id: Option<TenantId>,
    pub notifications: NotificationSettings,
    pub logs: LogSettings,
}

impl OperatorConfig {
    /// Reads these settings; the error names all that are wrong, and what the storage lacks.
    pub fn read(environment: &Environment) -> Result<Self, Problems> {
        let mut reader = Reader::new(environment);
        let credential = credential(&mut reader);
        let storage = storage(&mut reader, credential.as_ref());
        let authority_url = authority_url(&mut reader);
        let graph = GraphSettings::read_if_set(&mut reader, credential);
        let tenant_id = reader.optional("PHOTORELAY_TENANT_ID");
        let notifications = NotificationSettings::read(&mut reader, ConfigPurpose::Command);
        let targets = reader.optional("PHOTORELAY_TARGETS").unwrap_or_default();
        let logs = LogSettings::read(&mut reader);
        reader.finish(|| {
            Some(Self {
                storage: storage?,
                authority_url: authority_url?,
                targets,
                graph: match graph {
                    Ok(settings) => Ok(settings?),
                    Err(unset) => Err(unset),
                },
                tenant_id,
                notifications: notifications?,
                logs,
            })
        })
    }
}
