//! `doctor`, `plan` and `drift`: what is wrong, and what would be written. None of them writes to a target.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use photorelay_agent::config::AgentConfig;
use photorelay_agent::operate::doctor;
use photorelay_agent::operate::drift::{DriftFix, DriftPrint, drift_as, with_names};
use photorelay_agent::operate::preview::PreviewSource;
use photorelay_agent::operate::report::{ReportedUsers, preview_report};
use photorelay_core::answer;
use photorelay_core::answer::{CommandAnswer, print_json};
use photorelay_core::diagnosis::Diagnosis;
use photorelay_core::process::{Audience, CommandOutcome, Process};
use photorelay_core::progress::ProgressLine;
use photorelay_core::wording::with_causes;

use super::preview::compared;
use super::start::{self, AgentUserArg, NamesArg, Started};

#[derive(Args)]
pub(super) struct AgentDoctorArgs {
    /// Also show the plan for this user, by object ID, user principal name or sAMAccountName.
    user: Option<String>,
    /// Print JSON, for monitoring.
    #[arg(long)]
    json: bool,
}

impl AgentDoctorArgs {
    /// Takes every step by itself, because a step that fails is a finding.
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let config = match AgentConfig::read(process.environment()) {
            Ok(config) => config,
            Err(problems) => return self.report(&Diagnosis::of_problems(&problems)),
        };
        process.start_telemetry(&config.logs, Audience::Operator)?;
        let words = |error: &anyhow::Error| with_causes(error.as_ref());
        let storage = start::open_storage(&config);
        let storage = storage.as_ref().map_err(words);
        let reconciler = match &storage {
            Ok(storage) => start::reconciler(&config, storage, true).map_err(|error| words(&error)),
            Err(error) => Err(error.clone()),
        };
        let reconciler = reconciler.as_ref().map_err(Clone::clone);
        let user = match (&self.user, &storage) {
            (Some(name), Ok(storage)) => {
                let (config, storage) = (config.clone(), (*storage).clone());
                Some(Started { config, storage }.user(name).await.map_err(|error| words(&error)))
            }
            // Without a storage there is nothing to plan for.
            _ => None,
        };
        self.report(&doctor::run_checks(&config, storage, reconciler, user).await)
    }

    fn report(&self, diagnosis: &Diagnosis) -> Result<CommandOutcome> {
        diagnosis.print(self.json)?;
        Ok(CommandOutcome::healthy_if(diagnosis.is_healthy()))
    }
}

#[derive(Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    user: AgentUserArg,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    names: NamesArg,
}

impl PlanArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let started = Started::new(process, Audience::Operator)?;
        let user = started.user(&self.user.user).await?;
        let plan = started.dry_run()?.plan(user).await?;
        let names = match self.names.people(&started, self.json)? {
            Some(people) => Some(people.names_of(user).await),
            None => None,
        };
        if self.json {
            let plan = plan.map(|plan| with_names(plan.as_json(), names.as_ref()));
            print_json(&mut CommandAnswer, &plan)?;
            return Ok(CommandOutcome::Success);
        }
        if let Some(names) = names {
            answer!("names   {names}")?;
        }
        match plan {
            Some(plan) => answer!("{plan}")?,
            None => answer!("the trail of {user} has no entry that concerns targets")?,
        }
        Ok(CommandOutcome::Success)
    }
}

#[derive(Args)]
pub(super) struct DriftArgs {
    /// Queue a write-back message for every user who differs.
    #[arg(long)]
    fix: bool,
    /// Write who differs, with the pictures, to this folder instead: pages that need nothing else.
    #[arg(long, value_name = "DIR", conflicts_with = "fix")]
    html: Option<PathBuf>,
    /// Print a line of JSON for each user who differs, and one with the totals.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    names: NamesArg,
}

impl DriftArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let started = Started::new(process, Audience::Operator)?;
        let (serving, progress) = (&started.config.identity.target, ProgressLine::default());
        if let Some(folder) = &self.html {
            let (limits, which) = (started.config.quota, ReportedUsers::Differing);
            let (reconciler, folder) = (started.dry_run()?, Some(folder.as_path()));
            let source = PreviewSource { reconciler: &reconciler, storage: &started.storage, serving };
            let work = preview_report(source, which, folder, None, limits, &progress);
            let (totals, index) = progress.beside(work, compared).await?;
            match self.json {
                true => print_json(&mut CommandAnswer, &totals.as_json(&serving.name, limits, index.as_deref()))?,
                false => answer!("{}", index.unwrap_or_default().display())?,
            }
            return Ok(CommandOutcome::healthy_if(totals.differing() == 0));
        }
        let (queues, queue) = (&*started.storage.queues, &serving.queue);
        let fix = self.fix.then_some(DriftFix { queues, queue });
        let mut out = CommandAnswer;
        let people = self.names.people(&started, self.json)?;
        let print = DriftPrint { people: people.as_ref(), json: self.json, progress: Some(&progress) };
        let (reconciler, mut above) = (started.dry_run()?, progress.above(&mut out));
        let work = Box::pin(drift_as(&reconciler, Some(serving), fix, print, &mut above));
        let drift = progress.beside(work, compared).await?;
        drop(above);
        match self.json {
            true => answer!("{}", drift.as_json())?,
            false => drift.summarize(started.config.quota, &mut out)?,
        }
        Ok(CommandOutcome::healthy_if(drift.differing + drift.failed <= drift.announced.unwrap_or_default()))
    }
}
