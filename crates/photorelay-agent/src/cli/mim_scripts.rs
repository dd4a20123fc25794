//! `mim scripts`: the management agent's scripts, with the operator's names. It replaces no script that differs without
//! consent, and none that is another management agent's.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use photorelay_agent::connectors::mim::{ManagementScripts, ScriptSetting, ScriptState};
use photorelay_core::answer;
use photorelay_core::answer::{CommandAnswer, print_json};
use photorelay_core::process::CommandOutcome;
use serde_json::json;

use super::undo::confirmed;

#[derive(Args)]
pub(super) struct ScriptsArgs {
    /// The folder, which is created; not one in the feed's, where the agent writes.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// A setting at the head of the scripts, such as AnchorAttribute=employeeId; infra/mim/README.md lists all. Repeat it for
    /// each. What is not given stays as the scripts in the folder have it, else it is the default.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<ScriptSetting>,
    /// Replace scripts that differ without asking.
    #[arg(long)]
    yes: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl ScriptsArgs {
    pub(super) fn run(self) -> Result<CommandOutcome> {
        let mut scripts = ManagementScripts::in_folder(&self.folder)?;
        scripts.set(self.set)?;
        let compared = scripts.compare()?;
        let differing = || compared.iter().filter(|(_, state)| *state == ScriptState::Differs);
        differing().for_each(|(script, _)| eprintln!("{script} is there and differs: it would be replaced"));
        ensure!(
            self.yes || differing().next().is_none() || confirmed()?,
            "nothing was written to {}: confirm with --yes",
            self.folder.display()
        );
        scripts.write(&compared)?;
        if self.json {
            let settings: BTreeMap<_, _> = scripts.settings().collect();
            let files: Vec<_> =
                compared.iter().map(|(script, state)| json!({ "file": script, "is": done(*state) })).collect();
            let written = json!({ "folder": self.folder, "scripts": files, "settings": settings });
            print_json(&mut CommandAnswer, &written)?;
            return Ok(CommandOutcome::Success);
        }
        for (script, state) in &compared {
            answer!("{script:<13} {}", done(*state))?;
        }
        if scripts.settings().any(|setting| setting == ("Feed", "")) {
            answer!(
                "Feed is not set: it is the folder above the scripts, unless a configuration parameter names another"
            )?;
        }
        Ok(CommandOutcome::Success)
    }
}

/// What has become of a script that was found so.
fn done(state: ScriptState) -> &'static str {
    match state {
        ScriptState::Missing => "written",
        ScriptState::Same => "unchanged",
        ScriptState::Differs => "replaced",
    }
}
