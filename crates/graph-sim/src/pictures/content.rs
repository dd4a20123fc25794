//! What a photo is made of.

use std::io::Cursor;
use std::sync::Arc;

use bytes::Bytes;
use image::ImageReader;
use sha2::{Digest as _, Sha256};

use super::pixels::LARGEST_EDGE;

#[derive(Debug, Clone)]
pub(crate) enum Picture {
    Recipe(PhotoRecipe),
    Upload(Arc<UploadedPhoto>),
    /// Served untouched, whatever it is.
    Raw(Arc<RawPhoto>),
}

/// A picture of the library with a band that follows from `variant`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PhotoRecipe {
    pub(crate) source: usize,
    pub(crate) variant: u64,
    /// Zero for none; any other number changes a few pixels.
    pub(crate) noise: u64,
}

/// An upload after re-encoding.
#[derive(Debug)]
pub(crate) struct UploadedPhoto {
    pub(crate) digest: [u8; 32],
    pub(crate) edge: u32,
    pub(crate) jpeg: Bytes,
}

#[derive(Debug)]
pub(crate) struct RawPhoto {
    digest: [u8; 32],
    content_type: String,
    pub(crate) bytes: Bytes,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Picture {
    pub(crate) fn raw(bytes: Bytes, content_type: &str) -> Self {
        let reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().ok();
        let size = reader.and_then(|reader| reader.into_dimensions().ok());
        let (width, height) = size.unwrap_or((LARGEST_EDGE, LARGEST_EDGE));
        let digest = Sha256::digest(&bytes).into();
        Self::Raw(Arc::new(RawPhoto { digest, content_type: content_type.to_owned(), bytes, width, height }))
    }

    pub(crate) fn content_type(&self) -> &str {
        match self {
            Self::Raw(raw) => &raw.content_type,
            Self::Recipe(_) | Self::Upload(_) => "image/jpeg",
        }
    }

    /// A digest that is equal exactly when the shown bytes are equal, without making them.
    pub(crate) fn identity(&self) -> [u8; 32] {
        match self {
            Self::Recipe(PhotoRecipe { source, variant, noise }) => {
                Sha256::digest(format!("recipe {source} {variant} {noise}")).into()
            }
            Self::Upload(upload) => upload.digest,
            Self::Raw(raw) => raw.digest,
        }
    }
}
