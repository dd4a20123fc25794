//! Records of LDIF (RFC 2849), for importers that read it: photos are base64, and names are escaped as RFC 4514 says.

use std::fmt::Display;
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::connectors::ldap::AttributeName;

/// What objects and attributes are called in the file.
#[derive(Debug, Clone)]
pub struct LdifNames {
    pub base_dn: String,
    pub object_class: AttributeName,
    pub key: AttributeName,
    pub photo: AttributeName,
    pub checksum: AttributeName,
}

/// Photo and checksum.
pub(super) type Shown = Option<(Bytes, String)>;

/// Longer lines are folded.
const WIDTH: usize = 76;

impl LdifNames {
    /// An object as a whole: a record of a full export.
    pub(super) fn content(&self, out: &mut dyn Write, key: &str, shown: &Shown) -> io::Result<()> {
        self.dn(out, key)?;
        self.object(out, key, shown)
    }

    pub(super) fn add(&self, out: &mut dyn Write, key: &str, shown: &Shown) -> io::Result<()> {
        self.dn(out, key)?;
        writeln!(out, "changetype: add")?;
        self.object(out, key, shown)
    }

    pub(super) fn modify(&self, out: &mut dyn Write, key: &str, shown: &Shown) -> io::Result<()> {
        self.dn(out, key)?;
        writeln!(out, "changetype: modify")?;
        let photo = shown.as_ref().map(|(photo, _)| photo.as_ref());
        let checksum = shown.as_ref().map(|(_, checksum)| checksum.as_bytes());
        for (name, value) in [(&self.photo, photo), (&self.checksum, checksum)] {
            writeln!(out, "replace: {name}")?;
            if let Some(value) = value {
                attribute(out, name, value)?;
            }
            writeln!(out, "-")?;
        }
        writeln!(out)
    }

    pub(super) fn delete(&self, out: &mut dyn Write, key: &str) -> io::Result<()> {
        self.dn(out, key)?;
        writeln!(out, "changetype: delete\n")
    }

    /// The distinguished name of the object with this key.
    pub fn dn_of(&self, key: &str) -> String {
        format!("CN={},{}", escaped(key), self.base_dn)
    }

    fn dn(&self, out: &mut dyn Write, key: &str) -> io::Result<()> {
        attribute(out, "dn", self.dn_of(key).as_bytes())
    }

    fn object(&self, out: &mut dyn Write, key: &str, shown: &Shown) -> io::Result<()> {
        attribute(out, "objectClass", self.object_class.to_string().as_bytes())?;
        attribute(out, &self.key, key.as_bytes())?;
        if let Some((photo, checksum)) = shown {
            attribute(out, &self.photo, photo)?;
            attribute(out, &self.checksum, checksum.as_bytes())?;
        }
        writeln!(out)
    }
}

/// The value of a relative distinguished name.
fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut escaped = String::with_capacity(value.len());
    for (at, c) in value.chars().enumerate() {
        match c {
            '\0' => escaped.push_str("\\00"),
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => escaped.extend(['\\', c]),
            ' ' | '#' if at == 0 => escaped.extend(['\\', c]),
            ' ' if at == last => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}

fn attribute(out: &mut dyn Write, name: impl Display, value: &[u8]) -> io::Result<()> {
    let line = match is_safe(value) {
        true => format!("{name}: {}", String::from_utf8_lossy(value)),
        false => format!("{name}:: {}", STANDARD.encode(value)),
    };
    let (first, mut rest) = line.as_bytes().split_at(line.len().min(WIDTH));
    out.write_all(first)?;
    while !rest.is_empty() {
        let (next, more) = rest.split_at(rest.len().min(WIDTH - 1));
        out.write_all(b"\n ")?;
        out.write_all(next)?;
        rest = more;
    }
    out.write_all(b"\n")
}

/// A text that stands as it is: ASCII without control characters, and nothing at its ends that a reader would take
/// otherwise.
fn is_safe(value: &[u8]) -> bool {
    let plain = value.iter().all(|byte| (b' '..0x7f).contains(byte));
    plain && !value.first().is_some_and(|first| b" :<".contains(first)) && value.last() != Some(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&LdifNames, &mut Vec<u8>) -> io::Result<()>) -> String {
        let [object_class, key, photo, checksum] = ["user", "key", "photo", "sum"].map(|name| name.parse().unwrap());
        let names = LdifNames { base_dn: "O=x".to_owned(), object_class, key, photo, checksum };
        let mut out = Vec::new();
        write(&names, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_are_escaped_and_what_is_not_plain_is_base64() {
        assert_eq!(escaped(" a,b=c+d\\ "), "\\ a\\,b\\=c\\+d\\\\\\ ");
        let deleted = written(|names, out| names.delete(out, "#1,2"));
        assert_eq!(deleted, "dn: CN=\\#1\\,2,O=x\nchangetype: delete\n\n");
        let umlaut = written(|names, out| names.content(out, "Jürgen", &None));
        assert_eq!(umlaut, "dn:: Q049SsO8cmdlbixPPXg=\nobjectClass: user\nkey:: SsO8cmdlbg==\n\n");
    }

    #[test]
    fn a_photo_is_folded_and_one_that_is_gone_has_no_value() {
        let shown = Some((Bytes::from(vec![0xff; 100]), "ab".to_owned()));
        let modified = written(|names, out| names.modify(out, "k", &shown));
        assert!(modified.lines().all(|line| line.len() <= WIDTH), "{modified}");
        let unfolded = modified.replace("\n ", "");
        assert!(
            unfolded.contains(&format!(
                "replace: photo\nphoto:: {}\n-\nreplace: sum\nsum: ab\n-\n",
                "/".repeat(133) + "w=="
            ))
        );
        let gone = written(|names, out| names.modify(out, "k", &None));
        assert_eq!(gone, "dn: CN=k,O=x\nchangetype: modify\nreplace: photo\n-\nreplace: sum\n-\n\n");
    }
}
