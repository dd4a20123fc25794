//! The campaigns that are programs of crates/campaign: they run the product against real services for a long time.

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::checkout::Checkout;
use crate::phases::Phases;
use crate::process;
use crate::services::{self, RunningServices};

#[derive(Debug, Args)]
pub(crate) struct ProgramArgs {
    /// Passed on to the campaign; `--help` lists what it takes
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// A program of crates/campaign.
pub(super) struct CampaignProgram {
    name: &'static str,
    /// One that mostly waits needs no optimised build.
    is_optimised: bool,
}

pub(super) const KILLS: CampaignProgram = CampaignProgram { name: "kills_campaign", is_optimised: true };
pub(super) const LOAD: CampaignProgram = CampaignProgram { name: "load_campaign", is_optimised: true };
pub(super) const DEPLOYMENTS: CampaignProgram = CampaignProgram { name: "deployments_campaign", is_optimised: false };

impl CampaignProgram {
    /// Runs it; it prints its line of JSON itself.
    pub(super) fn run(&self, checkout: &Checkout, phases: &mut Phases, options: &ProgramArgs) -> Result<()> {
        phases.run("install services", || services::install(checkout))?;
        phases.run("build", || {
            let release = self.is_optimised.then_some("--release");
            process::run(checkout.cargo("build").args(["--locked", "--workspace", "--bins"]).args(release))
        })?;
        let services = phases.run("start services", || RunningServices::start(checkout))?;
        phases.run("campaign", || {
            let folder = if self.is_optimised { "release" } else { "debug" };
            let mut campaign = Command::new(checkout.target.join(folder).join(self.name));
            campaign.args(&options.arguments).envs(services.variables.iter().map(|(name, value)| (name, value)));
            process::run(&mut campaign)
        })?;
        services.discard()
    }
}
