//! `held`, `approve`, `reject` and `undo`: what an operator decides about single users or about all of them.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use clap::Args;
use photorelay_agent::quota::{QuotaLimits, WriteQuota};
use photorelay_agent::writeback::{Reconciler, Undone};
use photorelay_core::approvals::{ApprovalItem, Approvals};
use photorelay_core::contract::{Decision, Verdict};
use photorelay_core::id::UserId;
use photorelay_core::operator::{OperatorName, OperatorReason, OperatorSignature};
use photorelay_core::process::{Audience, CommandOutcome, Process};

use super::start::Started;

/// One user or all of them, never nothing.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct UserSelection {
    /// The user's object ID.
    user: Option<UserId>,
    /// All users.
    #[arg(long)]
    all: bool,
}

/// Who decides, and why: both are recorded.
#[derive(Args)]
pub(super) struct AgentSignatureArgs {
    /// Why, for example a ticket number.
    #[arg(long, value_name = "TEXT")]
    reason: Option<OperatorReason>,
    /// Who decides; the account that runs this command by default.
    #[arg(long, value_name = "NAME")]
    by: Option<OperatorName>,
}

impl AgentSignatureArgs {
    fn of(self, process: &Process) -> Result<OperatorSignature> {
        Ok(process.signature(self.by, self.reason)?)
    }
}

#[derive(Args)]
pub(super) struct DecisionArgs {
    #[command(flatten)]
    users: UserSelection,
    #[command(flatten)]
    signature: AgentSignatureArgs,
}

impl DecisionArgs {
    pub(super) async fn approve(self, process: &mut Process) -> Result<CommandOutcome> {
        self.decide(process, Verdict::Approved).await
    }

    pub(super) async fn reject(self, process: &mut Process) -> Result<CommandOutcome> {
        self.decide(process, Verdict::Rejected).await
    }

    async fn decide(self, process: &mut Process, verdict: Verdict) -> Result<CommandOutcome> {
        let signature = self.signature.of(process)?;
        let approvals = approvals(&Started::new(process, Audience::Operator)?);
        print(&match self.users.user {
            Some(user) => approvals.decide(user, verdict, &signature).await?,
            None => approvals.decide_all(verdict, &signature).await?,
        });
        Ok(CommandOutcome::Success)
    }
}

#[derive(Args)]
pub(super) struct HeldArgs {
    /// Print a JSON array.
    #[arg(long)]
    json: bool,
}

impl HeldArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let held = approvals(&Started::new(process, Audience::Operator)?).pending(None).await?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&held)?);
        } else {
            print(&held);
        }
        Ok(CommandOutcome::Success)
    }
}

#[derive(Args)]
pub(super) struct UndoArgs {
    #[command(flatten)]
    users: UserSelection,
    #[command(flatten)]
    signature: AgentSignatureArgs,
    /// Show what would be restored, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

impl UndoArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let signature = self.signature.of(process)?;
        let started = Started::new(process, Audience::Operator)?;
        let reconciler = if self.dry_run { started.dry_run()? } else { started.reconciler()? };
        // At the agent's pace, but without its daily limit: an operator wants these values back now.
        let (limits, identity) = (QuotaLimits { per_day: None, ..started.config.quota }, &started.config.identity);
        let quota = WriteQuota::new(&started.storage, limits, &identity.target.name, &identity.name);
        undo(&reconciler.with_quota(quota), self.users.user, &signature).await?;
        Ok(CommandOutcome::Success)
    }
}

/// Continues after a user whose value cannot be restored, and fails in the end.
async fn undo(reconciler: &Reconciler, user: Option<UserId>, signature: &OperatorSignature) -> Result<()> {
    let users = match user {
        Some(user) => BTreeSet::from([user]),
        None => reconciler.users_with_back_ups().await?,
    };
    let mut failed = 0_u32;
    for user in users {
        match reconciler.undo(user, signature).await {
            Ok(Undone::PutBack(value)) => println!("{user}  put back {value}"),
            Ok(Undone::Would(value)) => println!("{user}  would put back {value}"),
            Ok(Undone::Nothing(why)) => println!("{user}  {why}"),
            Err(error) => {
                eprintln!("{user}  {error}");
                failed += 1;
            }
        }
    }
    ensure!(failed == 0, "the values of {failed} users could not be put back");
    Ok(())
}

fn approvals(started: &Started) -> Approvals {
    let target = &started.config.identity.target;
    Approvals::new(started.storage.clone(), target.name.clone(), target.queue.clone())
}

/// One line for each; object IDs only, because operators pass these lines on.
fn print(items: &[ApprovalItem]) {
    for ApprovalItem { held, verdict, decision } in items {
        let verdict = match verdict {
            None => "waits",
            Some(Verdict::Approved) => "approved",
            Some(Verdict::Rejected) => "rejected",
        };
        let by = decision.as_ref().map(signed).unwrap_or_default();
        println!("{}  entry {}  {verdict:8}  since {:.0}  {}{by}", held.user_id, held.seq, held.at, held.reason);
    }
    println!("{} item(s)", items.len());
}

/// Which operator decided, and why.
fn signed(decision: &Decision) -> String {
    let by = decision.by.as_deref().map(|by| format!(", decided by {by}")).unwrap_or_default();
    let reason = decision.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    by + &reason
}
