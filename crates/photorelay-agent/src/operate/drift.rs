//! `photorelay-agent drift`: compares what the target shows with the trail, for every user, and reports who differs. With
//! `--fix` those are announced again; it writes to no target by itself.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::Result;
use futures::{StreamExt as _, stream};
use photorelay_core::contract;
use photorelay_core::id::UserId;
use photorelay_core::progress::ProgressLine;
use photorelay_core::queue::{Outgoing, QueueStore};
use photorelay_core::target::Target;
use photorelay_core::wording::counted;
use serde_json::{Value, json};

use crate::operate::people::{People, PersonNames};
use crate::quota::QuotaLimits;
use crate::writeback::{DriftState, Plan, Reconciler, WriteBackError};

/// Users compared side by side.
const CONCURRENCY: usize = 8;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drift {
    pub users: u64,
    pub differing: u64,
    /// Not compared.
    pub out_of_scope: u64,
    /// They differ and wait for an operator.
    pub held: u64,
    /// They could not be compared.
    pub failed: u64,
    /// None unless they were to be announced again.
    pub announced: Option<u64>,
    /// What bringing up all that differ sends to each domain controller.
    pub writes: u64,
    pub bytes: u64,
    states: BTreeMap<&'static str, u64>,
}

/// The queue by which users that differ are announced again.
#[derive(Debug, Clone, Copy)]
pub struct DriftFix<'a> {
    pub queues: &'a dyn QueueStore,
    pub queue: &'a str,
}

/// What is printed of a user who differs.
#[derive(Debug, Clone, Copy, Default)]
pub struct DriftPrint<'a> {
    /// Where names are looked up; none if none are shown.
    pub people: Option<&'a People>,
    /// A JSON object for each user.
    pub json: bool,
    /// Where those are counted who were compared.
    pub progress: Option<&'a ProgressLine>,
}

/// Prints a line for every user that differs. An `Err` says that storage or target do not work.
pub async fn drift(reconciler: &Reconciler, fix: Option<DriftFix<'_>>, out: &mut dyn Write) -> Result<Drift> {
    drift_as(reconciler, None, fix, DriftPrint::default(), out).await
}

/// The same, printed in another way, and only of the users whom the target serves if it is given.
pub async fn drift_as(
    reconciler: &Reconciler,
    serving: Option<&Target>,
    fix: Option<DriftFix<'_>>,
    print: DriftPrint<'_>,
    out: &mut dyn Write,
) -> Result<Drift> {
    let mut drift = Drift { announced: fix.map(|_| 0), ..Drift::default() };
    let mut trail = reconciler.trail().users_after(None);
    while let Some(users) = trail.next_page().await? {
        let plans = users.into_iter().map(|user| async move { (user, plan(reconciler, serving, user).await) });
        let mut plans = stream::iter(plans).buffered(CONCURRENCY);
        while let Some((user, plan)) = plans.next().await {
            if let Some(progress) = print.progress {
                progress.advance();
            }
            let before = drift.differing + drift.failed;
            let mut line = Vec::new();
            let summary = plan.as_ref().ok().and_then(Option::as_ref).map(Plan::as_json);
            let plan = drift.count(user, plan, &mut line)?;
            if drift.differing + drift.failed > before {
                let names = match print.people {
                    Some(people) => Some(people.names_of(user).await),
                    None => None,
                };
                match print.json {
                    true => {
                        let failed = String::from_utf8_lossy(&line).trim_end().to_owned();
                        let summary = summary.unwrap_or_else(|| json!({ "userId": user, "failed": failed }));
                        writeln!(out, "{}", with_names(summary, names.as_ref()))?;
                    }
                    false => {
                        out.write_all(&line)?;
                        names.map_or(Ok(()), |names| writeln!(out, "      {names}"))?;
                    }
                }
            }
            let Some(plan) = plan else { continue };
            if let Some(DriftFix { queues, queue }) = fix {
                let body = contract::to_bytes(&plan.message.sent_now());
                queues.send(queue, vec![Outgoing::now(body)]).await?;
                drift.announced = drift.announced.map(|announced| announced + 1);
            }
        }
    }
    Ok(drift)
}

