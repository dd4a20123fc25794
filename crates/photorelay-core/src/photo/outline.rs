//! The outline of an image file: its dimensions, the memory that decoding needs, and whether the file is complete.
//!
//! Walks segments, chunks and blocks without decoding. This finds false headers before memory is spent on them, and
//! truncated files even if a decoder would fill the missing half with grey. It must never allocate.

use super::refusal::Refusal;
use super::sniff::Format;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outline {
    pub width: u32,
    pub height: u32,
    /// The peak memory of decoding in bytes per pixel, as an upper estimate.
    pub memory_per_pixel: u64,
    /// Whether the file is complete up to its end marker.
    pub complete: bool,
    /// JPEG only: written by Adobe software, which stores inverted CMYK.
    pub adobe: bool,
}

/// Files with more parts than this are crafted to keep a decoder busy.
const MAX_PARTS: usize = 4096;

pub(super) fn outline(format: Format, bytes: &[u8]) -> Result<Outline, Refusal> {
    let mut rest = Rest(bytes);
    let mut sketch = None;
    let end = match format {
        Format::Jpeg => jpeg(&mut rest, &mut sketch),
        Format::Png => png(&mut rest, &mut sketch),
        Format::Gif => gif(&mut rest, &mut sketch),
    };
    let outline: Outline = match (end, sketch) {
        (Ok(()), Some(outline)) => Outline { complete: true, ..outline },
        (Err(Stop::CutOff), Some(outline)) => outline,
        (Err(Stop::CutOff), None) => return Err(Refusal::Truncated),
        (Ok(()), None) => return Err(Refusal::corrupt("it contains no picture")),
        (Err(Stop::Wrong(detail)), _) => return Err(Refusal::corrupt(detail)),
    };
    match (outline.width, outline.height) {
        (0, _) | (_, 0) => Err(Refusal::corrupt("a side has no pixels")),
        _ => Ok(outline),
    }
}

enum Stop {
    CutOff,
    Wrong(&'static str),
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Stop::CutOff)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        self.take(1).map(|taken| taken[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Stop::CutOff)?;
        self.0 = rest;
        Ok(*taken)
    }
}

/// ITU-T T.81, annex B.
fn jpeg(rest: &mut Rest<'_>, sketch: &mut Option<Outline>) -> Result<(), Stop> {
    let mut adobe = false;
    let (mut components, mut scans, mut spread) = (0, 0, false);
    for _ in 0..MAX_PARTS {
        let code = next_marker(rest)?;
        match code {
            0xd8 | 0x01 => continue,
            0xd9 => return Ok(()),
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes(rest.array()?));
        let segment = rest.take(length.checked_sub(2).ok_or(Stop::Wrong("a segment is shorter than its length"))?)?;
        match code {
            0xc4 | 0xc8 | 0xcc => {}
            0xc0..=0xcf if sketch.is_some() => return Err(Stop::Wrong("it describes its size twice")),
            0xc0..=0xcf => {
                *sketch = Some(jpeg_frame(segment)?);
                components = segment[5];
                spread = !matches!(code, 0xc0 | 0xc1);
            }
            0xda => {
                let outline = sketch.as_mut().ok_or(Stop::Wrong("it begins before its size is known"))?;
                outline.adobe = adobe;
                spread |= segment.first() != Some(&components);
                if scans == 0 && spread {
                    // The coefficients of all components stay in memory until the last scan.
                    outline.memory_per_pixel += 2 * u64::from(components);
                }
                scans += 1;
            }
            0xee => adobe |= segment.starts_with(b"Adobe"),
            _ => {}
        }
    }
    Err(Stop::Wrong("it has too many segments"))
}

/// The next marker, skipping entropy-coded data, restart markers and fill bytes.
fn next_marker(rest: &mut Rest<'_>) -> Result<u8, Stop> {
    loop {
        let start = rest.0.iter().position(|byte| *byte == 0xff).ok_or(Stop::CutOff)?;
        rest.take(start)?;
        while rest.0.starts_with(&[0xff]) {
            rest.take(1)?;
        }
        match rest.byte()? {
            0x00 | 0xd0..=0xd7 => {}
            code => return Ok(code),
        }
    }
}

