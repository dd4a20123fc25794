//! Reads the parts of an untrusted file one after the other, and says why it had to stop.

use crate::photo::refusal::Refusal;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParseStop {
    /// The file ends before the photo does.
    CutOff,
    /// The file contradicts its format.
    Wrong(&'static str),
    /// A valid feature that photorelay does not decode, named so that it fits into "the photo uses ...".
    Unsupported(&'static str),
}

impl From<ParseStop> for Refusal {
    fn from(stop: ParseStop) -> Self {
        match stop {
            ParseStop::CutOff => Refusal::Truncated,
            ParseStop::Wrong(detail) => Refusal::corrupt(detail),
            ParseStop::Unsupported(feature) => Refusal::Unsupported { feature },
        }
    }
}

/// What has not been read yet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ByteCursor<'a>(pub(super) &'a [u8]);

impl<'a> ByteCursor<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], ParseStop> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(ParseStop::CutOff)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, ParseStop> {
        self.take(1).map(|taken| taken[0])
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ParseStop> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(ParseStop::CutOff)?;
        self.0 = rest;
        Ok(*taken)
    }
}
