//! How much of a photo's detail is decoded: a thumbnail needs little of it.

use super::extent::Extent;

/// How many stored pixels in a row, and how many rows, one decoded pixel stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reduction {
    None,
    Half,
    Quarter,
    Eighth,
}

impl Reduction {
    /// The strongest that leaves two decoded pixels or more for each pixel of a square with this side, in a row as in a
    /// column: the rest of the way is left to a resize filter, which shows more detail. libvips keeps to the same rule.
    pub(super) fn for_side(extent: &Extent, side: u32) -> Self {
        match extent.width.min(extent.height) / side.max(1) {
            16.. => Self::Eighth,
            8.. => Self::Quarter,
            4.. => Self::Half,
            _ => Self::None,
        }
    }

    pub(super) fn factor(self) -> u32 {
        match self {
            Self::None => 1,
            Self::Half => 2,
            Self::Quarter => 4,
            Self::Eighth => 8,
        }
    }
}
