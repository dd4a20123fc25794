//! The first frame of a GIF (GIF89a specification, sections 17 to 27), as a file of its own.
//!
//! A photo is one picture, so nothing behind the first frame is looked at, and nothing but it reaches the decoder.

use super::cursor::{ByteCursor, ParseStop};
use crate::photo::extent::Extent;

pub(super) struct FirstFrame {
    pub(super) extent: Extent,
    pub(super) bytes: Vec<u8>,
}

const TRAILER: u8 = 0x3b;
const EXTENSION: u8 = 0x21;
const IMAGE: u8 = 0x2c;
/// In the flags of the screen and of a frame: that a table of colours follows, and how many it has.
const HAS_COLOURS: u8 = 0x80;
const COUNT_OF_COLOURS: u8 = 7;
/// The length of a table of 256 colours.
const ALL_COLOURS: usize = 3 * 256;
/// The extension that says which colour is transparent.
const GRAPHIC_CONTROL: u8 = 0xf9;

pub(super) fn first_frame(bytes: &[u8]) -> Result<FirstFrame, ParseStop> {
    let mut rest = ByteCursor(bytes);
    let header: [u8; 13] = rest.array()?;
    let colours = colour_table(&mut rest, header[10])?;
    let mut control: &[u8] = &[];
    loop {
        let start = rest.0;
        match rest.byte()? {
            // Some software leaves these between blocks.
            0 => {}
            EXTENSION => {
                let kind = rest.byte()?;
                sub_blocks(&mut rest)?;
                let whole = &start[..start.len() - rest.0.len()];
                if kind == GRAPHIC_CONTROL && whole.len() == 8 {
                    control = whole;
                }
            }
            IMAGE => {
                let descriptor = rest.array()?;
                return frame(header, colours, control, descriptor, &mut rest);
            }
            TRAILER => return Err(ParseStop::Wrong("it contains no picture")),
            _ => return Err(ParseStop::Wrong("it contains an unknown block")),
        }
    }
}

/// The frame behind this descriptor, on a screen that is large enough, with a table of all colours that there can be.
fn frame(
    mut header: [u8; 13],
    colours: &[u8],
    control: &[u8],
    descriptor: [u8; 9],
    rest: &mut ByteCursor<'_>,
) -> Result<FirstFrame, ParseStop> {
    let [x0, x1, y0, y1, w0, w1, h0, h1, flags] = descriptor;
    let own = colour_table(rest, flags)?;
    let start = rest.0;
    rest.byte()?;
    sub_blocks(rest)?;
    let data = &start[..start.len() - rest.0.len()];
    // Viewers enlarge a screen that is smaller than its first frame.
    let end = |from: [u8; 2], side: [u8; 2]| {
        u16::from_le_bytes(from)
            .checked_add(u16::from_le_bytes(side))
            .ok_or(ParseStop::Wrong("its frame is larger than a GIF can be"))
    };
    let width = end([x0, x1], [w0, w1])?.max(u16::from_le_bytes([header[6], header[7]]));
    let height = end([y0, y1], [h0, h1])?.max(u16::from_le_bytes([header[8], header[9]]));
    if [w0, w1] == [0; 2] || [h0, h1] == [0; 2] {
        return Err(ParseStop::Wrong("a side has no pixels"));
    }
    header[6..8].copy_from_slice(&width.to_le_bytes());
    header[8..10].copy_from_slice(&height.to_le_bytes());
    let used = if own.is_empty() { colours } else { own };
    let mut colours = used.to_vec();
    if !used.is_empty() {
        // Viewers show a colour that is not in the table as black, the decoder as transparent.
        colours.resize(ALL_COLOURS, 0);
        header[10] |= HAS_COLOURS | COUNT_OF_COLOURS;
    }
    let image = [IMAGE, x0, x1, y0, y1, w0, w1, h0, h1, flags & !(HAS_COLOURS | COUNT_OF_COLOURS)];
    Ok(FirstFrame {
        extent: extent(width, height),
        bytes: [&header, colours.as_slice(), control, &image, data, &[TRAILER]].concat(),
    })
}

/// RGBA of the screen and of the frame.
fn extent(width: u16, height: u16) -> Extent {
    let (width, height) = (u32::from(width), u32::from(height));
    Extent { width, height, memory: u64::from(width) * u64::from(height) * 8 }
}

fn colour_table<'a>(rest: &mut ByteCursor<'a>, flags: u8) -> Result<&'a [u8], ParseStop> {
    rest.take(if flags & HAS_COLOURS == 0 { 0 } else { 3 << ((flags & COUNT_OF_COLOURS) + 1) })
}

fn sub_blocks(rest: &mut ByteCursor<'_>) -> Result<(), ParseStop> {
    loop {
        match rest.byte()? {
            0 => return Ok(()),
            length => rest.take(length.into())?,
        };
    }
}
