//! The source pictures: files of a folder, or drawn ones.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bytes::Bytes;

use super::drawing::drawn;
use super::pixels::{LARGEST_EDGE, Rgb, decoded_square, largest_official};

const DRAWN_SOURCES: u64 = 12;
const MOST_FILES: usize = 256;

#[derive(Debug)]
pub(crate) struct PictureLibrary {
    sources: Vec<PictureSource>,
}

#[derive(Debug)]
enum PictureSource {
    File { bytes: Bytes, edge: u32 },
    Drawn { seed: u64 },
}

impl PictureLibrary {
    /// Reads the pictures of a folder, or draws some if there is none or it holds no usable picture.
    pub(crate) fn open(folder: Option<&Path>, seed: u64) -> anyhow::Result<Self> {
        let mut sources = folder.map(read_folder).transpose()?.unwrap_or_default();
        if sources.is_empty() {
            let seed = seed.wrapping_mul(1_000_003);
            sources.extend((0..DRAWN_SOURCES).map(|n| PictureSource::Drawn { seed: seed.wrapping_add(n) }));
        }
        Ok(Self { sources })
    }

    pub(crate) fn len(&self) -> usize {
        self.sources.len()
    }

    /// The edge of the largest size of a source.
    pub(crate) fn edge(&self, source: usize) -> u32 {
        match &self.sources[source] {
            PictureSource::File { edge, .. } => *edge,
            PictureSource::Drawn { .. } => LARGEST_EDGE,
        }
    }

    pub(crate) fn pixels(&self, source: usize) -> anyhow::Result<Rgb> {
        match &self.sources[source] {
            PictureSource::File { bytes, .. } => decoded_square(bytes),
            PictureSource::Drawn { seed } => Ok(drawn(*seed)),
        }
    }
}

/// Reports files that are not pictures on standard error and skips them.
fn read_folder(folder: &Path) -> anyhow::Result<Vec<PictureSource>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading the folder {}", folder.display()))?;
    let is_text = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "md" || ending == "txt");
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = files.filter(|path| path.is_file() && !is_text(path)).collect();
    files.sort();
    let mut sources = Vec::new();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if sources.len() == MOST_FILES {
            eprintln!("graph-sim: uses the first {MOST_FILES} source pictures and ignores the others, from {name} on");
            break;
        }
        let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        match decoded_square(&bytes) {
            Ok(picture) => {
                sources.push(PictureSource::File { edge: largest_official(picture.width), bytes: bytes.into() });
            }
            Err(problem) => eprintln!("graph-sim: skipped {name}: {problem:#}"),
        }
    }
    if sources.is_empty() {
        eprintln!("graph-sim: no usable picture in {}, drawing them instead", folder.display());
    }
    Ok(sources)
}