fn jpeg_frame(segment: &[u8]) -> Result<Outline, Stop> {
    let &[_precision, h1, h0, w1, w0, components, ..] = segment else {
        return Err(Stop::Wrong("the frame header is too short"));
    };
    // The resulting RGB, and the components it is made of.
    let memory_per_pixel = match components {
        1 => 3 + 1,
        3 => 3,
        4 => 3 + 2 * 4,
        _ => return Err(Stop::Wrong("it does not have one, three or four colour components")),
    };
    Ok(Outline {
        width: u32::from(u16::from_be_bytes([w1, w0])),
        height: u32::from(u16::from_be_bytes([h1, h0])),
        memory_per_pixel,
        complete: false,
        adobe: false,
    })
}

/// W3C Portable Network Graphics, section 5.
fn png(rest: &mut Rest<'_>, sketch: &mut Option<Outline>) -> Result<(), Stop> {
    rest.take(8)?;
    for _ in 0..MAX_PARTS {
        let length = u32::from_be_bytes(rest.array()?) as usize;
        let kind: [u8; 4] = rest.array()?;
        let data = rest.take(length)?;
        rest.take(4)?;
        match (&kind, &*sketch) {
            (b"IHDR", None) => *sketch = Some(png_header(data)?),
            (_, None) => return Err(Stop::Wrong("it does not start with its header")),
            (b"IHDR", Some(_)) => return Err(Stop::Wrong("it describes its size twice")),
            (b"IEND", _) => return Ok(()),
            _ => {}
        }
    }
    Err(Stop::Wrong("it has too many chunks"))
}

fn png_header(data: &[u8]) -> Result<Outline, Stop> {
    let &[w3, w2, w1, w0, h3, h2, h1, h0, depth, ..] = data else {
        return Err(Stop::Wrong("the header is too short"));
    };
    Ok(Outline {
        width: u32::from_be_bytes([w3, w2, w1, w0]),
        height: u32::from_be_bytes([h3, h2, h1, h0]),
        // Four decoded channels, and the RGB made of them.
        memory_per_pixel: 3 + if depth == 16 { 8 } else { 4 },
        complete: false,
        adobe: false,
    })
}

/// GIF89a specification, sections 17 to 27.
fn gif(rest: &mut Rest<'_>, sketch: &mut Option<Outline>) -> Result<(), Stop> {
    let [_, _, _, _, _, _, w0, w1, h0, h1, flags, _, _] = rest.array()?;
    let (width, height) = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
    // RGBA of the screen and of the first frame, and the RGB made of them.
    *sketch = Some(Outline {
        width: width.into(),
        height: height.into(),
        memory_per_pixel: 11,
        complete: false,
        adobe: false,
    });
    skip_colour_table(rest, flags)?;
    for _ in 0..MAX_PARTS {
        match rest.byte()? {
            0x3b => return Ok(()),
            0x21 => {
                rest.byte()?;
            }
            0x2c => {
                let [x0, x1, y0, y1, w0, w1, h0, h1, flags] = rest.array()?;
                let ends = |from, side, limit| u16::checked_add(from, side).is_some_and(|end| end <= limit);
                if !ends(u16::from_le_bytes([x0, x1]), u16::from_le_bytes([w0, w1]), width)
                    || !ends(u16::from_le_bytes([y0, y1]), u16::from_le_bytes([h0, h1]), height)
                {
                    return Err(Stop::Wrong("a frame is larger than the picture"));
                }
                skip_colour_table(rest, flags)?;
                rest.byte()?;
            }
            _ => return Err(Stop::Wrong("it contains an unknown block")),
        }
        loop {
            match rest.byte()? {
                0 => break,
                length => rest.take(length.into())?,
            };
        }
    }
    Err(Stop::Wrong("it has too many blocks"))
}

fn skip_colour_table(rest: &mut Rest<'_>, flags: u8) -> Result<(), Stop> {
    if flags & 0x80 != 0 {
        rest.take(3 << ((flags & 7) + 1))?;
    }
    Ok(())
}
