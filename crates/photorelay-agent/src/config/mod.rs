//! The agent's configuration, read once from the environment.
//!
//! One struct per concern, and each reads itself. A missing or wrong setting stops the program, and all problems are
//! reported at once.

mod connector;
mod decision;
mod forward;
mod photos;
#[cfg(test)]
mod tests;

pub use connector::{ConnectorSettings, read_feed};
pub use decision::DecisionConfig;
pub use forward::ForwardConfig;
pub use photos::PhotoServerConfig;

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::entra::CredentialConfig;
use photorelay_core::id::TenantId;
use photorelay_core::settings::{
    DEFAULT_AUTHORITY_URL, Environment, Problems, Reader, StorageSettings, credential, storage,
};
use photorelay_core::target::{Target, Targets};
use photorelay_core::telemetry::LogSettings;
use url::Url;

use crate::agent::DEFAULT_LEASE;
use crate::certificate;
use crate::full_reconciliation::FullReconciliationSettings;
use crate::policy::WritePolicy;
use crate::quota::QuotaLimits;

/// Every setting of the agent.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    pub identity: AgentIdentity,
    pub azure: AzureSettings,
    pub connector: ConnectorSettings,
    /// The keys of the account that signs in with Kerberos, if they are in a file that the environment names.
    pub keytab: Option<PathBuf>,
    /// Nothing is written to the target.
    pub dry_run: bool,
    pub policy: WritePolicy,
    pub quota: QuotaLimits,
    /// None: never.
    pub full_reconciliation: Option<FullReconciliationSettings>,
    /// How long a message is hidden before its lease is renewed. That of an agent that died comes back after this time.
    pub lease: Duration,
    pub logs: LogSettings,
}

/// Which agent this is, and whose photos it writes where.
#[derive(Debug, Clone)]
pub struct AgentIdentity {
    pub tenant_id: TenantId,
    /// The agent's name in receipts.
    pub name: String,
    pub target: Target,
}

/// How the agent reaches Azure.
#[derive(Debug, Clone)]
pub struct AzureSettings {
    pub storage: StorageSettings,
    pub credential: Option<CredentialConfig>,
    pub authority_url: Url,
    /// When the certificate that signs in to Azure expires.
    pub certificate_expires_at: Option<Timestamp>,
}

impl AgentConfig {
    /// Whether a server is verified by the CA certificates of this machine, and there are none.
    pub fn lacks_authorities(&self) -> bool {
        (self.azure.storage.needs_authorities() || self.connector.needs_authorities())
            && !certificate::machine_has_authorities()
    }

    /// What the agent may do by itself, in one line.
    pub fn policy_in_force(&self) -> String {
        let writes = if self.dry_run { "dry run, nothing is written" } else { "writes to the target" };
        let quota = match (self.quota.per_minute, self.quota.per_day) {
            (None, None) => "none".to_owned(),
            (Some(minute), None) => format!("{minute} a minute"),
            (None, Some(day)) => format!("{day} a day"),
            (Some(minute), Some(day)) => format!("{minute} a minute, {day} a day"),
        };
        format!("{writes}; {}; write quota: {quota}", self.policy)
    }

    /// Reads every setting; the error names all that are missing or wrong.
    pub fn read(environment: &Environment) -> Result<Self, Problems> {
        let mut reader = Reader::new(environment);
        let identity = AgentIdentity::read(&mut reader);
        let azure = AzureSettings::read(&mut reader);
        let connector = ConnectorSettings::read(&mut reader);
        let keytab = keytab(&mut reader);
        let dry_run = reader.flag("PHOTORELAY_DRY_RUN");
        let policy = policy(&mut reader);
        let quota = QuotaLimits {
            per_minute: limit(&mut reader, "PHOTORELAY_WRITES_PER_MINUTE"),
            per_day: limit(&mut reader, "PHOTORELAY_WRITES_PER_DAY"),
        };
        let hours: u32 = reader.optional("PHOTORELAY_PASS_HOURS").unwrap_or(24);
        if hours == 0 && matches!(connector, Some(ConnectorSettings::Mim(_))) {
            reader.problem(
                "PHOTORELAY_PASS_HOURS is 0: only a full reconciliation fills the feed, and lets it be published",
            );
        }
        let lease = reader.positive_seconds("PHOTORELAY_LEASE_SECONDS", DEFAULT_LEASE);
        let logs = LogSettings::read(&mut reader);
        reader.finish(|| {
            let identity = identity?;
            let full_reconciliation = (hours > 0).then(|| FullReconciliationSettings {
                every: Duration::from_secs(u64::from(hours) * 3600),
                serving: identity.target.clone(),
            });
            Some(Self {
                identity,
                azure: azure?,
                connector: connector?,
                keytab,
                dry_run,
                policy: policy?,
                quota,
                full_reconciliation,
                lease,
                logs,
            })
        })
    }
}

impl AgentIdentity {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let tenant_id = reader.required("PHOTORELAY_TENANT_ID");
        let target = target(reader);
        let name = reader.optional("PHOTORELAY_AGENT_NAME").or_else(|| reader.peek("HOSTNAME"));
        // As Windows calls it.
        let name = name.or_else(|| reader.peek("COMPUTERNAME"));
        let name = name.unwrap_or_else(|| "agent".to_owned());
        Some(Self { tenant_id: tenant_id?, name, target: target? })
    }
}

impl AzureSettings {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let credential = credential(reader);
        let storage = storage(reader, credential.as_ref());
        let credential = credential.ok();
        let authority_url = reader.bare_url("PHOTORELAY_AUTHORITY_URL", DEFAULT_AUTHORITY_URL);
        let certificate_expires_at = credential.as_ref().and_then(certificate::expires_at);
        Some(Self { storage: storage?, credential, authority_url: authority_url?, certificate_expires_at })
    }
}

/// The target of this agent: the first one unless another is named.
fn target(reader: &mut Reader<'_>) -> Option<Target> {
    let targets: Targets = reader.optional("PHOTORELAY_TARGETS").unwrap_or_default();
    let target = match reader.optional::<String>("PHOTORELAY_AGENT_TARGET") {
        None => targets.all().first(),
        Some(name) => targets.by_name(&name),
    };
    if target.is_none() {
        reader.problem("PHOTORELAY_AGENT_TARGET is none of the targets that PHOTORELAY_TARGETS names");
    }
    target.cloned()
}

/// What the Kerberos library itself reads; the first is for programs that sign in.
fn keytab(reader: &mut Reader<'_>) -> Option<PathBuf> {
    let name: String = reader.optional("KRB5_CLIENT_KTNAME").or_else(|| reader.optional("KRB5_KTNAME"))?;
    Some(PathBuf::from(name.strip_prefix("FILE:").unwrap_or(&name)))
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
