//! Pictures: sources (files or drawn), and renditions made from them on first read.
//!
//! A photo is a recipe (source, variant, noise), so a hundred thousand people and a long history cost next to nothing;
//! the same recipe always gives the same bytes. Every variant has a frame of its own: no two people look alike.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::Cursor;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};

use anyhow::Context as _;
use bytes::Bytes;
use image::{DynamicImage, ImageDecoder as _, ImageReader};
use sha2::{Digest as _, Sha256};

use crate::drawing::drawn;
use crate::locked;
use crate::splice::{Base, encoded, sprinkled};

/// Edge lengths that Microsoft 365 keeps.
pub(crate) const OFFICIAL: [u32; 9] = [48, 64, 96, 120, 240, 360, 432, 504, 648];
const DRAWN_SOURCES: u32 = 12;
const MOST_FILES: usize = 256;
const DECODED_KEPT: usize = 24;
const RENDERED_BYTES_KEPT: usize = 192 << 20;
const BASES_KEPT: usize = 256;

/// Pixels, three bytes each.
#[derive(Clone)]
pub(crate) struct Rgb {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) data: Vec<u8>,
}

impl fmt::Debug for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rgb({}x{})", self.width, self.height)
    }
}

/// What a photo is made of.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Recipe {
        source: u32,
        variant: u64,
        noise: u64,
    },
    Upload(Arc<Upload>),
    /// Served as it is, whatever it is.
    Raw(Arc<Raw>),
}

#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) digest: [u8; 32],
    width: u32,
    height: u32,
    jpeg: Bytes,
}

#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) digest: [u8; 32],
    pub(crate) content_type: String,
    bytes: Bytes,
    width: u32,
    height: u32,
}

#[derive(Debug)]
enum Source {
    File { bytes: Bytes, edge: u32 },
    Drawn(u64),
}

type RenderKey = ([u8; 32], u32);
/// Source, whether mirrored, edge.
type BaseKey = (u32, bool, u32);
/// Digest of what was uploaded, and the noise.
type UploadKey = ([u8; 32], u64);

#[derive(Debug, Default)]
struct Rendered {
    bytes: usize,
    by_key: HashMap<RenderKey, Bytes>,
    order: VecDeque<RenderKey>,
}

/// Makes and caches renditions.
#[derive(Debug)]
pub(crate) struct Studio {
    sources: Vec<Source>,
    decoded: Mutex<VecDeque<([u8; 32], Arc<Rgb>)>>,
    bases: Mutex<VecDeque<(BaseKey, Arc<Base>)>>,
    rendered: Mutex<Rendered>,
    uploads: Mutex<HashMap<UploadKey, Weak<Upload>>>,
}

