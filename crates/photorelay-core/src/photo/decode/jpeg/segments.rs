//! The segments of a JPEG (ITU-T T.81, annex B): which scans it has, how it encodes colours, and what it says about
//! itself. Compressed data is found and not read.
//!
//! Bytes between segments are skipped, and so is everything that does not matter to the picture, because cameras and
//! editors write such files and every viewer shows them.

use super::frame::JpegFrame;
use super::huffman::{HuffmanSpec, USUAL_AC, USUAL_DC};
use crate::photo::decode::cursor::{ByteCursor, ParseStop};

/// Real photos have up to a hundred scans. Each costs memory, so there must be an end.
const MAX_SCANS: usize = 2000;

/// How a scan encodes one component.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScanComponent<'a> {
    /// Its position in the frame.
    pub(super) index: usize,
    pub(super) dc: Option<HuffmanSpec<'a>>,
    pub(super) ac: Option<HuffmanSpec<'a>>,
}

#[derive(Debug, Clone)]
pub(super) struct JpegScan<'a> {
    pub(super) components: Vec<ScanComponent<'a>>,
    /// The coefficients of each block that it holds.
    pub(super) first: usize,
    pub(super) last: usize,
    /// The bits of each coefficient: known so far, and known after this scan.
    pub(super) high: u32,
    pub(super) low: u32,
    /// Units between restart markers; zero without any.
    pub(super) restart: usize,
    pub(super) data: &'a [u8],
}

/// A JPEG that has a frame and at least one scan.
#[derive(Debug)]
pub(super) struct JpegFile<'a> {
    pub(super) frame: JpegFrame,
    pub(super) scans: Vec<JpegScan<'a>>,
    pub(super) is_jfif: bool,
    /// What Adobe's marker says about colours.
    pub(super) adobe: Option<u8>,
    pub(super) exif: Option<&'a [u8]>,
    pub(super) profile: Option<Vec<u8>>,
}

pub(super) fn parse(bytes: &[u8]) -> Result<JpegFile<'_>, ParseStop> {
    let mut walk = Walk { rest: ByteCursor(bytes), ..Walk::default() };
    let mut has_end = false;
    while !has_end {
        match walk.step() {
            Ok(end) => has_end = end,
            // Whatever is wrong behind a whole picture does not concern it.
            Err(stop @ ParseStop::Unsupported(_)) => return Err(stop),
            Err(_) if walk.shows_all_components() => break,
            Err(stop) => return Err(stop),
        }
    }
    let profile = walk.profile();
    let Walk { frame, scans, .. } = walk;
    let frame = frame.ok_or(ParseStop::Wrong("it contains no picture"))?;
    if frame.width == 0 || frame.height == 0 {
        return Err(ParseStop::Wrong("a side has no pixels"));
    }
    if scans.is_empty() {
        return Err(ParseStop::Wrong("it contains no picture"));
    }
    Ok(JpegFile { frame, scans, is_jfif: walk.is_jfif, adobe: walk.adobe, exif: walk.exif, profile })
}

