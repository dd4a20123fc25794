//! The project's own commands: `cargo xtask <command>`.
//!
//! Developers and the build server run the same commands. They install what they need, at pinned versions, into
//! `target/tools`, and change nothing outside the checkout but the caches of cargo and npm, and packages of Debian.

mod apt;
mod bench;
mod campaign;
mod checkout;
mod ci;
mod clients;
mod figures;
mod handler;
mod infra;
mod npm;
mod oracle;
mod package;
mod phases;
mod process;
mod processor;
mod services;
mod shape;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use checkout::Checkout;
use phases::Phases;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run all tests: install what they need, start the services, run, print the count
    Test(test::TestArgs),
    /// Everything that must hold before a change is merged: format, lints, dependencies, docs, tests, the demo
    Ci,
    /// Make the package that Azure Functions runs
    Package(package::PackageArgs),
    /// Parse and scan infra/ as far as that goes without Azure
    Infra,
    /// Drive the stand-in for Graph, and what the agent serves and sends, with clients that are not ours
    Clients,
    /// Measure what things cost, beside their budgets and peers
    Bench(bench::BenchArgs),
    /// Search for a long time: kills, load, fuzz
    Campaign {
        #[command(subcommand)]
        campaign: campaign::Campaign,
    },
    /// Look the dependencies up in the RustSec advisory database
    Advisories,
    /// Start, stop or show the services that the tests use, for work by hand
    Services {
        #[command(subcommand)]
        action: services::ServicesCommand,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut phases = Phases::default();
    let outcome = Checkout::find().and_then(|checkout| match arguments.command {
        Command::Test(options) => test::run(&checkout, &mut phases, &options),
        Command::Ci => ci::run(&checkout, &mut phases),
        Command::Package(options) => package::run(&checkout, &mut phases, &options),
        Command::Infra => infra::run(&checkout, &mut phases),
        Command::Clients => clients::run(&checkout, &mut phases),
        Command::Bench(options) => bench::run(&checkout, &mut phases, &options),
        Command::Campaign { campaign } => campaign::run(&checkout, &mut phases, &campaign),
        Command::Advisories => ci::advisories(&checkout),
        Command::Services { action } => services::run(&checkout, action),
    });
    phases.print();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
