//! Weak settings of templates, images and manifests, by checkov's policies. Exceptions stand beside the setting, as
//! `checkov:skip` with a reason.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::files::files_with;
use crate::checkout::{self, Checkout};
use crate::{process, tools};

/// From PyPI.
const CHECKOV: &str = "checkov==3.3.30";
/// The Graph extension, which the scanner's parser does not know; the grammar reads it.
const NOT_SCANNED: &str = "graph";
/// A file that it must not skip silently.
const UNREADABLE: &str = "unreadable.bicep";
/// Faults that the scanner has to find: (file, right, wrong, check).
const PLANTED: [[&str; 4]; 3] = [
    ["modules/storage.bicep", "supportsHttpsTrafficOnly: true", "supportsHttpsTrafficOnly: false", "CKV_AZURE_3"],
    ["container/Dockerfile", "USER 65532:65532", "USER root", "CKV_DOCKER_8"],
    ["container/kubernetes.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "CKV_K8S_22"],
];
/// The scanner skips a manifest that is not YAML.
const PARSE_YAML: &str =
    "import sys, yaml\nfor file in sys.argv[1:]: assert list(yaml.safe_load_all(open(file))), file";

pub(super) fn check(checkout: &Checkout, infra: &Path) -> Result<()> {
    let python = tools::python(checkout, "checkov", CHECKOV)?;
    let copy = checkout.target.join("infra");
    let files = lay_out(infra, &copy)?;
    let failed = failures(&scan(&python, &copy)?);
    ensure!(failed.is_empty(), "settings that need a better value or an explained exception:\n{}", failed.join("\n"));

    for [file, right, wrong, _] in PLANTED {
        let path = copy.join(file);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        ensure!(text.contains(right), "{file} does not hold `{right}` any more: plant another fault");
        fs::write(&path, text.replace(right, wrong))?;
    }
    fs::write(copy.join(UNREADABLE), "resource nothing = {\n")?;
    let found = failures(&scan(&python, &copy)?);
    for [_, _, wrong, id] in PLANTED {
        ensure!(found.iter().any(|line| line.starts_with(id)), "a planted fault ({wrong}) was not found: {found:?}");
    }
    ensure!(
        found.iter().any(|line| line.contains(UNREADABLE)),
        "a file that is not Bicep was skipped, so others may be too: {found:?}"
    );
    process::run(Command::new(&python).args(["-c", PARSE_YAML]).args(files_with(infra, &["yaml"])?))?;
    println!("{files} files scanned, no unexplained finding; planted faults were found");
    Ok(())
}

/// A copy of everything that the scanner can read; the number of files.
fn lay_out(infra: &Path, copy: &Path) -> Result<usize> {
    checkout::remove(copy)?;
    let mut files = 0;
    let mut all = files_with(infra, &["bicep", "yaml"])?;
    all.push(infra.join("container").join("Dockerfile"));
    for file in all {
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
    command.arg(program).args(["--framework", "bicep", "dockerfile", "kubernetes"]);
    command.args(["--output", "json", "--compact", "--skip-download", "--directory"]).arg(folder);
    // Its exit code reports findings, which are read below.
    let output = command.output().context("checkov does not start")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let reports: Value =
        serde_json::from_str(&text).with_context(|| format!("{text}{}", String::from_utf8_lossy(&output.stderr)))?;
    ensure!(reports.as_array().is_some_and(|kinds| kinds.len() == 3), "a kind of file was not scanned: {text}");
    Ok(reports)
}

/// One line for each finding and for each file that could not be parsed, of every kind of file.
fn failures(reports: &Value) -> Vec<String> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let results = reports.as_array().into_iter().flatten().map(|report| &report["results"]);
    let list = |results: &Value, key: &str| results[key].as_array().cloned().unwrap_or_default();
    results
        .flat_map(|results| {
            let failed = list(results, "failed_checks").into_iter().map(|failed| {
                let [id, name] = ["check_id", "check_name"].map(|key| text(&failed, key));
                format!("{id} {} {}: {name}", text(&failed, "file_path"), text(&failed, "resource"))
            });
            let unread = list(results, "parsing_errors").into_iter();
            let unread = unread.map(|file| format!("not parsed: {}", file.as_str().unwrap_or_default()));
            failed.chain(unread).collect::<Vec<_>>()
        })
        .collect()
}
