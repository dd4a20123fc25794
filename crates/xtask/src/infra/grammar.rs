//! Whether Bicep files are Bicep at all, and whether what they refer to exists.

use std::fs;
use std::path::Path;

use super::files::files_with;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use xtask::bicep::BicepFile;

pub(super) fn check(infra: &Path) -> Result<()> {
    ensure!(BicepFile::parse("resource a 'B@1' = {\n").is_err(), "the grammar accepts everything");
    let files = files_with(infra, &["bicep", "bicepparam"])?;
    ensure!(!files.is_empty(), "no Bicep file in {}", infra.display());
    let config = fs::read_to_string(infra.join("bicepconfig.json")).context("bicepconfig.json")?;
    let config: Value = serde_json::from_str(&config).context("bicepconfig.json")?;
    for path in &files {
        let file = BicepFile::read(path)?;
        for extension in file.extensions() {
            let is_declared = config["extensions"].get(extension).is_some();
            ensure!(is_declared, "{}: bicepconfig.json does not declare {extension}", path.display());
        }
        if path.extension().is_some_and(|extension| extension == "bicepparam") {
            let template = file.template().with_context(|| format!("{} names no template", path.display()))?;
            let exists = path.with_file_name(template).exists();
            ensure!(exists, "{} is for {template}, which does not exist", path.display());
        }
    }
    println!("{} Bicep files parsed", files.len());
    Ok(())
}