#[derive(Default)]
struct Walk<'a> {
    rest: ByteCursor<'a>,
    frame: Option<JpegFrame>,
    scans: Vec<JpegScan<'a>>,
    quantisation: [Option<[u16; 64]>; 4],
    dc: [Option<HuffmanSpec<'a>>; 4],
    ac: [Option<HuffmanSpec<'a>>; 4],
    restart: usize,
    is_jfif: bool,
    adobe: Option<u8>,
    exif: Option<&'a [u8]>,
    /// The parts of the colour profile, by their number.
    profile: Vec<(u8, &'a [u8])>,
}

impl<'a> Walk<'a> {
    /// Reads one segment, with the compressed data behind it; returns whether it was the end.
    fn step(&mut self) -> Result<bool, ParseStop> {
        let code = next_marker(&mut self.rest)?;
        match code {
            0xd9 => return Ok(true),
            // Markers without a segment, and codes that mean nothing.
            0x01..=0xbf | 0xd0..=0xd8 | 0xf0..=0xfd => return Ok(false),
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes(self.rest.array()?));
        let segment = self.rest.take(length.saturating_sub(2))?;
        match code {
            0xc4 => self.huffman_tables(segment)?,
            0xcc => return Err(ParseStop::Unsupported("arithmetic coding")),
            0xc8 => {}
            0xc0..=0xcf if self.frame.is_some() => return Err(ParseStop::Wrong("it describes its size twice")),
            0xc0..=0xcf => self.frame = Some(JpegFrame::parse(code, segment)?),
            0xda => self.scan(segment)?,
            0xdb => self.quantisation_tables(segment)?,
            0xdc => self.number_of_lines(segment),
            0xdd => self.restart = segment.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes).into()),
            0xe0 => self.is_jfif |= segment.starts_with(b"JFIF\0"),
            0xe1 => self.exif = self.exif.or(segment.strip_prefix(b"Exif\0\0")),
            0xe2 => self.profile.extend(part_of_profile(segment)),
            0xee if segment.starts_with(b"Adobe") && segment.len() >= 12 => self.adobe = Some(segment[11]),
            _ => {}
        }
        Ok(false)
    }

    fn shows_all_components(&self) -> bool {
        let shown = |index| self.scans.iter().any(|scan| scan.components.iter().any(|part| part.index == index));
        self.frame.as_ref().is_some_and(|frame| (0..frame.components.len()).all(shown))
    }

    fn huffman_tables(&mut self, segment: &'a [u8]) -> Result<(), ParseStop> {
        const WRONG: ParseStop = ParseStop::Wrong("a Huffman table is incomplete");
        let mut rest = ByteCursor(segment);
        while !rest.0.is_empty() {
            let [slot, counts @ ..]: [u8; 17] = rest.array().map_err(|_| WRONG)?;
            let count = counts.iter().map(|count| usize::from(*count)).sum();
            let symbols = rest.take(count).map_err(|_| WRONG)?;
            let tables = if slot >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            *tables.get_mut(usize::from(slot & 15)).ok_or(WRONG)? = Some(HuffmanSpec { counts, symbols });
        }
        Ok(())
    }

    fn quantisation_tables(&mut self, segment: &[u8]) -> Result<(), ParseStop> {
        const WRONG: ParseStop = ParseStop::Wrong("a quantisation table is incomplete");
        let mut rest = ByteCursor(segment);
        while !rest.0.is_empty() {
            let slot = rest.byte()?;
            let is_wide = slot >> 4 != 0;
            let mut table = [0; 64];
            for value in &mut table {
                let read = if is_wide { rest.array().map(u16::from_be_bytes) } else { rest.byte().map(u16::from) };
                *value = read.map_err(|_| WRONG)?;
            }
            *self.quantisation.get_mut(usize::from(slot & 15)).ok_or(WRONG)? = Some(table);
        }
        Ok(())
    }

    /// A height that the writer did not know when it wrote the frame.
    fn number_of_lines(&mut self, segment: &[u8]) {
        if let (Some(frame), Some(lines)) = (&mut self.frame, segment.first_chunk())
            && frame.height == 0
        {
            frame.height = u16::from_be_bytes(*lines).into();
        }
    }

    fn scan(&mut self, segment: &[u8]) -> Result<(), ParseStop> {
        const WRONG: ParseStop = ParseStop::Wrong("a scan header is incomplete");
        let frame = self.frame.as_mut().ok_or(ParseStop::Wrong("it begins before its size is known"))?;
        if self.scans.len() >= MAX_SCANS {
            return Err(ParseStop::Unsupported("more than 2000 scans"));
        }
        let (count, rest) = segment.split_first().ok_or(WRONG)?;
        let (entries, rest) = rest.split_at_checked(2 * usize::from(*count)).ok_or(WRONG)?;
        let &[first, last, bits, ..] = rest else { return Err(WRONG) };
        let mut components: Vec<ScanComponent<'a>> = Vec::new();
        for entry in entries.as_chunks::<2>().0 {
            let &[id, slots] = entry;
            let (dc, ac) = (usize::from(slots >> 4), usize::from(slots & 15));
            // Some files give all of their components the same id.
            let is_new = |index: usize| components.iter().all(|component| component.index != index);
            let index = (0..frame.components.len()).find(|index| frame.components[*index].id == id && is_new(*index));
            let index = index.ok_or(ParseStop::Wrong("a scan names a component that the picture does not have"))?;
            let table = |tables: &[Option<HuffmanSpec<'a>>; 4], usual: &[HuffmanSpec<'static>; 2], slot: usize| {
                tables.get(slot).copied().flatten().or(usual.get(slot).copied())
            };
            let component = &mut frame.components[index];
            component.quantisation = component.quantisation.or(self.quantisation[component.slot]);
            let (dc, ac) = (table(&self.dc, &USUAL_DC, dc), table(&self.ac, &USUAL_AC, ac));
            components.push(ScanComponent { index, dc, ac });
        }
        if components.is_empty() {
            return Err(WRONG);
        }
        self.scans.push(JpegScan {
            components,
            first: first.into(),
            last: last.into(),
            high: u32::from(bits >> 4),
            low: u32::from(bits & 15),
            restart: self.restart,
            data: compressed(&mut self.rest),
        });
        Ok(())
    }

    /// The colour profile, if all of its parts are there.
    fn profile(&mut self) -> Option<Vec<u8>> {
        self.profile.sort_by_key(|(number, _)| *number);
        let is_whole = self.profile.iter().zip(1..).all(|((number, _), expected)| *number == expected);
        let bytes: Vec<u8> = self.profile.iter().flat_map(|(_, part)| part.iter().copied()).collect();
        (is_whole && !bytes.is_empty()).then_some(bytes)
    }
}

fn part_of_profile(segment: &[u8]) -> Option<(u8, &[u8])> {
    let [number, _count, part @ ..] = segment.strip_prefix(b"ICC_PROFILE\0")? else { return None };
    Some((*number, part))
}

/// The next marker, skipping whatever is before it.
fn next_marker(rest: &mut ByteCursor<'_>) -> Result<u8, ParseStop> {
    loop {
        let start = rest.0.iter().position(|byte| *byte == 0xff).ok_or(ParseStop::CutOff)?;
        rest.take(start)?;
        while rest.0.starts_with(&[0xff]) {
            rest.take(1)?;
        }
        match rest.byte()? {
            0x00 => {}
            code => return Ok(code),
        }
    }
}

/// The compressed data of a scan: everything up to the next marker that is not a restart.
fn compressed<'a>(rest: &mut ByteCursor<'a>) -> &'a [u8] {
    let all = rest.0;
    let mut at = 0;
    let end = loop {
        let Some(start) = all[at..].iter().position(|byte| *byte == 0xff) else { break all.len() };
        let marker = at + start;
        let Some(behind) = all[marker..].iter().position(|byte| *byte != 0xff) else { break all.len() };
        match all[marker + behind] {
            0x00 | 0xd0..=0xd7 => at = marker + behind + 1,
            _ => break marker,
        }
    };
    let (data, behind) = all.split_at(end);
    rest.0 = behind;
    data
}
