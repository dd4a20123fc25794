//! What decoding a photo would cost, known from its headers before a pixel is allocated.

/// The size of a photo as it is stored, and the peak memory of decoding it in bytes, as an upper estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub width: u32,
    pub height: u32,
    pub memory: u64,
}

impl Extent {
    pub(super) fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}
