//! `photorelay-agent doctor`: checks everything that has to be right before this agent can write, and says how to fix what
//! is not. A check that fails never hides the others.
//!
//! It changes nothing but a probe blob of its own, which it deletes again, and writes to no target.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use photorelay_core::contract::{Outcome, Receipt};
use photorelay_core::diagnosis::{CheckResult, Diagnosis};
use photorelay_core::entra::NoCaCertificates;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::storage::Storage;
use photorelay_core::store::{Creation, Listing, StoreError};
use photorelay_core::wording::counted;
use uuid::Uuid;

use crate::certificate::WARN_BEFORE;
use crate::config::{AgentConfig, ConnectorSettings};
use crate::connectors::EntryRef;
use crate::connectors::ldap::{LastChange, LdapConnector, SignIn};
use crate::keytab;
use crate::operate::feed;
use crate::stop_switch::StopCheck;
use crate::writeback::Reconciler;
use crate::writeback::receipt_reader::ReceiptReader;

/// Between a write and its receipt, and between the clocks of domain controller and agent.
const ONE_WRITE: Duration = Duration::from_secs(300);

/// `reconciler` is what would write, or why there is none; `user` is one to plan for, or why it is not known who.
pub async fn run_checks(
    config: &AgentConfig,
    storage: Result<&Storage, String>,
    reconciler: Result<&Reconciler, String>,
    user: Option<Result<UserId, String>>,
) -> Diagnosis {
    let mode = if config.dry_run { ", dry run: it writes to no target" } else { "" };
    let mut results = vec![CheckResult::ok(
        "configuration",
        format!("agent {} of {}{mode}", config.identity.name, config.identity.target.name),
    )];
    results.push(CheckResult::ok("policy", config.policy_in_force()));
    if config.lacks_authorities() {
        // Nothing that is reached over TLS can be checked, and every other advice would be wrong.
        let says = "this machine has no CA certificates, so no server can be verified";
        results.push(CheckResult::error("CA certificates", says, NoCaCertificates::FIX));
        return Diagnosis(results);
    }
    results.extend(config.azure.certificate_expires_at.map(check_certificate));
    match &storage {
        Err(error) => results.push(CheckResult::error("storage", error, "correct PhotoStorage__* and the credential")),
        Ok(storage) => check_storage(storage, config, &mut results).await,
    }
    let directory = match &config.connector {
        ConnectorSettings::Ldap(settings) => {
            let keytab = config.keytab.as_ref().filter(|_| matches!(settings.sign_in, SignIn::Kerberos));
            results.extend(keytab.map(|path| keytab::check(path)));
            Some(LdapConnector::new((**settings).clone()))
        }
        ConnectorSettings::Folder { path, .. } => {
            results.push(check_folder(path));
            None
        }
        ConnectorSettings::Mim(settings) => {
            results.extend(feed::check(settings, jiff::Timestamp::now()));
            None
        }
    };
    if let Some(directory) = &directory {
        results.append(&mut directory.run_checks().await);
    }
    if let Some(Err(error)) = &user {
        results.push(CheckResult::error("user", error, "correct what is wrong above, or give an object ID"));
    }
    if let (Ok(storage), Ok(reconciler), Some(Ok(user))) = (storage, reconciler, user) {
        let (result, object) = check_user(reconciler, user).await;
        results.push(result);
        if let (Some(directory), Some(object)) = (&directory, object) {
            let receipts = ReceiptReader::new(&storage.blobs, &config.identity.target.name);
            results.push(check_other_writers(directory, EntryRef(object), &receipts, user).await);
        }
    }
    Diagnosis(results)
}

/// Nothing is written to try it.
fn check_folder(path: &Path) -> CheckResult {
    const FIX: &str = "make it a folder that the agent's account may write, or correct PHOTORELAY_FOLDER_PATH";
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(found) if !found.is_dir() => CheckResult::error("folder", format!("{shown} is no folder"), FIX),
        Ok(found) if found.permissions().readonly() => {
            CheckResult::error("folder", format!("{shown} is read-only"), FIX)
        }
        Ok(_) => CheckResult::ok("folder", format!("{shown} is there")),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            CheckResult::ok("folder", format!("{shown} is not there yet: the agent creates it"))
        }
        Err(error) => CheckResult::error("folder", format!("{shown}: {error}"), FIX),
    }
}

