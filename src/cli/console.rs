//! `console`: the pages for operators, on this machine.

use anyhow::Result;
use clap::Args;
use photorelay::console::Console;
use photorelay_core::answer;
use photorelay_core::operator::OperatorName;
use photorelay_core::process::{CommandOutcome, Process, stop_on_signal};

use super::start;

#[derive(Args)]
pub(super) struct ConsoleArgs {
    /// The port of the loopback interface; by default, the system chooses one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Allow to approve, reject, restore and undo; without this option, the console only reads.
    #[arg(long)]
    act: bool,
    /// Who acts, for the record; by default, the name of the account that runs the command.
    #[arg(long, requires = "act")]
    by: Option<OperatorName>,
}

impl ConsoleArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let operator = match self.act {
            true => Some(process.signature(self.by, None)?.by),
            false => None,
        };
        let console = Console::open(start::access(process).await?, operator, self.port).await?;
        answer!("open {}", console.link)?;
        answer!("The link works once. Ctrl-C ends the console.")?;
        console.serve(stop_on_signal()?).await?;
        Ok(CommandOutcome::Success)
    }
}