/// None if there is nothing to compare.
async fn plan(reconciler: &Reconciler, serving: Option<&Target>, user: UserId) -> Result<Option<Plan>, WriteBackError> {
    match serving {
        Some(serving) => Ok(reconciler.planned_for(user, serving).await?.map(|planned| planned.plan)),
        None => reconciler.plan(user).await,
    }
}

impl Drift {
    /// Counts one user and prints what differs. Returns the plan if it can be carried out.
    fn count(
        &mut self,
        user: UserId,
        plan: Result<Option<Plan>, WriteBackError>,
        out: &mut dyn Write,
    ) -> Result<Option<Plan>> {
        if !matches!(plan, Ok(None)) {
            self.users += 1;
        }
        match plan {
            Ok(None) | Ok(Some(Plan { state: DriftState::UpToDate, .. })) => {}
            Ok(Some(Plan { state: DriftState::OutOfScope, .. })) => self.out_of_scope += 1,
            Ok(Some(plan)) => {
                self.differing += 1;
                *self.states.entry(plan.state.as_str()).or_default() += 1;
                writeln!(out, "{user}  entry {}  {}  would {}", plan.seq, plan.state.as_str(), plan.would)?;
                self.held += u64::from(plan.is_held);
                if plan.state != DriftState::Refused && !plan.is_held {
                    self.writes += 1;
                    self.bytes += plan.bytes;
                    return Ok(Some(plan));
                }
            }
            Err(WriteBackError::Down(reason)) => anyhow::bail!(reason),
            Err(error) => {
                self.failed += 1;
                writeln!(out, "{user}  {error}")?;
            }
        }
        Ok(None)
    }

    /// The totals as one JSON object.
    pub fn as_json(&self) -> Value {
        json!({
            "people": self.users,
            "differing": self.differing,
            "states": self.states,
            "held": self.held,
            "outOfScope": self.out_of_scope,
            "failed": self.failed,
            "announced": self.announced,
            "writes": self.writes,
            "bytes": self.bytes,
        })
    }

    /// Prints the totals, and how long bringing up all that differ takes within these limits.
    pub fn summarize(&self, limits: QuotaLimits, out: &mut dyn Write) -> io::Result<()> {
        let verb = if self.differing == 1 { "differs" } else { "differ" };
        write!(out, "{}, {} {verb}", counted(self.users, "person", "people"), self.differing)?;
        for (state, count) in &self.states {
            write!(out, ", {count} {state}")?;
        }
        if self.bytes > 0 {
            write!(out, "; {} to write, to every domain controller", size(self.bytes))?;
            if let Some(rate) = limits.per_minute {
                write!(out, ", in {} min at {rate} a minute", self.writes.div_ceil(u64::from(rate)))?;
            }
        }
        if self.held > 0 {
            let verb = if self.held == 1 { "waits" } else { "wait" };
            write!(out, ", {} {verb} for an operator: run `photorelay-agent held`", self.held)?;
        }
        if self.out_of_scope > 0 {
            write!(out, ", {} out of scope", self.out_of_scope)?;
        }
        if self.failed > 0 {
            write!(out, ", {} could not be compared", self.failed)?;
        }
        if let Some(announced) = self.announced {
            write!(out, ", {announced} announced again")?;
        }
        writeln!(out)
    }
}

/// The members of the names beside the others.
pub fn with_names(mut value: Value, names: Option<&PersonNames>) -> Value {
    if let (Some(members), Some(Ok(Value::Object(names)))) = (value.as_object_mut(), names.map(serde_json::to_value)) {
        members.extend(names);
    }
    value
}

/// In the unit that operators plan with.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
