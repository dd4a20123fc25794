//! What the components of a JPEG mean. Files say it in three places that may disagree; the order is libjpeg's, by which
//! nearly all viewers show them.

use super::segments::JpegFile;
use crate::photo::colour::{ToSrgb, from_ycbcr};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JpegColours {
    Grey,
    Rgb,
    YCbCr,
    Cmyk,
    Ycck,
}

impl JpegColours {
    pub(super) fn of(file: &JpegFile<'_>) -> Self {
        let ids: Vec<u8> = file.frame.components.iter().map(|component| component.id).collect();
        match (ids.as_slice(), file.adobe) {
            ([_], _) => JpegColours::Grey,
            ([_, _, _, _], Some(2)) => JpegColours::Ycck,
            ([_, _, _, _], _) => JpegColours::Cmyk,
            _ if file.is_jfif => JpegColours::YCbCr,
            (_, Some(0)) => JpegColours::Rgb,
            (_, Some(_)) => JpegColours::YCbCr,
            (b"RGB", None) => JpegColours::Rgb,
            _ => JpegColours::YCbCr,
        }
    }
}

/// Converts pixels in place: to RGB, or to four bytes of reflected light (255 is no ink).
///
/// Adobe's software stores inks inverted, and so does everything that wants to be read by it; no viewer expects
/// anything else, with or without Adobe's marker.
pub(super) fn convert(pixels: &mut [u8], colours: JpegColours) {
    match colours {
        JpegColours::Grey | JpegColours::Rgb | JpegColours::Cmyk => {}
        JpegColours::YCbCr => pixels.as_chunks_mut::<3>().0.iter_mut().for_each(|pixel| *pixel = from_ycbcr(*pixel)),
        JpegColours::Ycck => {
            for [y, cb, cr, _black] in pixels.as_chunks_mut::<4>().0 {
                [*y, *cb, *cr] = from_ycbcr([*y, *cb, *cr]).map(|value| 255 - value);
            }
        }
    }
}

/// RGB from reflected light in four bytes, in place because both at once are too large, a stretch at a time.
pub(super) fn without_inks(mut paper: Vec<u8>, to_srgb: Option<&ToSrgb>) -> Vec<u8> {
    const STRETCH: usize = 1 << 16;
    let pixels = paper.len() / 4;
    for start in (0..pixels).step_by(STRETCH) {
        let end = (start + STRETCH).min(pixels);
        let stretch = &paper[start * 4..end * 4];
        let inks = || stretch.iter().map(|light| 255 - light).collect::<Vec<u8>>();
        let converted = to_srgb.and_then(|conversion| conversion.apply(&inks()));
        let rgb = converted.unwrap_or_else(|| multiply(stretch));
        paper[start * 3..end * 3].copy_from_slice(&rgb);
    }
    paper.truncate(pixels * 3);
    paper
}

/// Converts without a profile: each colour ink reduces the light, and black reduces it once more.
fn multiply(paper: &[u8]) -> Vec<u8> {
    let dim = |light: u8, black: u8| ((u16::from(light) * u16::from(black) + 127) / 255) as u8;
    paper.as_chunks::<4>().0.iter().flat_map(|&[c, m, y, k]| [dim(c, k), dim(m, k), dim(y, k)]).collect()
}
