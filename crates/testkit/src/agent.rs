//! The agent of the tests, built in one place; a test names only what it wants otherwise.

use std::path::Path;
use std::sync::Arc;

use photorelay_agent::agent::Agent;
use photorelay_agent::connectors::Connector;
use photorelay_agent::connectors::folder::FolderConnector;
use photorelay_agent::policy::WritePolicy;
use photorelay_agent::quota::WriteQuota;
use photorelay_agent::writeback::{Reconciler, WritebackSettings};
use photorelay_core::id::TenantId;
use photorelay_core::names::WRITEBACKS_QUEUE;
use photorelay_core::storage::Storage;

/// The agent's name in receipts and heartbeats.
pub const AGENT: &str = "agent-of-the-tests";
/// The target's name in receipts.
pub const TARGET: &str = "ad";

pub struct AgentBuilder {
    storage: Storage,
    connector: Arc<dyn Connector>,
    settings: WritebackSettings,
    policy: WritePolicy,
    quota: Option<WriteQuota>,
}

impl AgentBuilder {
    pub fn new(storage: &Storage, tenant: TenantId, connector: impl Connector + 'static) -> Self {
        Self {
            storage: storage.clone(),
            connector: Arc::new(connector),
            settings: WritebackSettings {
                tenant,
                target: TARGET.to_owned(),
                agent: AGENT.to_owned(),
                dry_run: false,
                certificate_expires_at: None,
            },
            policy: WritePolicy::default(),
            quota: None,
        }
    }

    /// One that writes `thumbnailPhoto` renditions to this folder.
    pub fn with_folder(storage: &Storage, tenant: TenantId, folder: &Path) -> Self {
        Self::new(storage, tenant, FolderConnector::open(folder, "thumbnailPhoto", 1024 * 1024).unwrap())
    }

    pub fn named(mut self, agent: &str) -> Self {
        self.settings.agent = agent.to_owned();
        self
    }

    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.settings.dry_run = dry_run;
        self
    }

    pub fn policy(self, policy: WritePolicy) -> Self {
        Self { policy, ..self }
    }

    pub fn quota(self, quota: WriteQuota) -> Self {
        Self { quota: Some(quota), ..self }
    }

    pub fn reconciler(self) -> Reconciler {
        let reconciler = Reconciler::new(&self.storage, self.connector, self.settings).with_policy(self.policy);
        match self.quota {
            Some(quota) => reconciler.with_quota(quota),
            None => reconciler,
        }
    }

    pub fn build(self) -> Agent {
        Agent::new(self.storage.clone(), self.reconciler(), WRITEBACKS_QUEUE.to_owned())
    }
}
