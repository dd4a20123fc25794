//! The agent's program: a command line over the library.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;
use photorelay_core::process::Process;

#[tokio::main]
async fn main() -> ExitCode {
    let command = cli::AgentCli::parse();
    let mut process = Process::start("photorelay-agent", env!("CARGO_PKG_VERSION"));
    let result = command.run(&mut process).await;
    process.end(result).await
}
