//! `photorelay-agent doctor`: looks at everything that has to be right before this agent can write, and says what mends
//! what is not. One check that fails never hides the others.
//!
//! It changes nothing but a probe blob of its own, which it deletes again, and writes to no target.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use photorelay_core::contract::{Outcome, Receipt};
use photorelay_core::diagnosis::{CheckResult, Diagnosis};
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::storage::Storage;
use photorelay_core::store::{Creation, Listing, StoreError};
use uuid::Uuid;

use super::switch;
use crate::certificate::WARN_BEFORE;
use crate::config::{AgentConfig, ConnectorSettings};
use crate::connectors::EntryRef;
use crate::connectors::ldap::{LastChange, LdapConnector};
use crate::documents;
use crate::writeback::WriteBacks;

/// Between a write and its receipt, and between the clocks of domain controller and agent.
const ONE_WRITE: Duration = Duration::from_secs(300);

/// `writebacks` is what would write, or why there is none; `user` is somebody to plan for.
pub async fn run_checks(
    config: &AgentConfig,
    storage: Result<&Storage, String>,
    writebacks: Result<&WriteBacks, String>,
    user: Option<UserId>,
) -> Diagnosis {
    let mode = if config.dry_run { ", dry run: it writes to no target" } else { "" };
    let mut findings =
        vec![CheckResult::ok("configuration", format!("agent {} of {}{mode}", config.agent, config.target))];
    if let Some(end) = config.certificate_expires_at {
        let (left, mend) =
            (end.duration_since(Timestamp::now()), "make a new one and deploy it, as docs/deploy.md says");
        let says = format!("the certificate runs out in {} days", left.as_hours() / 24);
        findings.push(match left {
            left if left.is_negative() => CheckResult::error("certificate", "it has run out", mend),
            left if left < WARN_BEFORE => CheckResult::warning("certificate", says, mend),
            _ => CheckResult::ok("certificate", says),
        });
    }
    match &storage {
        Err(error) => findings.push(CheckResult::error("storage", error, "correct PhotoStorage__* and the credential")),
        Ok(storage) => look_at_storage(storage, config, &mut findings).await,
    }
    let directory = match &config.place {
        ConnectorSettings::Ldap(settings) => Some(LdapConnector::new((**settings).clone())),
        ConnectorSettings::Folder { .. } => None,
    };
    if let Some(directory) = &directory {
        findings.append(&mut directory.run_checks().await);
    }
    if let ConnectorSettings::Folder { path, .. } = &config.place {
        findings.push(match &writebacks {
            Ok(_) => CheckResult::ok("folder", format!("{} can be written", path.display())),
            Err(error) => CheckResult::error("folder", error, "make it writable for the agent's account"),
        });
    }
    if let (Ok(storage), Ok(writebacks), Some(user)) = (storage, writebacks, user) {
        look_at_user(storage, config, writebacks, directory.as_ref(), user, &mut findings).await;
    }
    Diagnosis(findings)
}

async fn look_at_user(
    storage: &Storage,
    config: &AgentConfig,
    writebacks: &WriteBacks,
    directory: Option<&LdapConnector>,
    user: UserId,
    findings: &mut Vec<CheckResult>,
) {
    let plan = match writebacks.plan(user).await {
        Ok(Some(plan)) => plan,
        Ok(None) => {
            let mend = "run `photorelay check` for them";
            return findings.push(CheckResult::warning("user", "the trail has no entry for targets", mend));
        }
        Err(error) => return findings.push(CheckResult::error("user", error.to_string(), "see above")),
    };
    findings.push(CheckResult::ok("user", format!("entry {}: would {}", plan.seq, plan.would)));
    let (Some(directory), Some(place)) = (directory, plan.place) else { return };
    findings.push(match directory.last_change(&EntryRef(place)).await {
        Ok(None) => {
            CheckResult::ok("other writers", "not told: this server shows no replication metadata of the attribute")
        }
        Ok(Some(change)) => {
            let receipts = documents::receipts(&*storage.blobs, user, &config.target).await.unwrap_or_default();
            judge_change(change, receipts.iter().filter(|receipt| receipt.outcome == Outcome::Written))
        }
        Err(error) => CheckResult::warning("other writers", error.to_string(), "see above"),
    });
}

