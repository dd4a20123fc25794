//! The corpus that is committed: of all known inputs the smallest ones that together reach the same code, up to a limit.

use std::fs;

use anyhow::{Context, Result};

use super::fuzzer::{FuzzTarget, Workshop, files};
use crate::{checkout, process};

/// Of all targets together, so that with the seeds it stays below a mebibyte.
const LIMIT_BYTES: u64 = 768 << 10;

/// Replaces the committed inputs of a target. Each of `targets` has the same share of the limit.
pub(super) fn keep(target: &FuzzTarget, targets: usize) -> Result<()> {
    let merged = target.folder.join("merged");
    checkout::remove(&merged)?;
    fs::create_dir_all(&merged)?;
    let mut merge = target.command();
    merge.args(["-merge=1", "-set_cover_merge=1"]).arg(&merged).args([&target.kept, &target.found]);
    let log = fs::File::create(target.folder.join("merge-log"))?;
    process::run(merge.stderr(log))?;

    let mut sized: Vec<(u64, _)> =
        files(&merged)?.into_iter().map(|file| Ok((file.metadata()?.len(), file))).collect::<Result<_>>()?;
    sized.sort();
    checkout::remove(&target.kept)?;
    fs::create_dir_all(&target.kept)?;
    let mut left = LIMIT_BYTES / targets as u64;
    for (bytes, file) in sized {
        let Some(rest) = left.checked_sub(bytes) else { break };
        left = rest;
        let name = file.file_name().context("every input has a name")?;
        fs::copy(&file, target.kept.join(name))?;
    }
    checkout::remove(&merged)
}

/// How many inputs of a target are committed.
pub(super) fn count(workshop: &Workshop, name: &str) -> usize {
    files(&workshop.sources.join("corpus").join(name)).map_or(0, |files| files.len())
}
