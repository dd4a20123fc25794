//! One line of a segment: what the feed says of one person, or of a key that is gone.

use std::fmt::Write as _;

use photorelay_core::id::{Digest, UserId};

use super::format::{escape, fields, unescape, value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineState {
    Photo,
    NoPhoto,
    /// A tombstone: deltas delete the key.
    Gone,
}

/// A photo as a line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinePhoto {
    pub digest: Digest,
    pub bytes: u64,
    pub checksum: String,
}

#[derive(Clone, PartialEq, Eq)]
pub struct PersonLine {
    pub sequence: u64,
    pub state: LineState,
    pub key: String,
    pub user: UserId,
    pub anchor: String,
    pub sid: String,
    pub sam_account_name: String,
    pub domain: String,
    pub photo: Option<LinePhoto>,
}

impl std::fmt::Debug for PersonLine {
    /// Without personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sequence, state, user, photo, .. } = self;
        f.debug_struct("PersonLine")
            .field("sequence", sequence)
            .field("state", state)
            .field("user", user)
            .field("photo", photo)
            .finish_non_exhaustive()
    }
}

impl LineState {
    fn letter(self) -> char {
        match self {
            Self::Photo => 'P',
            Self::NoPhoto => 'N',
            Self::Gone => 'X',
        }
    }
}

impl PersonLine {
    pub(super) fn write(&self, out: &mut String) {
        let [key, anchor, sid, sam, domain] =
            [&self.key, &self.anchor, &self.sid, &self.sam_account_name, &self.domain].map(|text| escape(text));
        let (sequence, state, user) = (self.sequence, self.state.letter(), self.user);
        let photo = match &self.photo {
            Some(LinePhoto { digest, bytes, checksum }) => format!("{digest}\t{bytes}\t{checksum}"),
            None => "\t\t".to_owned(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{sequence}\t{state}\t{key}\t{user}\t{anchor}\t{sid}\t{sam}\t{domain}\t{photo}");
    }

    /// `Err` says what is wrong with the line.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let [sequence, state, key, user, anchor, sid, sam, domain, digest, bytes, checksum] =
            fields::<11>(line).ok_or("it has not 11 fields")?;
        let text = |field| unescape(field).ok_or("a text in it is not escaped as it should be");
        let state = match state {
            "P" => LineState::Photo,
            "N" => LineState::NoPhoto,
            "X" => LineState::Gone,
            _ => return Err("its state is none of P, N, X".to_owned()),
        };
        let photo = match state {
            LineState::Photo => Some(LinePhoto {
                digest: value(digest, "photo digest")?,
                bytes: value(bytes, "photo length")?,
                checksum: checksum.to_owned(),
            }),
            _ => None,
        };
        Ok(Self {
            sequence: value(sequence, "sequence")?,
            state,
            key: text(key)?,
            user: value(user, "user ID")?,
            anchor: text(anchor)?,
            sid: text(sid)?,
            sam_account_name: text(sam)?,
            domain: text(domain)?,
            photo,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back_and_a_damaged_one_says_what_is_wrong() {
        let line = PersonLine {
            sequence: 12,
            state: LineState::Photo,
            key: "contoso\\müller".to_owned(),
            user: "1f2c0b0e-0000-4000-8000-000000000001".parse().unwrap(),
            anchor: "q83vEg==".to_owned(),
            sid: "S-1-5-21-1-2-3-1104".to_owned(),
            sam_account_name: "jürgen\tm".to_owned(),
            domain: String::new(),
            photo: Some(LinePhoto { digest: Digest::of(b"x"), bytes: 1, checksum: "AB".to_owned() }),
        };
        let mut text = String::new();
        line.write(&mut text);
        assert!(text.is_ascii());
        assert_eq!(PersonLine::parse(text.trim_end()), Ok(line));
        assert!(PersonLine::parse(&text[..20]).unwrap_err().contains("11 fields"));
        assert!(PersonLine::parse(text.trim_end().replacen("\tP\t", "\tQ\t", 1).as_str()).is_err());
        assert!(!format!("{:?}", PersonLine::parse(text.trim_end()).unwrap()).contains("S-1-5"));
    }
}
