//! `completions` and `man`: what a package installs beside the program.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Command};
use clap_complete::Shell;
use photorelay_core::answer::CommandAnswer;
use photorelay_core::process::CommandOutcome;

#[derive(Args)]
pub(super) struct AgentCompletionsArgs {
    /// The shell that reads them.
    shell: Shell,
}

impl AgentCompletionsArgs {
    pub(super) fn run(&self, command: Command) -> Result<CommandOutcome> {
        let (mut command, mut script) = (command, Vec::new());
        clap_complete::generate(self.shell, &mut command, env!("CARGO_PKG_NAME"), &mut script);
        std::io::Write::write_all(&mut CommandAnswer, &script)?;
        Ok(CommandOutcome::Success)
    }
}

#[derive(Args)]
pub(super) struct AgentManArgs {
    /// The folder for a page of each command.
    folder: PathBuf,
}

impl AgentManArgs {
    pub(super) fn run(&self, command: Command) -> Result<CommandOutcome> {
        let shown = self.folder.display();
        std::fs::create_dir_all(&self.folder).with_context(|| format!("{shown} cannot be created"))?;
        clap_mangen::generate_to(command, &self.folder).with_context(|| format!("{shown} cannot be written"))?;
        Ok(CommandOutcome::Success)
    }
}
