//! What commands begin with: the configuration, telemetry, the storage, and what writes to the target.

use std::io::IsTerminal as _;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::Args;
use photorelay_agent::config::{AgentConfig, AzureSettings, ConnectorSettings, DecisionConfig};
use photorelay_agent::connectors::Connector;
use photorelay_agent::connectors::folder::FolderConnector;
use photorelay_agent::connectors::ldap::LdapConnector;
use photorelay_agent::connectors::mim::{FeedStore, MimConnector};
use photorelay_agent::operate::people::People;
use photorelay_agent::writeback::{Reconciler, WritebackSettings};
use photorelay_core::entra::NoCaCertificates;
use photorelay_core::id::UserId;
use photorelay_core::process::{Audience, Process};
use photorelay_core::settings::Problems;
use photorelay_core::storage::Storage;
use photorelay_core::target::Target;
use tokio_util::sync::CancellationToken;

/// The largest photo that the folder connector takes, in bytes.
const FOLDER_LIMIT: u64 = 4 * 1024 * 1024;

/// The configuration and the storage, for one command.
pub(super) struct Started {
    pub(super) config: AgentConfig,
    pub(super) storage: Storage,
}

/// What commands begin with that decide about a target and do not reach it.
pub(super) struct StartedDecision {
    pub(super) target: Target,
    pub(super) storage: Storage,
    /// What reaches the target, for names and pictures, if this account may read it.
    whole: Result<AgentConfig, Problems>,
}

impl StartedDecision {
    pub(super) fn new(process: &mut Process) -> Result<Self> {
        let DecisionConfig { azure, target, logs } = {
            let config = DecisionConfig::read(process.environment())?;
            ensure!(!config.lacks_authorities(), "this machine has no CA certificates: {}", NoCaCertificates::FIX);
            config
        };
        process.start_telemetry(&logs, Audience::Operator)?;
        let storage = Storage::open(&azure.storage.resolve(&azure.authority_url)?)?;
        Ok(Self { target, storage, whole: AgentConfig::read(process.environment()) })
    }

    /// The same with all that reaches the target.
    pub(super) fn reaching(&self) -> Result<Started, Problems> {
        Ok(Started { config: self.whole.clone()?, storage: self.storage.clone() })
    }

    /// The user whom an operator means.
    pub(super) async fn user(&self, name: &str) -> Result<UserId> {
        match name.parse() {
            Ok(user) => Ok(user),
            Err(_) => {
                let started = self.reaching().context("a name is looked up at the target, an object ID is not")?;
                started.user(name).await
            }
        }
    }
}

impl Started {
    pub(super) fn new(process: &mut Process, audience: Audience) -> Result<Self> {
        let config = AgentConfig::read(process.environment())?;
        process.start_telemetry(&config.logs, audience)?;
        ensure!(!config.lacks_authorities(), "this machine has no CA certificates: {}", NoCaCertificates::FIX);
        let storage = open_storage(&config)?;
        Ok(Self { config, storage })
    }

    /// For a service, which may be started before the store is there; `None` if it is stopped before that.
    pub(super) async fn service(process: &mut Process, stop: &CancellationToken) -> Result<Option<Self>> {
        let config = AgentConfig::read(process.environment())?;
        process.start_telemetry(&config.logs, Audience::Collector)?;
        ensure!(!config.lacks_authorities(), "this machine has no CA certificates: {}", NoCaCertificates::FIX);
        let storage = service_storage(&config.azure, stop).await?;
        Ok(storage.map(|storage| Self { config, storage }))
    }

    /// The user whom an operator means. An object ID needs no look-up.
    pub(super) async fn user(&self, name: &str) -> Result<UserId> {
        match name.parse() {
            Ok(user) => Ok(user),
            Err(_) => self.people()?.find(name).await,
        }
    }

