//! `cargo xtask campaign`: long searches for failures that no test expects.
//!
//! Each campaign ends with one line of JSON, which docs/reliability.md keeps with the date and the machine.

mod fuzz;
mod programs;

use anyhow::Result;
use clap::Subcommand;

use crate::checkout::Checkout;
use crate::phases::Phases;

#[derive(Debug, Subcommand)]
pub(crate) enum Campaign {
    /// Kill every program at random while Graph fails, then check every promise for every user
    Kills(programs::ProgramArgs),
    /// Post notifications for a long time, while the store goes down or memory is watched
    Load(programs::ProgramArgs),
    /// Start many services whose roles for the storage arrive late, and see each become healthy by itself
    Deployments(programs::ProgramArgs),
    /// Feed every parser of outside input with mutated input, guided by coverage
    Fuzz(fuzz::FuzzArgs),
}

pub(crate) fn run(checkout: &Checkout, phases: &mut Phases, campaign: &Campaign) -> Result<()> {
    match campaign {
        Campaign::Kills(options) => programs::KILLS.run(checkout, phases, options),
        Campaign::Load(options) => programs::LOAD.run(checkout, phases, options),
        Campaign::Deployments(options) => programs::DEPLOYMENTS.run(checkout, phases, options),
        Campaign::Fuzz(options) => fuzz::run(checkout, phases, options),
    }
}
