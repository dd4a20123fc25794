//! Colours: converts pixels to sRGB, the only colour space that the readers of directory photos expect.
//!
//! A profile is untrusted and optional. One that cannot be parsed, or that does not fit the pixels, is ignored.

use std::fmt;
use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, Transform8BitExecutor, TransformOptions};

use super::refusal::{Refusal, contained};

/// The meaning of a pixel's bytes before the conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channels {
    Grey,
    Rgb,
    /// 255 is full ink.
    Cmyk,
}

impl Channels {
    fn count(self) -> usize {
        match self {
            Channels::Grey => 1,
            Channels::Rgb => 3,
            Channels::Cmyk => 4,
        }
    }
}

/// RGB of brightness and two colours, as JFIF defines them, in parts of 65536.
#[inline]
pub(super) fn from_ycbcr([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let (y, cb, cr) = ((i32::from(y) << 16) + 32_768, i32::from(cb) - 128, i32::from(cr) - 128);
    let clamp = |value: i32| (value >> 16).clamp(0, 255) as u8;
    [clamp(y + 91_881 * cr), clamp(y - 22_554 * cb - 46_802 * cr), clamp(y + 116_130 * cb)]
}

/// The sample in sRGB of an amount of light, both from 0 to 1 (IEC 61966-2-1).
pub(super) fn from_light(light: f64) -> f64 {
    if light <= 0.003_130_8 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

/// A conversion to sRGB that changes something.
#[derive(Clone)]
pub(super) struct ToSrgb {
    from: Channels,
    transform: Arc<Transform8BitExecutor>,
}

impl fmt::Debug for ToSrgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToSrgb").field("from", &self.from).finish_non_exhaustive()
    }
}

impl ToSrgb {
    /// Returns `None` if the profile cannot be used, or if it differs from sRGB by less than the eye can see.
    pub(super) fn from_profile(profile: &[u8], from: Channels) -> Option<Self> {
        contained("the colour profile", || Ok(Self::read(profile, from))).ok()?
    }

    fn read(profile: &[u8], from: Channels) -> Option<Self> {
        let profile = ColorProfile::new_from_slice(profile).ok()?;
        let (expected, layout) = match from {
            Channels::Grey => (DataColorSpace::Gray, Layout::Gray),
            Channels::Rgb => (DataColorSpace::Rgb, Layout::Rgb),
            Channels::Cmyk => (DataColorSpace::Cmyk, Layout::Rgba),
        };
        if profile.color_space != expected {
            return None;
        }
        let transform = profile
            .create_transform_8bit(layout, &ColorProfile::new_srgb(), Layout::Rgb, TransformOptions::default())
            .ok()?;
        let conversion = Self { from, transform };
        (!conversion.changes_nothing()).then_some(conversion)
    }

    /// The pixels as sRGB; `None` if the conversion fails, in which case the pixels are best used unchanged.
    pub(super) fn apply(&self, pixels: &[u8]) -> Option<Vec<u8>> {
        let mut converted = vec![0; pixels.len() / self.from.count() * 3];
        let transform = || self.transform.transform(pixels, &mut converted).map_err(Refusal::corrupt);
        contained("the colour profile", transform).ok()?;
        Some(converted)
    }

    /// Converts RGB in place, a stretch at a time, because both at once are too large. Returns whether it could; if not, a
    /// part may be converted.
    pub(super) fn apply_in_place(&self, rgb: &mut [u8]) -> bool {
        const STRETCH: usize = 3 << 16;
        rgb.chunks_mut(STRETCH)
            .all(|stretch| self.apply(stretch).map(|converted| stretch.copy_from_slice(&converted)).is_some())
    }

    /// Whether pixels must be converted before they are blended with others, because two greys of neighbouring numbers differ
    /// by more than the eye takes for one colour. For most profiles, such as those of cameras and screens, it makes no
    /// difference, and a small picture takes far less time to convert.
    pub(super) fn is_steep(&self) -> bool {
        const STEEP: u8 = 8;
        if self.from != Channels::Rgb {
            return false;
        }
        let greys: Vec<u8> = (0..=255).flat_map(|value| [value; 3]).collect();
        let converted = self.apply(&greys).unwrap_or_default();
        converted.iter().zip(converted.iter().skip(3)).any(|(one, next)| one.abs_diff(*next) > STEEP)
    }

    /// Tests a grid of colours. Most profiles in photos describe sRGB, in one of many variants.
    fn changes_nothing(&self) -> bool {
        const STEPS: [u8; 6] = [0, 51, 102, 153, 204, 255];
        let grey = || STEPS.into_iter().flat_map(|v| [v; 3]);
        let (probe, expected): (Vec<u8>, Vec<u8>) = match self.from {
            Channels::Cmyk => return false,
            Channels::Grey => (STEPS.to_vec(), grey().collect()),
            Channels::Rgb => {
                let colours = STEPS
                    .into_iter()
                    .flat_map(|r| STEPS.into_iter().flat_map(move |g| STEPS.into_iter().flat_map(move |b| [r, g, b])));
                let colours: Vec<u8> = colours.collect();
                (colours.clone(), colours)
            }
        };
        self.apply(&probe).is_some_and(|got| got.iter().zip(&expected).all(|(a, b)| a.abs_diff(*b) <= 2))
    }
}
