//! The permissions on the storage, found by trying: what the function writes is written, read and deleted; what it only
//! reads is listed.
//!
//! Nothing is written to `audit`: under an immutability policy it could never be deleted again. The agent
//! writes `receipts` and `agents`, with an identity of its own.

use bytes::Bytes;
use photorelay_core::diagnosis::CheckResult;
use photorelay_core::names::{self, CHECKS_QUEUE, Container, SUBSCRIPTIONS_QUEUE};
use photorelay_core::storage::Storage;
use photorelay_core::store::{Creation, Listing, StoreError};
use photorelay_core::target::Targets;
use photorelay_core::wording::counted;
use uuid::Uuid;

pub(super) async fn check(storage: &Storage, targets: &Targets, results: &mut Vec<CheckResult>) {
    for container in Container::ALL {
        let check = format!("container {container}");
        let tried = match container {
            Container::Photos | Container::State => write(storage, container).await,
            Container::Audit | Container::Receipts | Container::Agents => read(storage, container).await,
        };
        results.push(tried.map_or_else(|error| refused(&check, &error), |says| CheckResult::ok(&check, says)));
    }
    let queues = [CHECKS_QUEUE, SUBSCRIPTIONS_QUEUE].map(str::to_owned);
    let writebacks = targets.all().iter().map(|target| target.queue.clone());
    for queue in queues.into_iter().chain(writebacks) {
        let check = format!("queue {queue}");
        results.push(match waiting(storage, &queue).await {
            Err(error) => refused(&check, &error),
            Ok((waiting, 0)) => CheckResult::ok(&check, counted(waiting, "message waits", "messages wait")),
            Ok((waiting, dead_lettered)) => CheckResult::warning(
                &check,
                format!(
                    "{}, {} in the poison queue",
                    counted(waiting, "message waits", "messages wait"),
                    counted(dead_lettered, "is", "are")
                ),
                "read the reasons that `photorelay poison` lists, fix them, then delete the messages with --clear",
            ),
        });
    }
}

async fn write(storage: &Storage, container: Container) -> Result<&'static str, StoreError> {
    let name = format!("{}{}", names::PROBES_PREFIX, Uuid::new_v4());
    let content = Bytes::from_static(b"photorelay doctor tries its rights");
    let created = storage.blobs.create(container, &name, "text/plain", content.clone()).await?;
    let read = storage.blobs.get(container, &name, 1024).await?;
    storage.blobs.delete(container, &name).await?;
    if created == Creation::Created && read == Some(content) {
        return Ok("written, read and deleted");
    }
    Err(StoreError::Missing { what: format!("the blob that was just written to `{container}`") })
}

async fn read(storage: &Storage, container: Container) -> Result<&'static str, StoreError> {
    let listing = Listing { page_size: 1, ..Listing::of("") };
    storage.blobs.list(container, listing).await?;
    Ok("listed; writing is not tried, because nothing there can be deleted")
}

async fn waiting(storage: &Storage, queue: &str) -> Result<(u64, u64), StoreError> {
    let waiting = storage.queues.count(queue).await?;
    let dead_lettered = match storage.queues.count(&names::poison_queue(queue)).await {
        Ok(dead_lettered) => dead_lettered,
        // Made when the first message is dead-lettered.
        Err(StoreError::Missing { .. }) => 0,
        Err(error) => return Err(error),
    };
    Ok((waiting, dead_lettered))
}

fn refused(check: &str, error: &StoreError) -> CheckResult {
    let fix = match error {
        StoreError::Denied { .. } => {
            "grant the identity Storage Blob Data Contributor and Storage Queue Data Contributor, or renew the SAS"
        }
        StoreError::Missing { .. } => "start photorelay once: it creates what is missing where it is allowed to",
        StoreError::Absent { .. } | StoreError::Lost { .. } => "correct PhotoStorage__path, or start `photorelay run`",
        StoreError::Unavailable { .. } => "check the service URIs and the account's firewall",
        StoreError::Full { .. } => "make room on the disk",
        StoreError::TooLarge { .. } | StoreError::Invalid { .. } => "check PhotoStorage__blobServiceUri and its SAS",
    };
    CheckResult::error(check, error.to_string(), fix)
}
