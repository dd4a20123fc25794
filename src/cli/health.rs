//! `doctor`, `status` and `support-bundle`: what is wrong before photos are carried, and what is wrong while they are.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use jiff::Timestamp;
use photorelay::app::{self, App};
use photorelay::config::{AppConfig, ConfigPurpose};
use photorelay::operate;
use photorelay::operate::doctor;
use photorelay_core::answer;
use photorelay_core::answer::CommandAnswer;
use photorelay_core::diagnosis::Diagnosis;
use photorelay_core::process::{CommandOutcome, Process};

use super::start;

#[derive(Args)]
pub(super) struct DoctorArgs {
    /// Also check this user, by object ID or user principal name.
    user: Option<String>,
    /// Print JSON, for monitoring.
    #[arg(long)]
    json: bool,
}

impl DoctorArgs {
    /// Reads the configuration itself, because one that cannot be read is a finding.
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let diagnosis = match AppConfig::read(process.environment(), ConfigPurpose::Command) {
            Err(problems) => Diagnosis::of_problems(&problems),
            Ok(config) => doctor::run_checks(&app::doctor_context(config), self.user.as_deref()).await,
        };
        diagnosis.print(self.json)?;
        Ok(CommandOutcome::healthy_if(diagnosis.is_healthy()))
    }
}

#[derive(Args)]
pub(super) struct StatusArgs {
    /// List the users whose newest photo was refused, with the reason, and nothing else.
    #[arg(long)]
    refused: bool,
    /// Print JSON, for monitoring.
    #[arg(long)]
    json: bool,
}

impl StatusArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        if self.refused {
            operate::status::refused(&start::storage(process).await?, self.json, &mut CommandAnswer).await?;
            return Ok(CommandOutcome::Success);
        }
        let access = start::access(process).await?;
        let is_healthy = operate::status::status(&access.watch, self.json, &mut CommandAnswer).await?;
        Ok(CommandOutcome::healthy_if(is_healthy))
    }
}

#[derive(Args)]
pub(super) struct SupportBundleArgs {
    /// The file to write; `-` is standard output.
    file: PathBuf,
}

impl SupportBundleArgs {
    /// With as much as can be found out: a storage that does not answer is part of what support needs to see.
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let config = AppConfig::read(process.environment(), ConfigPurpose::Command)?;
        let status = match App::open(&config).await {
            Ok(app) => app.watch.status(Timestamp::now()).await.map_err(|error| error.to_string()),
            Err(error) => Err(format!("{error:#}")),
        };
        let context = app::doctor_context(config);
        let bundle = operate::support_bundle::collect(&context, status, Timestamp::now()).await;
        let text = format!("{}\n", serde_json::to_string_pretty(&bundle)?);
        if self.file.as_os_str() == "-" {
            answer!("{}", text.trim_end())?;
            return Ok(CommandOutcome::Success);
        }
        tokio::fs::write(&self.file, text)
            .await
            .with_context(|| format!("{} cannot be written", self.file.display()))?;
        answer!("{}: read it before you pass it on", self.file.display())?;
        Ok(CommandOutcome::Success)
    }
}
