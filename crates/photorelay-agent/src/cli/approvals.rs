//! `held`, `approve` and `reject`: what an operator decides about single users or about all of them.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use photorelay_agent::operate::drift::with_names;
use photorelay_agent::operate::report::held_report;
use photorelay_core::answer;
use photorelay_core::answer::{CommandAnswer, print_json};
use photorelay_core::approvals::{ApprovalError, ApprovalItem, Approvals, DecidedItems};
use photorelay_core::contract::{Decision, Verdict};
use photorelay_core::id::UserId;
use photorelay_core::operator::{OperatorName, OperatorReason, OperatorSignature};
use photorelay_core::process::{CommandOutcome, Process};
use photorelay_core::target::Target;
use photorelay_core::wording::{counted, moment, with_causes};

use super::start::{NamesArg, StartedDecision};

/// One user or all of them, never nothing.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct UserSelection {
    /// The user: object ID, user principal name or sAMAccountName.
    user: Option<String>,
    /// All users.
    #[arg(long)]
    all: bool,
}

impl UserSelection {
    /// None for all users.
    pub(super) async fn find(&self, called: impl AsyncFnOnce(&str) -> Result<UserId>) -> Result<Option<UserId>> {
        match &self.user {
            Some(name) => called(name).await.map(Some),
            None => Ok(None),
        }
    }
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
    pub(super) fn of(&self, process: &Process) -> Result<OperatorSignature> {
        Ok(process.signature(self.by.clone(), self.reason.clone())?)
    }
}

#[derive(Args)]
pub(super) struct DecisionArgs {
    #[command(flatten)]
    users: UserSelection,
    #[command(flatten)]
    signature: AgentSignatureArgs,
    #[command(flatten)]
    list: HeldListArgs,
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
        let started = StartedDecision::new(process)?;
        let approvals = approvals(&started);
        let mut failed = 0;
        let decided = match self.users.find(async |name| started.user(name).await).await? {
            Some(user) => approvals.decide(user, verdict, &signature).await?,
            None => {
                let fails = |user: UserId, error: ApprovalError| {
                    eprintln!("{user}: {}", with_causes(&error));
                    failed += 1;
                };
                approvals.decide_all(verdict, &signature, fails).await?
            }
        };
        let DecidedItems { items, unannounced, failed: last } = decided;
        if let Some((user, error)) = last {
            eprintln!("{user}: {}", with_causes(&error));
            failed += 1;
        }
        for (user, error) in &unannounced {
            eprintln!("{user}: approved, but no message announces it: {}", with_causes(error));
        }
        self.list.print(&started, &items).await?;
        let decided = counted(items.len() as u64, "item was", "items were");
        ensure!(failed == 0, "{} could not be decided, {decided} decided", counted(failed, "item", "items"));
        ensure!(
            unannounced.is_empty(),
            "{decided} decided, and {} not announced: agents apply {} with the next full reconciliation, or after \
             `photorelay-agent drift --fix`",
            counted(unannounced.len() as u64, "approval was", "approvals were"),
            if unannounced.len() == 1 { "it" } else { "them" }
        );
        Ok(CommandOutcome::Success)
    }
}

#[derive(Args)]
pub(super) struct HeldArgs {
    #[command(flatten)]
    list: HeldListArgs,
    /// Also write it to this folder, with what the target shows and what is wanted: pages that need nothing else.
    #[arg(long, value_name = "DIR")]
    html: Option<PathBuf>,
}

impl HeldArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let started = StartedDecision::new(process)?;
        let held = approvals(&started).pending(None).await?;
        if let Some(folder) = &self.html {
            let waiting: Vec<(UserId, String)> =
                held.iter().map(|item| (item.held.user_id, item.held.reason.clone())).collect();
            let reaching = started.reaching().context("what the target shows is read there")?;
            let index = held_report(&reaching.dry_run()?, &started.storage, &waiting, folder).await?;
            eprintln!("{}", index.display());
        }
        self.list.print(&started, &held).await?;
        Ok(CommandOutcome::Success)
    }
}

/// How items are listed.
#[derive(Args)]
pub(super) struct HeldListArgs {
    /// Print a JSON array.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    names: NamesArg,
}

impl HeldListArgs {
    /// One line for each, and one with names on a terminal or on request: operators pass on what they redirect.
    async fn print(&self, started: &StartedDecision, items: &[ApprovalItem]) -> Result<()> {
        let people = self.names.people_if_known(started, self.json)?;
        let mut list = Vec::new();
        for item in items {
            let names = match &people {
                Some(people) => Some(people.names_of(item.held.user_id).await),
                None => None,
            };
            if self.json {
                list.push(with_names(serde_json::to_value(item)?, names.as_ref()));
                continue;
            }
            answer!("{}", line(item))?;
            if let Some(names) = names {
                answer!("      {names}")?;
            }
        }
        match self.json {
            true => print_json(&mut CommandAnswer, &list)?,
            false => answer!("{}", counted(items.len() as u64, "item", "items"))?,
        }
        Ok(())
    }
}

fn approvals(started: &StartedDecision) -> Approvals {
    let Target { name, queue, .. } = &started.target;
    Approvals::new(started.storage.clone(), name.clone(), queue.clone())
}

fn line(ApprovalItem { held, verdict, decision }: &ApprovalItem) -> String {
    let verdict = match verdict {
        None => "waits",
        Some(Verdict::Approved) => "approved",
        Some(Verdict::Rejected) => "rejected",
    };
    let by = decision.as_ref().map(signed).unwrap_or_default();
    format!("{}  entry {}  {verdict:8}  since {}  {}{by}", held.user_id, held.seq, moment(held.at), held.reason)
}

/// Which operator decided, and why.
fn signed(decision: &Decision) -> String {
    let by = decision.by.as_deref().map(|by| format!(", decided by {by}")).unwrap_or_default();
    let reason = decision.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    by + &reason
}
