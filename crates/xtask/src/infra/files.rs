//! Which files of infra/ there are.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// All files below a folder with one of these extensions, in order.
pub(crate) fn files_with(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.append(&mut files_with(&path, extensions)?);
        } else if path.extension().is_some_and(|is| extensions.iter().any(|wanted| is == *wanted)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
