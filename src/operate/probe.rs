//! `photorelay probe`: whether a photo change raises a notification in this tenant, and how late. Graph promises
//! neither, and tenants differ.
//!
//! It changes the photo of a test account and watches what the deployed photorelay makes of it: an entry of the trail
//! says how it was found. Whatever happens, the previous photo is put back.

use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use photorelay_core::audit;
use photorelay_core::contract::{CauseKind, EntryKind};
use photorelay_core::id::UserId;
use photorelay_core::photo;
use photorelay_core::storage::Storage;
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::graph::{FetchedPhoto, Graph, GraphError};

/// Between two reads of the trail: what this adds to the measured time.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How the change was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum ProbeOutcome {
    Notified,
    FoundBy {
        cause: CauseKind,
    },
    NotFound,
    /// Stopped before it was found.
    Interrupted,
}

/// What a probe found. The photo of before is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeReport {
    pub user: UserId,
    pub outcome: ProbeOutcome,
    /// From the change to the end of the wait.
    pub took: Duration,
}

impl ProbeReport {
    pub fn is_notified(&self) -> bool {
        self.outcome == ProbeOutcome::Notified
    }

    /// docs/commands.md names these members.
    pub fn as_json(&self) -> Value {
        json!({ "userId": self.user, "outcome": self.outcome, "afterMs": self.took.as_millis() as u64 })
    }
}

impl fmt::Display for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        match self.outcome {
            ProbeOutcome::Notified => {
                write!(f, "notified        within {seconds:.1} s, from the change to the entry in the trail")
            }
            ProbeOutcome::FoundBy { cause } => {
                write!(f, "NOT NOTIFIED    after {seconds:.0} s the change was found by another way: {cause:?}")
            }
            ProbeOutcome::Interrupted => write!(f, "interrupted     after {seconds:.0} s"),
            ProbeOutcome::NotFound => write!(
                f,
                "NOT NOTIFIED    within {seconds:.0} s. Check with `photorelay doctor` that there is a subscription and \
                 that the function runs; if both are right, this tenant does not notify of photos, and the sweep's \
                 interval is the latency"
            ),
        }
    }
}

/// Whether a notification came; what is done to the photo is printed meanwhile. An `Err` says what happened, and always
/// whether the photo of before is back.
pub async fn probe(
    graph: &Graph,
    storage: &Storage,
    user: UserId,
    wait: Duration,
    stop: CancellationToken,
    out: &mut dyn Write,
) -> Result<ProbeReport> {
    let before = match graph.photo(user).await? {
        FetchedPhoto::Photo { bytes, .. } => Some(bytes),
        FetchedPhoto::Absent { .. } => None,
        FetchedPhoto::TooLarge { .. } => bail!("the photo of {user} is too large to be put back: name another account"),
        FetchedPhoto::NoSuchUser => bail!("{user} does not exist"),
    };
    let known = newest(storage, user).await?;
    let picture = tokio::task::spawn_blocking(|| photo::sample(Uuid::new_v4().as_u64_pair().0)).await??;
    let changed = match graph.put_photo(user, Bytes::from(picture)).await {
        Err(error @ (GraphError::Denied { .. } | GraphError::UserDenied { .. })) => {
            bail!("the photo was not changed, and nothing has to be put back: {error}")
        }
        changed => changed.with_context(|| format!("the photo of {user} was perhaps changed")),
    };
    let asked = Instant::now();
    let watched = match changed {
        Ok(()) => {
            writeln!(out, "changed         the photo of {user}")?;
            watch(storage, user, known, wait, &stop).await
        }
        Err(error) => Err(error),
    };
    let took = asked.elapsed();
    // Also after a failed change: Graph may have carried it out.
    restore(graph, user, before).await?;
    writeln!(out, "put back        the photo of before")?;
    Ok(ProbeReport { user, outcome: watched?, took })
}

/// Waits for an entry after the one that was known.
async fn watch(
    storage: &Storage,
    user: UserId,
    known: u32,
    wait: Duration,
    stop: &CancellationToken,
) -> Result<ProbeOutcome> {
    let deadline = Instant::now() + wait;
    while Instant::now() < deadline && !stop.is_cancelled() {
        let newest = newest(storage, user).await?;
        if newest > known {
            let entry = audit::read(&*storage.blobs, user, newest).await?.context("the entry is gone again")?.entry;
            if entry.kind == EntryKind::Refused {
                bail!("the picture was refused: {}", entry.reason.unwrap_or_default());
            }
            return Ok(match entry.cause.kind {
                CauseKind::Notification => ProbeOutcome::Notified,
                cause => ProbeOutcome::FoundBy { cause },
            });
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
    Ok(if stop.is_cancelled() { ProbeOutcome::Interrupted } else { ProbeOutcome::NotFound })
}

async fn newest(storage: &Storage, user: UserId) -> Result<u32> {
    Ok(audit::sequence_numbers(&*storage.blobs, user).await?.last().copied().unwrap_or_default())
}

async fn restore(graph: &Graph, user: UserId, before: Option<Bytes>) -> Result<()> {
    let restored = match before {
        Some(bytes) => graph.put_photo(user, bytes).await,
        None => graph.delete_photo(user).await,
    };
    restored.with_context(|| {
        format!(
            "the photo of {user} is NOT back: set it by hand; `photorelay export` writes the one that was captured last"
        )
    })
}
