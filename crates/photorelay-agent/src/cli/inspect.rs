//! `doctor`, `plan` and `drift`: what is wrong, and what would be written. None of them writes to a target.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use photorelay_agent::config::AgentConfig;
use photorelay_agent::operate::doctor;
use photorelay_agent::operate::drift::{DriftFix, drift};
use photorelay_agent::operate::report::{ReportedUsers, preview_report};
use photorelay_core::answer;
use photorelay_core::answer::CommandAnswer;
use photorelay_core::diagnosis::Diagnosis;
use photorelay_core::id::UserId;
use photorelay_core::process::{Audience, CommandOutcome, Process};
use photorelay_core::wording::with_causes;

use super::start::{self, Started};

#[derive(Args)]
pub(super) struct AgentDoctorArgs {
    /// Also show the plan for this user, by object ID.
    user: Option<UserId>,
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
        self.report(&doctor::run_checks(&config, storage, reconciler, self.user).await)
    }

    fn report(&self, diagnosis: &Diagnosis) -> Result<CommandOutcome> {
        answer!("{}", if self.json { serde_json::to_string_pretty(&diagnosis.0)? } else { diagnosis.to_string() })?;
        Ok(CommandOutcome::healthy_if(diagnosis.is_healthy()))
    }
}

#[derive(Args)]
pub(super) struct PlanArgs {
    /// The user's object ID.
    user: UserId,
}

impl PlanArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let started = Started::new(process, Audience::Operator)?;
        match started.dry_run()?.plan(self.user).await? {
            Some(plan) => answer!("{plan}")?,
            None => answer!("the trail of {} has no entry that concerns targets", self.user)?,
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
}

impl DriftArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let started = Started::new(process, Audience::Operator)?;
        if let Some(folder) = &self.html {
            let (limits, which) = (started.config.quota, ReportedUsers::Differing);
            let (reconciler, folder) = (started.dry_run()?, Some(folder.as_path()));
            let (totals, index) = preview_report(&reconciler, &started.storage, which, folder, None, limits).await?;
            answer!("{}", index.unwrap_or_default().display())?;
            return Ok(CommandOutcome::healthy_if(totals.differing() == 0));
        }
        let (queues, queue) = (&*started.storage.queues, &started.config.identity.target.queue);
        let fix = self.fix.then_some(DriftFix { queues, queue });
        let mut out = CommandAnswer;
        let drift = drift(&started.dry_run()?, fix, &mut out).await?;
        drift.summarize(started.config.quota, &mut out)?;
        Ok(CommandOutcome::healthy_if(drift.differing + drift.failed <= drift.announced.unwrap_or_default()))
    }
}