/// Whether the last change can be ours.
fn judge_change<'a>(change: LastChange, written: impl Iterator<Item = &'a Receipt>) -> CheckResult {
    let ours: Vec<Timestamp> = written.map(|receipt| receipt.at).collect();
    let says = format!(
        "changed {} times, last at {}; photorelay has receipts of {} writes",
        change.version,
        change.at,
        ours.len()
    );
    match ours.iter().any(|at| change.at.duration_since(*at).unsigned_abs() <= ONE_WRITE) {
        true => CheckResult::ok("other writers", says),
        false => CheckResult::warning(
            "other writers",
            format!("{says}, none of them then"),
            "find out who else writes it: Entra Connect, MIM, a script; two writers replace each other for ever",
        ),
    }
}

async fn look_at_storage(storage: &Storage, config: &AgentConfig, findings: &mut Vec<CheckResult>) {
    for container in [Container::Photos, Container::Audit] {
        let listing = Listing { page_size: 1, ..Listing::of("") };
        let listed = storage.blobs.list(container, listing).await.map(|_| "listed");
        findings.push(judged(&format!("container {container}"), listed, "Storage Blob Data Reader"));
    }
    // Receipts are created once and stay, so the right to write is tried beside them only.
    for container in [Container::Receipts, Container::Agents] {
        let tried = match container {
            Container::Agents => write(storage).await,
            _ => storage.blobs.list(container, Listing { page_size: 1, ..Listing::of("") }).await.map(|_| "listed"),
        };
        findings.push(judged(&format!("container {container}"), tried, "Storage Blob Data Contributor"));
    }
    let check = format!("queue {}", config.queue);
    findings.push(match storage.queues.count(&config.queue).await {
        Ok(waiting) => CheckResult::ok(&check, format!("{waiting} items wait")),
        Err(error) => judged(&check, Err(error), "Storage Queue Data Contributor"),
    });
    match storage.queues.count(&names::poison_queue(&config.queue)).await {
        // Made when the first item is dead-lettered.
        Ok(0) | Err(StoreError::Missing { .. } | StoreError::Invalid { .. }) => {}
        Ok(count) => findings.push(CheckResult::warning(
            "poison queue",
            format!("{count} items could not be handled"),
            format!("read the reasons in agents/poison/{}, mend them, then delete the messages", config.queue),
        )),
        Err(error) => findings.push(judged("poison queue", Err(error), "Storage Queue Data Contributor")),
    }
    match switch::stopped(storage, &config.target).await {
        Ok(None) => {}
        Ok(Some(why)) => findings.push(CheckResult::warning("switch", why, "run `photorelay-agent resume`")),
        Err(error) => findings.push(judged("switch", Err(error), "Storage Blob Data Contributor")),
    }
}

async fn write(storage: &Storage) -> Result<&'static str, StoreError> {
    let name = format!("doctor/{}", Uuid::new_v4());
    let content = Bytes::from_static(b"photorelay-agent doctor tries its rights");
    let created = storage.blobs.create(Container::Agents, &name, "text/plain", content).await?;
    storage.blobs.delete(Container::Agents, &name).await?;
    match created {
        Creation::Created => Ok("written and deleted"),
        Creation::AlreadyExists => Ok("written before"),
    }
}

fn judged(check: &str, tried: Result<&'static str, StoreError>, role: &str) -> CheckResult {
    match tried {
        Ok(says) => CheckResult::ok(check, says),
        Err(error @ StoreError::Denied { .. }) => {
            CheckResult::error(check, error.to_string(), format!("grant the agent's identity {role} there"))
        }
        Err(error @ StoreError::Missing { .. }) => CheckResult::error(
            check,
            error.to_string(),
            "deploy or start the function app first: it makes what is missing",
        ),
        Err(error) => CheckResult::error(check, error.to_string(), "check the service URIs, the network and the proxy"),
    }
}
