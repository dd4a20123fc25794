//! Makes photos and their sizes, and caches what is costly.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::locked::locked;

use super::cache::RecentValues;
use super::content::{PhotoRecipe, Picture, UploadedPhoto};
use super::library::PictureLibrary;
use super::pixels::{OFFICIAL_EDGES, Rgb, decoded_square, largest_official, mirrored, resized};
use super::splice::{SpliceBase, encoded, sprinkled};

const DECODED_KEPT: usize = 24;
const BASES_KEPT: usize = 256;
/// Some 20 to 100 kB each.
const ENCODED_KEPT: usize = 2_048;

/// Digest of what was uploaded, and the noise.
type UploadKey = ([u8; 32], u64);

/// What a decoded picture comes from.
#[derive(Debug, PartialEq)]
enum DecodedFrom {
    Source(usize),
    Upload([u8; 32]),
}

#[derive(Debug)]
pub(crate) struct Studio {
    library: PictureLibrary,
    decoded: RecentValues<DecodedFrom, Arc<Rgb>>,
    /// By source, whether mirrored, and edge.
    bases: RecentValues<(usize, bool, u32), Arc<SpliceBase>>,
    /// By identity and edge.
    encoded: RecentValues<([u8; 32], u32), Bytes>,
    uploads: Mutex<HashMap<UploadKey, Weak<UploadedPhoto>>>,
}

impl Studio {
    pub(crate) fn open(folder: Option<&Path>, seed: u64) -> anyhow::Result<Self> {
        Ok(Self {
            library: PictureLibrary::open(folder, seed)?,
            decoded: RecentValues::new(DECODED_KEPT),
            bases: RecentValues::new(BASES_KEPT),
            encoded: RecentValues::new(ENCODED_KEPT),
            uploads: Mutex::default(),
        })
    }

    /// The `version`-th library picture of a person; the versions of one person always differ.
    pub(crate) fn recipe(&self, person: u64, version: u64, noise: u64) -> Picture {
        let source = ((person + version) % self.library.len() as u64) as usize;
        let variant = person.wrapping_mul(1 << 24).wrapping_add(version);
        Picture::Recipe(PhotoRecipe { source, variant, noise })
    }

    /// Re-encodes an upload. Heavy: call it off the runtime's threads.
    pub(crate) fn upload(&self, bytes: &[u8], noise: u64) -> anyhow::Result<Picture> {
        let key = (Sha256::digest(bytes).into(), noise);
        if let Some(known) = locked(&self.uploads).get(&key).and_then(Weak::upgrade) {
            return Ok(Picture::Upload(known));
        }
        let square = decoded_square(bytes)?;
        let edge = largest_official(square.width);
        let mut pixels = resized(&square, edge)?;
        sprinkled(&mut pixels, noise);
        let jpeg = Bytes::from(encoded(&pixels, false)?);
        let upload = Arc::new(UploadedPhoto { digest: Sha256::digest(&jpeg).into(), edge, jpeg });
        let mut uploads = locked(&self.uploads);
        uploads.retain(|_, upload| upload.strong_count() > 0);
        uploads.insert(key, Arc::downgrade(&upload));
        Ok(Picture::Upload(upload))
    }

    /// Width and height of the largest size.
    pub(crate) fn largest(&self, content: &Picture) -> (u32, u32) {
        match content {
            Picture::Recipe(recipe) => {
                let edge = self.library.edge(recipe.source);
                (edge, edge)
            }
            Picture::Upload(upload) => (upload.edge, upload.edge),
            Picture::Raw(raw) => (raw.width, raw.height),
        }
    }

    /// Every size that can be asked for, smallest first.
    pub(crate) fn sizes(&self, content: &Picture) -> Vec<(u32, u32)> {
        let (width, height) = self.largest(content);
        let official = OFFICIAL_EDGES.into_iter().filter(|edge| *edge <= width.min(height));
        let mut sizes: Vec<_> = official.map(|edge| (edge, edge)).collect();
        if !sizes.contains(&(width, height)) && (sizes.is_empty() || matches!(content, Picture::Raw(_))) {
            sizes.push((width, height));
        }
        sizes
    }

    /// The bytes at one size if they need no work.
    pub(crate) fn cached(&self, content: &Picture, edge: u32) -> Option<Bytes> {
        match content {
            Picture::Raw(raw) => Some(raw.bytes.clone()),
            Picture::Upload(upload) if edge == upload.edge => Some(upload.jpeg.clone()),
            _ => self.encoded.get(&(content.identity(), edge)),
        }
    }

    /// The bytes at one size. Heavy when they are not in the cache.
    pub(crate) fn bytes(&self, content: &Picture, edge: u32) -> anyhow::Result<Bytes> {
        match self.cached(content, edge) {
            Some(bytes) => Ok(bytes),
            None => self.encoded.get_or_make((content.identity(), edge), || self.encode(content, edge)),
        }
    }

    fn encode(&self, content: &Picture, edge: u32) -> anyhow::Result<Bytes> {
        Ok(match content {
            Picture::Recipe(recipe) => {
                let base = self.base(recipe.source, recipe.variant % 2 == 1, edge)?;
                base.variant(recipe.variant, recipe.noise)?.into()
            }
            Picture::Upload(upload) => {
                let decode = || decoded_square(&upload.jpeg).map(Arc::new);
                let pixels = self.decoded.get_or_make(DecodedFrom::Upload(upload.digest), decode)?;
                encoded(&resized(&pixels, edge)?, false)?.into()
            }
            Picture::Raw(raw) => raw.bytes.clone(),
        })
    }

    /// One source at one size, perhaps mirrored, ready for variants.
    fn base(&self, source: usize, mirror: bool, edge: u32) -> anyhow::Result<Arc<SpliceBase>> {
        self.bases.get_or_make((source, mirror, edge), || {
            let decode = || self.library.pixels(source).map(Arc::new);
            let pixels = resized(&*self.decoded.get_or_make(DecodedFrom::Source(source), decode)?, edge)?;
            SpliceBase::new(&if mirror { mirrored(pixels)? } else { pixels }).map(Arc::new)
        })
    }
}
