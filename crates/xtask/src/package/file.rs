//! One file of a package.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

pub(super) struct PackageFile {
    pub(super) name: String,
    pub(super) mode: u32,
    pub(super) bytes: Vec<u8>,
}

impl PackageFile {
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(&self.name);
        let parent = path.parent().context("a file has a folder")?;
        fs::create_dir_all(parent)?;
        fs::write(&path, &self.bytes).with_context(|| format!("{} cannot be written", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(self.mode))?;
        Ok(())
    }
}