impl Studio {
    /// Reads the source pictures. A file that is no picture is named on standard error and skipped.
    pub(crate) fn open(folder: Option<&Path>, seed: u64) -> anyhow::Result<Self> {
        let mut sources = Vec::new();
        if let Some(folder) = folder {
            let entries =
                std::fs::read_dir(folder).with_context(|| format!("reading the folder {}", folder.display()))?;
            let mut files: Vec<_> =
                entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()).collect();
            files.sort();
            for path in files {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if sources.len() == MOST_FILES {
                    eprintln!(
                        "graph-sim: {MOST_FILES} source pictures are enough, the rest from {name} on is not used"
                    );
                    break;
                }
                if path.extension().is_some_and(|ending| ending == "md" || ending == "txt") {
                    continue;
                }
                let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
                match decoded_square(&bytes) {
                    Ok(picture) => {
                        sources.push(Source::File { edge: largest_official(picture.width), bytes: bytes.into() })
                    }
                    Err(problem) => eprintln!("graph-sim: skipped {name}: {problem:#}"),
                }
            }
            if sources.is_empty() {
                eprintln!("graph-sim: no usable picture in {}, drawing them instead", folder.display());
            }
        }
        if sources.is_empty() {
            sources.extend(
                (0..DRAWN_SOURCES).map(|n| Source::Drawn(seed.wrapping_mul(1_000_003).wrapping_add(u64::from(n)))),
            );
        }
        Ok(Self {
            sources,
            decoded: Mutex::default(),
            bases: Mutex::default(),
            rendered: Mutex::default(),
            uploads: Mutex::default(),
        })
    }

    /// The recipe of somebody's `version`-th library picture; versions of one person always differ.
    pub(crate) fn recipe(&self, person: u64, version: u64, noise: u64) -> Content {
        let source = ((person + version) % self.sources.len() as u64) as u32;
        Content::Recipe { source, variant: person.wrapping_mul(1 << 24).wrapping_add(version), noise }
    }

    /// Re-encodes an upload. Heavy: call it off the runtime's threads.
    pub(crate) fn upload(&self, bytes: &[u8], noise: u64) -> anyhow::Result<Content> {
        let key = (Sha256::digest(bytes).into(), noise);
        if let Some(known) = locked(&self.uploads).get(&key).and_then(Weak::upgrade) {
            return Ok(Content::Upload(known));
        }
        let square = decoded_square(bytes)?;
        let edge = largest_official(square.width);
        let mut pixels = resized(&square, edge)?;
        sprinkled(&mut pixels, noise);
        let jpeg = Bytes::from(encoded(&pixels, false)?);
        let upload = Arc::new(Upload { digest: Sha256::digest(&jpeg).into(), width: edge, height: edge, jpeg });
        let mut uploads = locked(&self.uploads);
        uploads.retain(|_, upload| upload.strong_count() > 0);
        uploads.insert(key, Arc::downgrade(&upload));
        Ok(Content::Upload(upload))
    }

    pub(crate) fn raw(bytes: Bytes, content_type: &str) -> Content {
        let size =
            ImageReader::new(Cursor::new(&bytes)).with_guessed_format().ok().and_then(|r| r.into_dimensions().ok());
        let (width, height) = size.unwrap_or((648, 648));
        let digest = Sha256::digest(&bytes).into();
        Content::Raw(Arc::new(Raw { digest, content_type: content_type.to_owned(), bytes, width, height }))
    }

    /// Width and height of the largest rendition.
    pub(crate) fn largest(&self, content: &Content) -> (u32, u32) {
        match content {
            Content::Recipe { source, .. } => match &self.sources[*source as usize] {
                Source::File { edge, .. } => (*edge, *edge),
                Source::Drawn(_) => (648, 648),
            },
            Content::Upload(upload) => (upload.width, upload.height),
            Content::Raw(raw) => (raw.width, raw.height),
        }
    }

    /// Every size that can be asked for, smallest first.
    pub(crate) fn sizes(&self, content: &Content) -> Vec<(u32, u32)> {
        let (width, height) = self.largest(content);
        let mut sizes: Vec<_> =
            OFFICIAL.into_iter().filter(|edge| *edge <= width.min(height)).map(|e| (e, e)).collect();
        if !sizes.contains(&(width, height)) && (sizes.is_empty() || matches!(content, Content::Raw(_))) {
            sizes.push((width, height));
        }
        sizes
    }

    pub(crate) fn content_type<'a>(&self, content: &'a Content) -> &'a str {
        match content {
            Content::Raw(raw) => &raw.content_type,
            _ => "image/jpeg",
        }
    }

    /// A digest that is equal exactly when the shown bytes are equal, without making them.
    pub(crate) fn identity(&self, content: &Content) -> [u8; 32] {
        match content {
            Content::Recipe { source, variant, noise } => {
                Sha256::digest(format!("recipe {source} {variant} {noise}")).into()
            }
            Content::Upload(upload) => upload.digest,
            Content::Raw(raw) => raw.digest,
        }
    }

    /// The bytes at one size. Heavy when they are not in the cache.
    pub(crate) fn bytes(&self, content: &Content, edge: u32) -> anyhow::Result<Bytes> {
        match content {
            Content::Raw(raw) => return Ok(raw.bytes.clone()),
            Content::Upload(upload) if edge == upload.width => return Ok(upload.jpeg.clone()),
            _ => {}
        }
        let identity = self.identity(content);
        if let Some(bytes) = self.cached(content, edge) {
            return Ok(bytes);
        }
        let bytes = match content {
            Content::Recipe { source, variant, noise } => {
                self.base(*source, variant % 2 == 1, edge)?.variant(*variant, *noise)?.into()
            }
            Content::Upload(upload) => {
                let pixels = self.decoded(upload.digest, || decoded_square(&upload.jpeg))?;
                Bytes::from(encoded(&resized(&pixels, edge)?, false)?)
            }
            Content::Raw(raw) => raw.bytes.clone(),
        };
        let mut rendered = locked(&self.rendered);
        if rendered.by_key.insert((identity, edge), bytes.clone()).is_none() {
            rendered.bytes += bytes.len();
            rendered.order.push_back((identity, edge));
        }
        while rendered.bytes > RENDERED_BYTES_KEPT {
            let Some(oldest) = rendered.order.pop_front() else { break };
            rendered.bytes -= rendered.by_key.remove(&oldest).map_or(0, |bytes| bytes.len());
        }
        Ok(bytes)
    }

    /// The bytes if they need no work.
    pub(crate) fn cached(&self, content: &Content, edge: u32) -> Option<Bytes> {
        match content {
            Content::Raw(raw) => Some(raw.bytes.clone()),
            Content::Upload(upload) if edge == upload.width => Some(upload.jpeg.clone()),
            _ => locked(&self.rendered).by_key.get(&(self.identity(content), edge)).cloned(),
        }
    }

    /// One source at one size, perhaps mirrored, ready for variants.
    fn base(&self, source: u32, mirrored: bool, edge: u32) -> anyhow::Result<Arc<Base>> {
        let wanted = (source, mirrored, edge);
        let known = locked(&self.bases).iter().find(|(known, _)| *known == wanted).map(|(_, base)| base.clone());
        if let Some(base) = known {
            return Ok(base);
        }
        let mut key = [0; 32];
        key[..4].copy_from_slice(&source.to_le_bytes());
        let pixels = self.decoded(key, || match &self.sources[source as usize] {
            Source::File { bytes, .. } => decoded_square(bytes),
            Source::Drawn(seed) => Ok(drawn(*seed)),
        })?;
        let mut pixels = resized(&pixels, edge)?;
        if mirrored {
            pixels = Rgb { data: as_picture(pixels)?.fliph().into_rgb8().into_raw(), width: edge, height: edge };
        }
        let base = Arc::new(Base::new(&pixels)?);
        let mut bases = locked(&self.bases);
        bases.push_back((wanted, base.clone()));
        if bases.len() > BASES_KEPT {
            bases.pop_front();
        }
        Ok(base)
    }

    fn decoded(&self, key: [u8; 32], decode: impl FnOnce() -> anyhow::Result<Rgb>) -> anyhow::Result<Arc<Rgb>> {
        let known = locked(&self.decoded).iter().find(|(known, _)| *known == key).map(|(_, pixels)| pixels.clone());
        if let Some(pixels) = known {
            return Ok(pixels);
        }
        let pixels = Arc::new(decode()?);
        let mut decoded = locked(&self.decoded);
        decoded.push_back((key, pixels.clone()));
        if decoded.len() > DECODED_KEPT {
            decoded.pop_front();
        }
        Ok(pixels)
    }
}

