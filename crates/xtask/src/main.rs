//! The project's own commands: `cargo xtask <command>`.
//!
//! A developer and the build server call the same commands. They install what they need, at pinned versions, into
//! `target/tools`, and never change anything outside the checkout except the caches of cargo and npm.

mod bench;
mod ci;
mod handler;
mod infra;
mod package;
mod phases;
mod place;
mod process;
mod services;
mod shape;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use phases::Phases;
use place::Place;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run all tests: install what they need, start the services, run, print the count
    Test(test::Options),
    /// Everything that must hold before a change is merged: format, lints, dependencies, docs, tests, the demo
    Ci,
    /// Make the package that Azure Functions runs
    Package(package::Options),
    /// Parse and scan infra/ as far as that goes without Azure
    Infra,
    /// Measure what things cost, beside their budgets and peers
    Bench(bench::Options),
    /// Look the dependencies up in the RustSec advisory database
    Advisories,
    /// Start, stop or show the services that the tests use, for work by hand
    Services {
        #[command(subcommand)]
        action: services::Action,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut phases = Phases::default();
    let outcome = Place::find().and_then(|place| match arguments.command {
        Command::Test(options) => test::run(&place, &mut phases, &options),
        Command::Ci => ci::run(&place, &mut phases),
        Command::Package(options) => package::run(&place, &mut phases, &options),
        Command::Infra => infra::run(&place, &mut phases),
        Command::Bench(options) => bench::run(&place, &mut phases, &options),
        Command::Advisories => ci::advisories(&place),
        Command::Services { action } => services::run(&place, action),
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
