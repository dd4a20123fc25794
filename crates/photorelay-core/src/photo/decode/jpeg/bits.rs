//! The bits of a scan (ITU-T T.81, F.2.2.5). Never invents a bit that the file does not have.

use crate::photo::decode::cursor::ParseStop;

pub(super) struct BitReader<'a> {
    data: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0, held: 0, count: 0 }
    }

    /// The next 16 bits; what lies behind the end of the data is zero, and cannot be skipped.
    #[inline]
    pub(super) fn peek16(&mut self) -> u32 {
        if self.count < 16 {
            self.fill();
        }
        let bits = if self.count >= 16 { self.held >> (self.count - 16) } else { self.held << (16 - self.count) };
        (bits & 0xffff) as u32
    }

    /// Whether all of the bits that [`Self::peek16`] shows are in the file.
    pub(super) fn has_16(&self) -> bool {
        self.count >= 16
    }

    #[inline]
    pub(super) fn skip(&mut self, count: u32) -> Result<(), ParseStop> {
        self.count = self.count.checked_sub(count).ok_or(ParseStop::CutOff)?;
        Ok(())
    }

    /// Up to 16 bits.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> Result<u32, ParseStop> {
        if self.count < count {
            self.fill();
        }
        self.skip(count)?;
        Ok((self.held >> self.count) as u32 & ((1 << count) - 1))
    }

    #[inline]
    pub(super) fn bit(&mut self) -> Result<bool, ParseStop> {
        self.take(1).map(|bit| bit == 1)
    }

    /// A coefficient of this many bits, of which half of the range is negative.
    #[inline]
    pub(super) fn signed(&mut self, count: u32) -> Result<i32, ParseStop> {
        if count == 0 {
            return Ok(0);
        }
        Ok(extended(self.take(count)?, count))
    }

    fn fill(&mut self) {
        // Nearly all bytes are data as they are: as many at once as there is room for.
        if let Some(eight) = self.data.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            let word = u64::from_be_bytes(*eight);
            if !has_byte_of_ones(word) {
                let bytes = (63 - self.count) / 8;
                self.held = self.held << (8 * bytes) | word >> (64 - 8 * bytes);
                self.count += 8 * bytes;
                self.at += bytes as usize;
                return;
            }
        }
        while self.count <= 56 {
            let Some(&byte) = self.data.get(self.at) else { return };
            if byte != 0xff {
                self.at += 1;
            } else {
                // A stuffed zero says that the byte before it is data; anything else is a marker.
                let behind = self.data[self.at..].iter().position(|byte| *byte != 0xff);
                match behind.map(|behind| self.at + behind) {
                    Some(next) if self.data[next] == 0 => self.at = next + 1,
                    _ => return,
                }
            }
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    /// Drops what is left of an interval and reads the restart marker behind it.
    pub(super) fn restart(&mut self, number: u8) -> Result<(), ParseStop> {
        (self.held, self.count) = (0, 0);
        loop {
            let start = self.data[self.at..].iter().position(|byte| *byte == 0xff).ok_or(ParseStop::CutOff)?;
            let behind = self.data[self.at + start..].iter().position(|byte| *byte != 0xff);
            let marker = self.at + start + behind.ok_or(ParseStop::CutOff)?;
            self.at = marker + 1;
            match self.data[marker] {
                0 => {}
                code if code == 0xd0 + number => return Ok(()),
                _ => return Err(ParseStop::Wrong("its restart markers are out of order")),
            }
        }
    }
}

/// The value of a coefficient's bits, of which half of the range is negative (F.2.2.1); at least one bit.
#[inline]
pub(super) fn extended(bits: u32, count: u32) -> i32 {
    let bits = bits as i32;
    if bits < 1 << (count - 1) { bits - (1 << count) + 1 } else { bits }
}

/// Whether one of the eight bytes is 0xff.
fn has_byte_of_ones(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    ((!word).wrapping_sub(ONES) & word & (ONES << 7)) != 0
}
