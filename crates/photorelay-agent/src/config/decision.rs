//! What the commands read that decide about a target and do not reach it: `held`, `approve`, `reject`, `stop`, `resume`.
//!
//! Operators run them, who may not read what the agent signs in to its target with.

use photorelay_core::settings::{Environment, Problems, Reader};
use photorelay_core::target::Target;
use photorelay_core::telemetry::LogSettings;

use super::{AzureSettings, target};
use crate::certificate;

/// The storage, and which target is meant.
#[derive(Debug, Clone)]
pub struct DecisionConfig {
    pub azure: AzureSettings,
    pub target: Target,
    pub logs: LogSettings,
}

impl DecisionConfig {
    /// Reads these settings and no others; the error names all that are missing or wrong.
    pub fn read(environment: &Environment) -> Result<Self, Problems> {
        let mut reader = Reader::new(environment);
        let azure = AzureSettings::read(&mut reader);
        let target = target(&mut reader);
        let logs = LogSettings::read(&mut reader);
        reader.finish(|| Some(Self { azure: azure?, target: target?, logs }))
    }

    /// Whether the storage is verified by the CA certificates of this machine, and there are none.
    pub fn lacks_authorities(&self) -> bool {
        self.azure.storage.needs_authorities() && !certificate::machine_has_authorities()
    }
}
