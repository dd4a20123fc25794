//! The agent's configuration, read once from the environment; all problems are told at once.

use std::path::PathBuf;
use std::time::Duration;

use photorelay_core::id::TenantId;
use photorelay_core::settings::{Environment, Problems, Reader, StorageSettings, storage};
use photorelay_core::target::Targets;
use photorelay_core::telemetry::{LogFilter, LogFormat};
use url::Url;

use crate::queue::DEFAULT_LEASE;

#[derive(Debug, Clone)]
pub struct Config {
    pub tenant_id: TenantId,
    pub storage: StorageSettings,
    pub authority_url: Url,
    /// The target's name and queue.
    pub target: String,
    pub queue: String,
    /// This agent's name in receipts.
    pub agent: String,
    pub folder: PathBuf,
    /// The rendition that the folder shows.
    pub rendition: String,
    pub dry_run: bool,
    /// How long an item is hidden before its lease is renewed. One whose agent died comes back then.
    pub lease: Duration,
    pub log_format: LogFormat,
    pub log_filter: LogFilter,
}

impl Config {
    /// Reads every setting; the error names all that are missing or wrong.
    pub fn read(environment: &Environment) -> Result<Self, Problems> {
        let mut reader = Reader::new(environment);
        let tenant_id = reader.required("PHOTORELAY_TENANT_ID");
        let storage = storage(&mut reader);
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
        let folder = reader.required("PHOTORELAY_FOLDER_PATH");
        let rendition = reader.or_default("PHOTORELAY_FOLDER_RENDITION", "thumbnailPhoto");
        let dry_run = reader.flag("PHOTORELAY_DRY_RUN");
        let lease = reader.seconds("PHOTORELAY_LEASE_SECONDS", DEFAULT_LEASE);
        if lease.is_zero() {
            reader.problem("PHOTORELAY_LEASE_SECONDS must be at least 1");
        }
        let log_format = reader.optional("PHOTORELAY_LOG_FORMAT").unwrap_or_default();
        let log_filter = reader.optional("PHOTORELAY_LOG").unwrap_or_default();
        reader.finish(|| {
            let target = target?;
            Some(Self {
                tenant_id: tenant_id?,
                storage: storage?,
                authority_url: authority_url?,
                target: target.name.clone(),
                queue: target.queue.clone(),
                agent: agent.unwrap_or_else(|| "agent".to_owned()),
                folder: folder?,
                rendition: rendition?,
                dry_run,
                lease,
                log_format,
                log_filter,
            })
        })
    }
}