/// Official edge to keep for a picture of this edge; below the smallest the picture keeps its own.
fn largest_official(edge: u32) -> u32 {
    OFFICIAL.into_iter().rev().find(|official| *official <= edge).unwrap_or(edge)
}

/// Upright, cut to the middle square, at most 648 pixels wide.
fn decoded_square(bytes: &[u8]) -> anyhow::Result<Rgb> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().context("reading the header")?;
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(12_000);
    limits.max_image_height = Some(12_000);
    limits.max_alloc = Some(256 << 20);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().context("not a picture")?;
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).context("not a whole picture")?;
    picture.apply_orientation(orientation);
    let edge = picture.width().min(picture.height());
    anyhow::ensure!(edge >= 8, "only {}x{} pixels", picture.width(), picture.height());
    let square = picture.crop_imm((picture.width() - edge) / 2, (picture.height() - edge) / 2, edge, edge).into_rgb8();
    let square = Rgb { width: edge, height: edge, data: square.into_raw() };
    if edge > 648 { resized(&square, 648) } else { Ok(square) }
}

/// Made smaller or larger. Only methods that the image crate compiles itself: generic code would run unoptimised here.
pub(crate) fn resized(pixels: &Rgb, edge: u32) -> anyhow::Result<Rgb> {
    if pixels.width == edge {
        return Ok(pixels.clone());
    }
    let picture = as_picture(pixels.clone())?;
    let picture = match edge < pixels.width {
        true => picture.thumbnail_exact(edge, edge),
        false => picture.resize_exact(edge, edge, image::imageops::FilterType::Triangle),
    };
    Ok(Rgb { width: edge, height: edge, data: picture.into_rgb8().into_raw() })
}

fn as_picture(pixels: Rgb) -> anyhow::Result<DynamicImage> {
    let picture = image::RgbImage::from_raw(pixels.width, pixels.height, pixels.data);
    Ok(DynamicImage::ImageRgb8(picture.context("pixels and size do not fit")?))
}
