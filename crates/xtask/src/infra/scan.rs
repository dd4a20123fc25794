//! Weak settings, by checkov's policies. Exceptions stand beside what they are about, as `checkov:skip` with a reason.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::place::{self, Place};
use crate::tools;

/// From PyPI.
const CHECKOV: &str = "checkov==3.3.30";
/// The Graph extension, which the scanner's parser does not know; the grammar reads it.
const NOT_SCANNED: &str = "graph";
/// A file that it must not pass over in silence.
const UNREADABLE: &str = "unreadable.bicep";
/// A fault that the scanner has to find: (file, right, wrong, check).
const PLANTED: [&str; 4] =
    ["modules/storage.bicep", "supportsHttpsTrafficOnly: true", "supportsHttpsTrafficOnly: false", "CKV_AZURE_3"];

pub(super) fn check(place: &Place, infra: &Path) -> Result<()> {
    let python = tools::python(place, "checkov", CHECKOV)?;
    let copy = place.target.join("infra");
    let files = lay_out(infra, &copy)?;
    let failed = failures(&scan(&python, &copy)?);
    ensure!(failed.is_empty(), "settings that need a better value or an explained exception:\n{}", failed.join("\n"));

    let [file, right, wrong, id] = PLANTED;
    let path = copy.join(file);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    ensure!(text.contains(right), "{file} does not hold `{right}` any more: plant another fault");
    fs::write(&path, text.replace(right, wrong))?;
    fs::write(copy.join(UNREADABLE), "resource nothing = {\n")?;
    let found = failures(&scan(&python, &copy)?);
    ensure!(found.iter().any(|line| line.starts_with(id)), "a planted fault ({wrong}) was not found: {found:?}");
    ensure!(
        found.iter().any(|line| line.contains(UNREADABLE)),
        "a file that is not Bicep was passed over, and so may others be: {found:?}"
    );
    println!("{files} files scanned, no unexplained finding; planted faults were found");
    Ok(())
}

/// A copy of everything that the scanner can read; the number of files.
fn lay_out(infra: &Path, copy: &Path) -> Result<usize> {
    place::remove(copy)?;
    let mut files = 0;
    for file in super::files(infra, &["bicep"])? {
        let name = file.strip_prefix(infra)?;
        if name.starts_with(NOT_SCANNED) {
            continue;
        }
        let to = copy.join(name);
        fs::create_dir_all(to.parent().context("a file has a folder")?)?;
        fs::copy(&file, &to).with_context(|| format!("{} cannot be copied", file.display()))?;
        files += 1;
    }
    Ok(files)
}

fn scan(python: &Path, folder: &Path) -> Result<Value> {
    let program = python.with_file_name("checkov");
    let mut command = Command::new(python);
    command.arg(program).args(["--framework", "bicep", "--output", "json", "--compact"]);
    command.args(["--skip-download", "--directory"]).arg(folder);
    // Its exit code tells of findings, which are read below.
    let output = command.output().context("checkov does not start")?;
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).with_context(|| format!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// One line for each finding and for each file that could not be parsed.
fn failures(report: &Value) -> Vec<String> {
    let results = &report["results"];
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let failed = results["failed_checks"].as_array().into_iter().flatten().map(|failed| {
        let [id, name] = ["check_id", "check_name"].map(|key| text(failed, key));
        format!("{id} {} {}: {name}", text(failed, "file_path"), text(failed, "resource"))
    });
    let unread = results["parsing_errors"].as_array().into_iter().flatten();
    let unread = unread.map(|file| format!("not parsed: {}", file.as_str().unwrap_or_default()));
    failed.chain(unread).collect()
}
