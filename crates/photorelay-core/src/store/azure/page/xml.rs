//! The part of XML that the storage service writes: elements, attributes, text and entities, without comments, sections
//! and declarations within. Anything else is refused.

use memchr::memchr;
use memchr::memmem::Finder;

/// The response is not the XML that is documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the documented XML")]
pub(super) struct Malformed;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag<'a> {
    Open { name: &'a str, attributes: &'a str },
    Close(&'a str),
    Empty { name: &'a str },
}

/// Reads tag after tag.
pub(super) struct XmlReader<'a> {
    rest: &'a str,
}

impl<'a> XmlReader<'a> {
    pub(super) fn of(body: &'a [u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(body).map_err(|_| Malformed)?;
        let text = text.trim_start_matches('\u{feff}').trim_start();
        // Only these could hold a `<` that begins no tag.
        if Finder::new("<!").find(text.as_bytes()).is_some() {
            return Err(Malformed);
        }
        let rest = match text.strip_prefix("<?xml") {
            Some(declared) => declared.split_once("?>").ok_or(Malformed)?.1,
            None => text,
        };
        Ok(Self { rest })
    }

    /// The next tag, and the text before it.
    pub(super) fn next(&mut self) -> Result<(&'a str, Tag<'a>), Malformed> {
        let start = memchr(b'<', self.rest.as_bytes()).ok_or(Malformed)?;
        let end = start + memchr(b'>', &self.rest.as_bytes()[start..]).ok_or(Malformed)?;
        let (text, tag) = (&self.rest[..start], &self.rest[start + 1..end]);
        self.rest = &self.rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            return Ok((text, Tag::Close(name.trim_end())));
        }
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once([' ', '\t', '\r', '\n']).unwrap_or((tag, ""));
        match (name, is_empty) {
            ("", _) => Err(Malformed),
            (name, true) => Ok((text, Tag::Empty { name })),
            (name, false) => Ok((text, Tag::Open { name, attributes })),
        }
    }

    /// The text of the element that was just opened, as it is written; an element within is an error.
    pub(super) fn text(&mut self, name: &str) -> Result<&'a str, Malformed> {
        match self.next()? {
            (text, Tag::Close(closed)) if closed == name => Ok(text),
            _ => Err(Malformed),
        }
    }

    /// Passes the end of the element that was just opened, whatever is in it.
    pub(super) fn skip(&mut self, name: &'a str) -> Result<(), Malformed> {
        let mut open = vec![name];
        while let Some(innermost) = open.last() {
            match self.next()?.1 {
                Tag::Open { name, .. } => open.push(name),
                Tag::Empty { .. } => {}
                Tag::Close(closed) if closed == *innermost => _ = open.pop(),
                Tag::Close(_) => return Err(Malformed),
            }
        }
        Ok(())
    }

    /// Everything before this end tag, which is passed.
    pub(super) fn up_to(&mut self, end_tag: &Finder<'_>) -> Result<&'a str, Malformed> {
        let end = end_tag.find(self.rest.as_bytes()).ok_or(Malformed)?;
        let inside = &self.rest[..end];
        self.rest = &self.rest[end + end_tag.needle().len()..];
        Ok(inside)
    }
}

/// Text with its entities resolved.
pub(super) fn unescaped(text: &str) -> Result<String, Malformed> {
    let Some(first) = memchr(b'&', text.as_bytes()) else { return Ok(text.to_owned()) };
    let mut plain = text[..first].to_owned();
    let mut rest = &text[first..];
    while let Some(escaped) = rest.strip_prefix('&') {
        let (entity, after) = escaped.split_once(';').ok_or(Malformed)?;
        plain.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => character(entity).ok_or(Malformed)?,
        });
        let next = memchr(b'&', after.as_bytes()).unwrap_or(after.len());
        plain.push_str(&after[..next]);
        rest = &after[next..];
    }
    Ok(plain)
}

/// `#65` or `#x41`.
fn character(entity: &str) -> Option<char> {
    let number = entity.strip_prefix('#')?;
    let code = match number.strip_prefix('x') {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code).filter(|char| *char != '\0')
}
