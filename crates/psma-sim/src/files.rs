//! The files that scripts open. Counts each opening, and can refuse one as a virus scanner or a missing right would.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Access to files.
#[derive(Debug, Default)]
pub(crate) struct Files {
    opened: Vec<PathBuf>,
    locked: BTreeSet<PathBuf>,
}

impl Files {
    /// From now on, opening the file fails with a sharing violation.
    pub(crate) fn lock(&mut self, path: &Path) {
        self.locked.insert(path.to_owned());
    }

    /// Opens and reads a file; the error is the text of .NET's exception.
    pub(crate) fn read(&mut self, path: &Path) -> Result<Vec<u8>, String> {
        self.opened.push(path.to_owned());
        if self.locked.contains(path) {
            let path = path.display();
            return Err(format!(
                "The process cannot access the file '{path}' because it is being used by another process."
            ));
        }
        fs::read(path).map_err(|error| format!("Could not find or read the file '{}'. {error}", path.display()))
    }

    /// Every opening since the last call, in order.
    pub(crate) fn take_opened(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.opened)
    }
}
