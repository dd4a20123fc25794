//! The frame of a JPEG: its size, and how its components are divided into blocks (ITU-T T.81, A.1 and A.2).

use crate::photo::decode::cursor::ParseStop;

/// One colour component.
#[derive(Debug, Clone)]
pub(super) struct JpegComponent {
    pub(super) id: u8,
    /// The sampling factors: how many samples it has for each unit of the least sampled component.
    pub(super) h: usize,
    pub(super) v: usize,
    /// The slot of its quantisation table.
    pub(super) slot: usize,
    /// The table that was in the slot when the component's first scan began, in the order of the file.
    pub(super) quantisation: Option<[u16; 64]>,
}

#[derive(Debug, Clone)]
pub(super) struct JpegFrame {
    pub(super) is_progressive: bool,
    pub(super) width: usize,
    /// Zero until a segment behind the first scan states it.
    pub(super) height: usize,
    pub(super) h_max: usize,
    pub(super) v_max: usize,
    pub(super) components: Vec<JpegComponent>,
}

impl JpegFrame {
    /// Reads a frame header; `code` is the low half of its marker's second byte.
    pub(super) fn parse(code: u8, segment: &[u8]) -> Result<Self, ParseStop> {
        match code {
            0xc0..=0xc2 => {}
            0xc9 | 0xca => return Err(ParseStop::Unsupported("arithmetic coding")),
            0xc3 => return Err(ParseStop::Unsupported("lossless JPEG")),
            _ => return Err(ParseStop::Unsupported("hierarchical or lossless JPEG")),
        }
        let &[precision, h1, h0, w1, w0, count, ref rest @ ..] = segment else {
            return Err(ParseStop::Wrong("the frame header is too short"));
        };
        match (precision, count) {
            (8, 1 | 3 | 4) => {}
            (8, 0) => return Err(ParseStop::Wrong("it has no colour components")),
            (8, _) => {
                return Err(ParseStop::Unsupported("a number of colour components other than one, three or four"));
            }
            _ => return Err(ParseStop::Unsupported("more or fewer than 8 bits a sample")),
        }
        let (entries, _) = rest.as_chunks::<3>();
        let entries = entries.get(..count.into()).ok_or(ParseStop::Wrong("the frame header is too short"))?;
        let components: Vec<JpegComponent> = entries
            .iter()
            .map(|&[id, factors, slot]| {
                let (h, v) = (usize::from(factors >> 4), usize::from(factors & 15));
                JpegComponent { id, h, v, slot: slot.into(), quantisation: None }
            })
            .collect();
        let is_sound = |component: &JpegComponent| {
            (1..=4).contains(&component.h) && (1..=4).contains(&component.v) && component.slot < 4
        };
        if !components.iter().all(is_sound) {
            return Err(ParseStop::Wrong("a colour component has impossible sampling factors"));
        }
        Ok(Self {
            is_progressive: code == 0xc2,
            width: u16::from_be_bytes([w1, w0]).into(),
            height: u16::from_be_bytes([h1, h0]).into(),
            h_max: components.iter().map(|component| component.h).max().unwrap_or(1),
            v_max: components.iter().map(|component| component.v).max().unwrap_or(1),
            components,
        })
    }

    /// The size of the picture in units of a scan that holds several components.
    pub(super) fn units(&self) -> (usize, usize) {
        (self.width.div_ceil(8 * self.h_max), self.height.div_ceil(8 * self.v_max))
    }

    /// The size of a component in samples.
    pub(super) fn samples(&self, component: &JpegComponent) -> (usize, usize) {
        ((self.width * component.h).div_ceil(self.h_max), (self.height * component.v).div_ceil(self.v_max))
    }

    /// The size of a component in blocks, as a scan of this component alone holds them.
    pub(super) fn blocks(&self, component: &JpegComponent) -> (usize, usize) {
        let (width, height) = self.samples(component);
        (width.div_ceil(8), height.div_ceil(8))
    }

    /// The same, filled up to whole units.
    pub(super) fn padded_blocks(&self, component: &JpegComponent) -> (usize, usize) {
        let (wide, high) = self.units();
        (wide * component.h, high * component.v)
    }

    /// Whether the component has one sample for each pixel.
    pub(super) fn is_full_size(&self, component: &JpegComponent) -> bool {
        (component.h, component.v) == (self.h_max, self.v_max)
    }
}