    /// Where names are looked up.
    pub(super) fn people(&self) -> Result<People> {
        let directory = match &self.config.connector {
            ConnectorSettings::Ldap(settings) => Some(LdapConnector::new((**settings).clone())),
            _ => None,
        };
        Ok(People::new(self.dry_run()?, self.config.identity.target.clone(), directory))
    }

    /// What would be written to the target; it writes nothing.
    pub(super) fn dry_run(&self) -> Result<Reconciler> {
        reconciler(&self.config, &self.storage, true)
    }

    /// What writes to the target, unless the configuration says dry run.
    pub(super) fn reconciler(&self) -> Result<Reconciler> {
        reconciler(&self.config, &self.storage, false)
    }
}

/// The storage of a service, as soon as it is there.
pub(super) async fn service_storage(azure: &AzureSettings, stop: &CancellationToken) -> Result<Option<Storage>> {
    Ok(Storage::open_when_present(&azure.storage.resolve(&azure.authority_url)?, stop).await?)
}

pub(super) fn open_storage(config: &AgentConfig) -> Result<Storage> {
    Ok(Storage::open(&config.azure.storage.resolve(&config.azure.authority_url)?)?)
}

pub(super) fn reconciler(config: &AgentConfig, storage: &Storage, dry_run: bool) -> Result<Reconciler> {
    let connector: Arc<dyn Connector> = match &config.connector {
        ConnectorSettings::Folder { path, rendition, further, name, .. } if dry_run || config.dry_run => {
            let folder = FolderConnector::unopened(path, rendition, FOLDER_LIMIT);
            Arc::new(folder.with_further(further.clone()).with_name(name.clone()))
        }
        ConnectorSettings::Folder { path, rendition, further, name, manifest } => {
            let folder = FolderConnector::open(path, rendition, FOLDER_LIMIT);
            let folder = folder.with_context(|| format!("the folder {} cannot be opened", path.display()))?;
            let folder = folder.with_further(further.clone()).with_name(name.clone());
            Arc::new(if *manifest { folder.with_manifest() } else { folder })
        }
        ConnectorSettings::Ldap(settings) => Arc::new(LdapConnector::new((**settings).clone())),
        ConnectorSettings::Mim(settings) if dry_run || config.dry_run => {
            Arc::new(MimConnector::unopened((**settings).clone())?)
        }
        ConnectorSettings::Mim(settings) => {
            Arc::new(MimConnector::new(Arc::new(FeedStore::open((**settings).clone())?)))
        }
    };
    let settings = WritebackSettings {
        tenant: config.identity.tenant_id,
        target: config.identity.target.name.clone(),
        agent: config.identity.name.clone(),
        dry_run: config.dry_run || dry_run,
        certificate_expires_at: config.azure.certificate_expires_at,
    };
    Ok(Reconciler::new(storage, connector, settings).with_policy(config.policy.clone()))
}

/// The user that a command is about.
#[derive(Args)]
pub(super) struct AgentUserArg {
    /// Object ID, user principal name or sAMAccountName.
    pub(super) user: String,
}

/// Whether names are shown.
#[derive(Args)]
pub(super) struct NamesArg {
    /// Show account names and distinguished names, too. On a terminal they are shown anyway, but not as JSON.
    #[arg(long)]
    names: bool,
}

impl NamesArg {
    /// Where to look names up, if they are shown.
    pub(super) fn people(&self, started: &Started, json: bool) -> Result<Option<People>> {
        self.are_shown(json).then(|| started.people()).transpose()
    }

    /// The same for a command that can do without: names that were asked for, it does not leave out.
    pub(super) fn people_if_known(&self, started: &StartedDecision, json: bool) -> Result<Option<People>> {
        match started.reaching() {
            Ok(started) => self.people(&started, json),
            Err(problems) if self.names => Err(problems).context("names are looked up at the target"),
            Err(_) => Ok(None),
        }
    }

    fn are_shown(&self, json: bool) -> bool {
        self.names || (!json && std::io::stdout().is_terminal())
    }
}