fn check_certificate(end: Timestamp) -> CheckResult {
    const FIX: &str = "make a new one and deploy it, as docs/deploy.md says";
    let left = end.duration_since(Timestamp::now());
    let days = u64::try_from(left.as_hours() / 24).unwrap_or_default();
    let says = format!("the certificate expires in {}", counted(days, "day", "days"));
    match left {
        left if left.is_negative() => CheckResult::error("certificate", "it has expired", FIX),
        left if left < WARN_BEFORE => CheckResult::warning("certificate", says, FIX),
        _ => CheckResult::ok("certificate", says),
    }
}

/// What would be done for this user, and the user's object in the target.
async fn check_user(reconciler: &Reconciler, user: UserId) -> (CheckResult, Option<String>) {
    match reconciler.plan(user).await {
        Ok(Some(plan)) => (CheckResult::ok("user", format!("entry {}: would {}", plan.seq, plan.would)), plan.object),
        Ok(None) => {
            let fix = "run `photorelay check` for them";
            (CheckResult::warning("user", "the trail has no entry for targets", fix), None)
        }
        Err(error) => (CheckResult::error("user", error.to_string(), "see above"), None),
    }
}

async fn check_other_writers(
    directory: &LdapConnector,
    object: EntryRef,
    receipts: &ReceiptReader,
    user: UserId,
) -> CheckResult {
    match directory.last_change(&object).await {
        Ok(None) => {
            CheckResult::ok("other writers", "unknown: this server shows no replication metadata of the attribute")
        }
        Ok(Some(change)) => {
            let receipts = receipts.of_user(user).await.unwrap_or_default();
            judge_change(change, receipts.iter().filter(|receipt| receipt.outcome == Outcome::Written))
        }
        Err(error) => CheckResult::warning("other writers", error.to_string(), "see above"),
    }
}

/// Whether the last change can be ours.
fn judge_change<'a>(change: LastChange, written: impl Iterator<Item = &'a Receipt>) -> CheckResult {
    let ours: Vec<Timestamp> = written.map(|receipt| receipt.at).collect();
    let says = format!(
        "changed {}, last at {}; photorelay has receipts of {}",
        counted(change.version.into(), "time", "times"),
        change.at,
        counted(ours.len() as u64, "write", "writes")
    );
    match ours.iter().any(|at| change.at.duration_since(*at).unsigned_abs() <= ONE_WRITE) {
        true => CheckResult::ok("other writers", says),
        false => CheckResult::warning(
            "other writers",
            format!("{says}, none of them then"),
            "find out what else writes it: Entra Connect, MIM, a script; two writers replace each other's photos for ever",
        ),
    }
}

async fn check_storage(storage: &Storage, config: &AgentConfig, results: &mut Vec<CheckResult>) {
    for container in [Container::Photos, Container::Audit] {
        let listing = Listing { page_size: 1, ..Listing::of("") };
        let listed = storage.blobs.list(container, listing).await.map(|_| "listed");
        results.push(judged(&format!("container {container}"), listed, "Storage Blob Data Reader"));
    }
    // Receipts are created once and stay, so the right to write is tried beside them only.
    for container in [Container::Receipts, Container::Agents] {
        let tried = match container {
            Container::Agents => write(storage).await,
            _ => storage.blobs.list(container, Listing { page_size: 1, ..Listing::of("") }).await.map(|_| "listed"),
        };
        results.push(judged(&format!("container {container}"), tried, "Storage Blob Data Contributor"));
    }
    let check = format!("queue {}", config.identity.target.queue);
    results.push(match storage.queues.count(&config.identity.target.queue).await {
        Ok(waiting) => CheckResult::ok(&check, counted(waiting, "item waits", "items wait")),
        Err(error) => judged(&check, Err(error), "Storage Queue Data Contributor"),
    });
    match storage.queues.count(&names::poison_queue(&config.identity.target.queue)).await {
        // Created when the first item is dead-lettered.
        Ok(0) | Err(StoreError::Missing { .. } | StoreError::Invalid { .. }) => {}
        Ok(count) => results.push(CheckResult::warning(
            "poison queue",
            format!("{} could not be handled", counted(count, "item", "items")),
            format!(
                "read the reasons in agents/poison/{}, fix them, then delete the messages",
                config.identity.target.queue
            ),
        )),
        Err(error) => results.push(judged("poison queue", Err(error), "Storage Queue Data Contributor")),
    }
    match StopCheck::new(&storage.blobs, &config.identity.target.name).reason().await {
        Ok(None) => {}
        Ok(Some(why)) => results.push(CheckResult::warning("switch", why, "run `photorelay-agent resume`")),
        Err(error) => results.push(judged("switch", Err(error), "Storage Blob Data Contributor")),
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
            "deploy or start the function app first: it creates what is missing",
        ),
        Err(error) => CheckResult::error(check, error.to_string(), "check the service URIs, the network and the proxy"),
    }
}
