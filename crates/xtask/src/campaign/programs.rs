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

/// Runs a program of crates/campaign, which prints its line of JSON itself.
pub(super) fn run(checkout: &Checkout, phases: &mut Phases, name: &str, options: &ProgramArgs) -> Result<()> {
    phases.run("install services", || services::install(checkout))?;
    phases.run("build", || {
        process::run(checkout.cargo("build").args(["--release", "--locked", "--workspace", "--bins"]))
    })?;
    let services = phases.run("start services", || RunningServices::start(checkout))?;
    phases.run("campaign", || {
        let mut campaign = Command::new(checkout.target.join("release").join(name));
        campaign.args(&options.arguments).envs(services.variables.iter().map(|(name, value)| (name, value)));
        process::run(&mut campaign)
    })?;
    services.discard()
}
