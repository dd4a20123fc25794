//! `photorelay-agent drift`: compares what the target shows with the trail, for everybody in it, and says who differs.
//! With `--fix` those are announced again; it writes to no target by itself.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use futures::{StreamExt as _, stream};
use photorelay_core::contract;
use photorelay_core::queue::Outgoing;
use photorelay_core::storage::Storage;

use crate::people::People;
use crate::quota::QuotaLimits;
use crate::writeback::{DriftState, Plan, WriteBackError, WriteBacks};

/// People looked at side by side.
const CONCURRENCY: usize = 8;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drift {
    pub people: u64,
    pub differing: u64,
    /// Not looked at.
    pub out_of_scope: u64,
    /// Those of whom nothing could be said.
    pub failed: u64,
    pub announced: u64,
    /// What bringing everybody up who differs sends to each domain controller.
    pub writes: u64,
    pub bytes: u64,
}

/// Prints a line for everybody who differs. An `Err` says that storage or target do not work.
pub async fn drift(
    writebacks: &WriteBacks,
    storage: &Storage,
    queue: &str,
    fix: bool,
    limits: QuotaLimits,
    out: &mut dyn Write,
) -> Result<Drift> {
    let mut drift = Drift::default();
    let mut states: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut trail = People::after(&*storage.blobs, None);
    while let Some(people) = trail.next().await? {
        let looks = people.into_iter().map(|user| async move { (user, writebacks.plan(user).await) });
        let mut looks = stream::iter(looks).buffered(CONCURRENCY);
        while let Some((user, plan)) = looks.next().await {
            drift.people += 1;
            match plan {
                Ok(None) | Ok(Some(Plan { state: DriftState::UpToDate, .. })) => {}
                Ok(Some(Plan { state: DriftState::OutOfScope, .. })) => drift.out_of_scope += 1,
                Ok(Some(plan)) => {
                    drift.differing += 1;
                    if plan.state != DriftState::Refused {
                        drift.writes += 1;
                        drift.bytes += plan.bytes;
                    }
                    *states.entry(word(plan.state)).or_default() += 1;
                    writeln!(out, "{user}  entry {}  {}  would {}", plan.seq, word(plan.state), plan.would)?;
                    if fix && plan.state != DriftState::Refused {
                        let body = contract::to_bytes(&plan.message);
                        storage.queues.send(queue, vec![Outgoing::now(body)]).await?;
                        drift.announced += 1;
                    }
                }
                Err(WriteBackError::Down(reason)) => anyhow::bail!(reason),
                Err(error) => {
                    drift.failed += 1;
                    writeln!(out, "{user}  {error}")?;
                }
            }
        }
    }
    write!(out, "{} people, {} differ", drift.people, drift.differing)?;
    for (state, count) in states {
        write!(out, ", {count} {state}")?;
    }
    if drift.bytes > 0 {
        write!(out, "; {} to write, to every domain controller", size(drift.bytes))?;
        if let Some(pace) = limits.per_minute {
            write!(out, ", in {} min at {pace} a minute", drift.writes.div_ceil(u64::from(pace)))?;
        }
    }
    if drift.out_of_scope > 0 {
        write!(out, ", {} out of scope", drift.out_of_scope)?;
    }
    if drift.failed > 0 {
        write!(out, ", {} could not be compared", drift.failed)?;
    }
    if fix {
        write!(out, ", {} announced again", drift.announced)?;
    }
    writeln!(out)?;
    Ok(drift)
}

/// In the unit that people plan with.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

fn word(state: DriftState) -> &'static str {
    match state {
        DriftState::UpToDate => "up to date",
        DriftState::Missing => "missing",
        DriftState::Different => "different",
        DriftState::Foreign => "foreign",
        DriftState::Surplus => "surplus",
        DriftState::Refused => "refused",
        DriftState::OutOfScope => "out of scope",
    }
}
