//! `doctor` and `status`: what is wrong before photos are carried, and what is wrong while they are.

use anyhow::Result;
use clap::Args;
use photorelay::app;
use photorelay::config::AppConfig;
use photorelay::operate;
use photorelay::operate::doctor;
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
        let diagnosis = match AppConfig::read(process.environment()) {
            Err(problems) => Diagnosis::of_problems(&problems),
            Ok(config) => doctor::run_checks(&app::doctor_context(config), self.user.as_deref()).await,
        };
        println!("{}", if self.json { serde_json::to_string_pretty(&diagnosis.0)? } else { diagnosis.to_string() });
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
            operate::status::refused(&start::storage(process).await?, self.json, &mut std::io::stdout()).await?;
            return Ok(CommandOutcome::Success);
        }
        let (_, app) = start::app(process).await?;
        let is_healthy = operate::status::status(&app.watch, self.json, &mut std::io::stdout()).await?;
        Ok(CommandOutcome::healthy_if(is_healthy))
    }
}
