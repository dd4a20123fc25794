//! `manifest.csv`: which files the folder has, for importers of badge systems that compare before they read photos.
//!
//! It is made anew from the folder itself: the record of owners says which files are photorelay's, the files say what they
//! are. So it cannot be wrong for long, whatever was killed or restored; it may be behind by a minute. A digest of the last
//! manifest is taken over as long as size and time of its file are the same. It is replaced by rename, and the text in it
//! is safe for spreadsheets, which would run what looks like a formula.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;

use jiff::Timestamp;
use photorelay_core::id::Digest;
use serde::{Deserialize, Serialize};

use super::files::{MAX_FILE_BYTES, own};
use crate::connectors::files::{read_limited, write_whole};

const NAME: &str = "manifest.csv";
/// A line for each user; there are not this many.
const MAX_MANIFEST_BYTES: u64 = 512 * 1024 * 1024;

/// A line of the manifest.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ManifestLine {
    /// The file's name without its extension.
    key: String,
    /// With the folder of a further rendition.
    file: String,
    /// This and the size are empty if the photo was removed.
    sha256: Option<Digest>,
    bytes: Option<u64>,
    /// When the file was written, or when it was first missing.
    changed: Timestamp,
    state: FileState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FileState {
    Present,
    Removed,
}

/// Writes the manifest of this folder and of the folders of further renditions in it. Only one process does so at a time.
pub(super) fn write(folder: &Path, further: &[String]) -> io::Result<()> {
    let lock = File::create(folder.join(".photorelay").join("manifest.lock"))?;
    lock.lock()?;
    let earlier = read(&folder.join(NAME))?;
    let mut keys = Vec::new();
    for owner in fs::read_dir(own(folder, "owners"))? {
        let name = owner?.file_name();
        // A name with another ending is a record that was not completed.
        keys.extend(name.to_str().and_then(|name| name.strip_suffix(".json")).map(str::to_owned));
    }
    keys.sort_unstable();
    let mut lines = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for key in keys {
        let first = format!("{key}.jpg");
        let line = line_of(folder, &key, &first, earlier.get(&safe(&first)))?;
        lines.serialize(line).map_err(io::Error::other)?;
        for rendition in further {
            let file = format!("{rendition}/{key}.jpg");
            let line = line_of(folder, &key, &file, earlier.get(&safe(&file)))?;
            // One that was never there was not removed.
            if line.state == FileState::Present || earlier.contains_key(&safe(&file)) {
                lines.serialize(line).map_err(io::Error::other)?;
            }
        }
    }
    write_whole(&folder.join(NAME), &lines.into_inner().map_err(io::Error::other)?)
}

fn line_of(folder: &Path, key: &str, file: &str, earlier: Option<&ManifestLine>) -> io::Result<ManifestLine> {
    let path = folder.join(file);
    let (key, file) = (safe(key), safe(file));
    let Some(metadata) = metadata(&path)? else {
        let since = earlier.filter(|earlier| earlier.state == FileState::Removed).map(|earlier| earlier.changed);
        let changed = since.unwrap_or_else(Timestamp::now);
        return Ok(ManifestLine { key, file, sha256: None, bytes: None, changed, state: FileState::Removed });
    };
    let changed = Timestamp::try_from(metadata.modified()?).map_err(io::Error::other)?;
    let bytes = Some(metadata.len());
    let known = earlier.filter(|earlier| earlier.changed == changed && earlier.bytes == bytes);
    let sha256 = match known.and_then(|earlier| earlier.sha256) {
        Some(sha256) => Some(sha256),
        None => read_limited(&path, MAX_FILE_BYTES)?.map(|photo| Digest::of(&photo)),
    };
    Ok(ManifestLine { key, file, sha256, bytes, changed, state: FileState::Present })
}

fn metadata(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The last manifest by file. A line that cannot be read is made anew.
fn read(path: &Path) -> io::Result<HashMap<String, ManifestLine>> {
    let Some(text) = read_limited(path, MAX_MANIFEST_BYTES)? else { return Ok(HashMap::new()) };
    let lines = csv::Reader::from_reader(&*text).into_deserialize::<ManifestLine>().filter_map(Result::ok);
    Ok(lines.map(|line| (line.file.clone(), line)).collect())
}

/// Text that no spreadsheet takes for a formula. <https://owasp.org/www-community/attacks/CSV_Injection>
fn safe(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}
