//! The fields of the feed's files, and its two small files: `current` and the manifest. docs/mim-feed.md is the format.
//!
//! Everything that is read here is untrusted: another program, a copy or a full disk may have had it.

use std::fmt;
use std::str::FromStr;

use photorelay_core::id::Digest;
use uuid::Uuid;

/// Of the format.
pub(super) const VERSION: &str = "1";
pub(super) const SEGMENTS: usize = 256;
/// Of `current`.
pub(super) const MAX_HEAD_BYTES: u64 = 4 * 1024;

/// One life of a feed: sequence numbers of two epochs have nothing in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedEpoch(pub Uuid);

impl fmt::Display for FeedEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for FeedEpoch {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// The file `current`: which publication is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedHead {
    pub epoch: FeedEpoch,
    pub sequence: u64,
    /// Deltas can be read from this watermark on.
    pub floor: u64,
    pub manifest: Digest,
    pub people: u64,
    /// Unix time in seconds.
    pub published: i64,
}

impl FeedHead {
    pub(super) fn manifest_name(&self) -> String {
        manifest_name(self.epoch, self.sequence)
    }

    pub(super) fn to_text(&self) -> String {
        let Self { epoch, sequence, floor, manifest, people, published } = self;
        let name = self.manifest_name();
        format!("{VERSION}\t{epoch}\t{sequence}\t{floor}\t{name}\t{manifest}\t{people}\t{published}\n")
    }

    /// `Err` says what is wrong with the text.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let fields = one_line(text).and_then(fields::<8>).ok_or("it is not one line of 8 fields")?;
        let [version, epoch, sequence, floor, name, manifest, people, published] = fields;
        if version != VERSION {
            return Err(format!("it has version {version}, and this program reads version {VERSION}"));
        }
        let head = Self {
            epoch: value(epoch, "epoch")?,
            sequence: value(sequence, "sequence")?,
            floor: value(floor, "floor")?,
            manifest: value(manifest, "manifest digest")?,
            people: value(people, "number of people")?,
            published: value(published, "time")?,
        };
        // The name is built, never taken: no path can be smuggled in.
        if name != head.manifest_name() {
            return Err("its manifest has another epoch or sequence".to_owned());
        }
        Ok(head)
    }
}

pub(super) fn manifest_name(epoch: FeedEpoch, sequence: u64) -> String {
    format!("{epoch}-{sequence}.tsv")
}

/// One line of the manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SegmentEntry {
    /// None for a segment without lines.
    pub(super) digest: Option<Digest>,
    pub(super) people: u64,
    pub(super) highest: u64,
}

pub(super) fn manifest_text(segments: &[SegmentEntry]) -> String {
    let line = |(index, segment): (usize, &SegmentEntry)| {
        let digest = segment.digest.map_or_else(|| "-".to_owned(), |digest| digest.to_string());
        format!("{index:02x}\t{digest}\t{}\t{}\n", segment.people, segment.highest)
    };
    segments.iter().enumerate().map(line).collect()
}

pub(super) fn parse_manifest(text: &[u8]) -> Result<Vec<SegmentEntry>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "it is not ASCII")?;
    let segments: Vec<_> = text.lines().enumerate().map(manifest_line).collect::<Result<_, String>>()?;
    match segments.len() {
        SEGMENTS => Ok(segments),
        lines => Err(format!("it has {lines} lines instead of {SEGMENTS}")),
    }
}

fn manifest_line((index, line): (usize, &str)) -> Result<SegmentEntry, String> {
    let [prefix, digest, people, highest] =
        fields::<4>(line).ok_or_else(|| format!("line {} has not 4 fields", index + 1))?;
    if prefix != format!("{index:02x}") {
        return Err(format!("line {} is of segment {prefix}", index + 1));
    }
    let digest = if digest == "-" { None } else { Some(value(digest, "segment digest")?) };
    Ok(SegmentEntry { digest, people: value(people, "number of people")?, highest: value(highest, "sequence")? })
}

/// The line of a text that has one.
fn one_line(text: &[u8]) -> Option<&str> {
    std::str::from_utf8(text).ok()?.strip_suffix('\n')
}

/// The fields of a line that has just so many.
pub(super) fn fields<const COUNT: usize>(line: &str) -> Option<[&str; COUNT]> {
    line.split('\t').collect::<Vec<_>>().try_into().ok()
}

pub(super) fn value<T: FromStr>(text: &str, what: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("its {what} cannot be read"))
}

/// A text as a field: ASCII without control characters, so that it needs no quoting.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b'+'
            | b'/'
            | b'='
            | b'@'
            | b','
            | b':'
            | b' ' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// None if the field was not written by [`escape`].
pub(super) fn unescape(field: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_a_field_of_ascii_and_comes_back() {
        for text in ["", "ada", "Müller\tJürgen", "a,b=c/d+e==", "100 %", "S-1-5-21", "line\nbreak"] {
            let field = escape(text);
            assert!(field.bytes().all(|byte| (b' '..0x7f).contains(&byte)), "{field}");
            assert_eq!(unescape(&field).as_deref(), Some(text));
        }
        assert_eq!(unescape("100 %"), None);
        assert_eq!(unescape("%zz"), None);
    }

    #[test]
    fn a_manifest_that_is_named_differently_is_not_looked_for() {
        let head = FeedHead {
            epoch: FeedEpoch(Uuid::nil()),
            sequence: 7,
            floor: 0,
            manifest: Digest::of(b""),
            people: 3,
            published: 1_700_000_000,
        };
        let text = head.to_text();
        assert_eq!(FeedHead::parse(text.as_bytes()), Ok(head));
        let elsewhere = text.replace("-7.tsv", "-7/../../x.tsv");
        assert!(FeedHead::parse(elsewhere.as_bytes()).is_err());
        assert!(FeedHead::parse(text.trim_end().as_bytes()).is_err(), "cut off");
        assert!(FeedHead::parse(text.replacen('1', "2", 1).as_bytes()).unwrap_err().contains("version 2"));
    }

    #[test]
    fn a_manifest_has_every_segment_in_order_or_is_refused() {
        let mut segments = vec![SegmentEntry::default(); SEGMENTS];
        segments[255] = SegmentEntry { digest: Some(Digest::of(b"x")), people: 2, highest: 9 };
        let text = manifest_text(&segments);
        assert_eq!(parse_manifest(text.as_bytes()), Ok(segments));
        assert!(parse_manifest(&text.as_bytes()[..text.len() / 2]).is_err());
        assert!(parse_manifest(text.replacen("00\t", "01\t", 1).as_bytes()).is_err());
    }
}
