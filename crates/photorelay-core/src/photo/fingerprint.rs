//! Fingerprints: decide whether two photos show the same picture, however they were compressed.
//!
//! They recognise photorelay's own thumbnail when it comes back re-encoded. A false "same" loses a photo that the user
//! chose, a false "changed" costs one extra write, so anything but a nearly identical picture counts as changed.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fast_image_resize::FilterType;

use super::upright::Upright;

/// The side of the grid of brightness cells.
const GRID: usize = 24;
/// The side of a colour block, in cells of the grid.
const BLOCK: usize = 3;
const BLOCKS: usize = GRID / BLOCK;
const CELLS: usize = GRID * GRID;
const LENGTH: usize = CELLS + 2 * BLOCKS * BLOCKS;
/// The prefix of the text: the version of the algorithm.
const VERSION: &str = "f1.";

/// The centre square of a photo, reduced to a 24x24 grid of brightness and 8x8 of colour.
///
/// Its text is stable and has fewer than 1,000 characters of `A-Z a-z 0-9 - _ .`. It is a small picture of the user, as
/// personal as the photo itself, and must not be logged.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; LENGTH]);

/// The maximum distances between two photos of the same picture, in steps of 256.
///
/// Determined by measurement: recompressing our own thumbnail at quality 60 to 95, with and without chroma subsampling
/// and down to 48x48, stays within all limits; cropping 2 % off the sides or changing the brightness by 3 % exceeds at
/// least one. The tests repeat the measurement. A change needs a new [`VERSION`] only if the cells change.
mod limit {
    /// The overall brightness.
    pub(super) const BIAS: f32 = 1.0;
    /// The mean and the maximum difference in brightness of the cells, such as from moved edges or a pair of glasses.
    pub(super) const MEAN: f32 = 2.6;
    pub(super) const WORST: f32 = 16.0;
    /// The same for colour.
    pub(super) const COLOUR_MEAN: f32 = 2.8;
    pub(super) const COLOUR_WORST: f32 = 11.0;
}

impl Upright {
    pub fn fingerprint(&self) -> Fingerprint {
        // Softer and faster filters were measured too: they separate a shrunken echo less well from a cropped picture.
        Fingerprint::of_square(&self.square(GRID as u32, FilterType::Lanczos3))
    }
}

impl Fingerprint {
    fn of_square(rgb: &[u8]) -> Self {
        let mut cells = [0; LENGTH];
        let mut colour = [[0_i32; BLOCKS * BLOCKS]; 2];
        for (i, pixel) in rgb.chunks_exact(3).take(CELLS).enumerate() {
            let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(i32::from);
            // Brightness and colour as in JPEG (full-range BT.601), in thousandths.
            cells[i] = ((299 * r + 587 * g + 114 * b + 500) / 1000) as u8;
            let block = i / GRID / BLOCK * BLOCKS + i % GRID / BLOCK;
            colour[0][block] += -169 * r - 331 * g + 500 * b;
            colour[1][block] += 500 * r - 419 * g - 81 * b;
        }
        for (cell, sum) in cells[CELLS..].iter_mut().zip(colour.iter().flatten()) {
            *cell = (sum / (1000 * (BLOCK * BLOCK) as i32) + 128).clamp(0, 255) as u8;
        }
        Self(cells)
    }

    /// Whether both show the same picture, apart from compression artifacts.
    pub fn is_close(&self, other: &Self) -> bool {
        self.distance(other) <= 100
    }

    /// 0 for identical fingerprints, up to 100 for the same picture in other bytes, more for different pictures.
    pub fn distance(&self, other: &Self) -> u32 {
        let (brightness, colour) = self.0.split_at(CELLS);
        let (other_brightness, other_colour) = other.0.split_at(CELLS);
        let brightness = Apart::between(brightness, other_brightness);
        let colour = Apart::between(colour, other_colour);
        let shares = [
            brightness.bias.abs() / limit::BIAS,
            brightness.mean / limit::MEAN,
            brightness.worst / limit::WORST,
            colour.mean / limit::COLOUR_MEAN,
            colour.worst / limit::COLOUR_WORST,
        ];
        (shares.into_iter().fold(0.0, f32::max) * 100.0).ceil() as u32
    }
}

/// The differences between two grids of cells.
struct Apart {
    bias: f32,
    mean: f32,
    worst: f32,
}

impl Apart {
    fn between(ours: &[u8], theirs: &[u8]) -> Self {
        let (mut signed, mut absolute, mut worst) = (0, 0, 0);
        for (a, b) in ours.iter().zip(theirs) {
            let difference = i32::from(*a) - i32::from(*b);
            signed += difference;
            absolute += difference.abs();
            worst = worst.max(difference.abs());
        }
        let count = ours.len() as f32;
        Self { bias: signed as f32 / count, mean: absolute as f32 / count, worst: worst as f32 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a photo fingerprint that begins with {VERSION} and has {LENGTH} bytes in base64url")]
pub struct InvalidFingerprint;

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let encoded = text.strip_prefix(VERSION).ok_or(InvalidFingerprint)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| InvalidFingerprint)?;
        Ok(Self(bytes.try_into().map_err(|_| InvalidFingerprint)?))
    }
}

impl fmt::Debug for Fingerprint {
    /// Omits the cells, which are a small picture of the user.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}
