//! Whether the API versions of the templates are the ones in infra/api-versions.tsv, and none of them retires soon.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use xtask::api_versions::{TABLE, is_resource_type, parse, problems};
use xtask::bicep::BicepFile;

use super::files::files_with;

pub(super) fn check(infra: &Path) -> Result<()> {
    let table = parse(&fs::read_to_string(infra.join(TABLE)).context(TABLE)?)?;
    let mut used = BTreeSet::new();
    for path in files_with(infra, &["bicep"])? {
        let file = BicepFile::read(&path)?;
        used.extend(file.strings().into_iter().filter(|text| is_resource_type(text)).map(str::to_owned));
    }
    ensure!(!used.is_empty(), "no template names a resource type");
    let problems = problems(&table, &used, TimeZone::UTC.to_datetime(Timestamp::now()).date())?;
    if !problems.is_empty() {
        bail!("API versions:\n{}", problems.join("\n"));
    }
    println!("{} API versions are in {TABLE}, and none retires within six months", used.len());
    Ok(())
}
