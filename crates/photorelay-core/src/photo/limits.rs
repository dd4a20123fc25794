//! Limits on the cost of a photo. All of them can be checked from the headers, before decoding.

use super::extent::Extent;
use super::refusal::Refusal;

/// Upper bounds for one photo. The defaults keep eight concurrent decodings at about 1 GiB. Memory is what they are about:
/// a plain colour JPEG of as many pixels as are allowed just fits, other kinds of files may have fewer, and no shape is
/// forbidden but what no camera makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhotoLimits {
    /// The size of the file in bytes.
    pub max_bytes: usize,
    /// The pixels of the longer side.
    pub max_side: u32,
    pub max_pixels: u64,
    /// The peak memory of decoding in bytes, as an upper estimate from the headers.
    pub max_memory: u64,
}

impl Default for PhotoLimits {
    fn default() -> Self {
        Self { max_bytes: 4 << 20, max_side: 20_000, max_pixels: 40_000_000, max_memory: 128 << 20 }
    }
}

impl PhotoLimits {
    pub(super) fn admit(&self, extent: &Extent) -> Result<(), Refusal> {
        let &Extent { width, height, memory } = extent;
        if width.max(height) > self.max_side {
            return Err(Refusal::SideTooLong { width, height, limit: self.max_side });
        }
        if extent.pixels() > self.max_pixels {
            return Err(Refusal::TooManyPixels { width, height, limit: self.max_pixels });
        }
        if memory > self.max_memory {
            return Err(Refusal::TooMuchMemory { width, height, memory, limit: self.max_memory });
        }
        Ok(())
    }
}
