//! As much of the Basic Encoding Rules as a server needs that repeats what a script holds.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// A tag of one byte and its content.
#[derive(Debug, Clone)]
pub struct Element {
    pub tag: u8,
    content: Vec<u8>,
}

impl Element {
    pub fn new(tag: u8, content: &[u8]) -> Self {
        Self { tag, content: content.to_vec() }
    }

    /// With the length in four bytes, as Active Directory writes it.
    pub fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.content.len()).expect("a short script");
        [&[self.tag, 0x84], &length.to_be_bytes()[..], &self.content].concat()
    }
}

/// The elements of a script, one after the other. The last one may be shorter than it says.
#[derive(Debug)]
pub struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    pub fn of(script: &'a [u8]) -> Self {
        Self(script)
    }

    pub fn rest(&self) -> &'a [u8] {
        self.0
    }
}

impl Iterator for Elements<'_> {
    type Item = Element;

    fn next(&mut self) -> Option<Element> {
        let [tag, length, rest @ ..] = self.0 else { return None };
        let long = usize::from(length.checked_sub(0x80).unwrap_or_default()).min(4).min(rest.len());
        let (digits, rest) = rest.split_at(long);
        let length = match long {
            0 => usize::from(*length & 0x7f),
            _ => digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)),
        };
        let (content, rest) = rest.split_at(length.min(rest.len()));
        self.0 = rest;
        Some(Element::new(*tag, content))
    }
}

/// An LDAPMessage around an operation.
pub fn message(number: u32, operation: &Element) -> Vec<u8> {
    let number = Element::new(0x02, &number.to_be_bytes());
    Element::new(0x30, &[number.bytes(), operation.bytes()].concat()).bytes()
}

/// What a client asks.
#[derive(Debug)]
pub struct Received {
    pub number: u32,
    /// The tag of the operation.
    pub operation: u8,
}

/// The next message of a client that keeps to the rules.
pub async fn read_message(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Received> {
    let mut head = [0; 2];
    from.read_exact(&mut head).await?;
    let mut length = usize::from(head[1]);
    if length >= 0x80 {
        let mut digits = vec![0; length - 0x80];
        from.read_exact(&mut digits).await?;
        length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).await?;
    let mut parts = Elements::of(&body);
    let (Some(number), Some(operation)) = (parts.next(), parts.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let number = number.content.iter().fold(0, |number, digit| number << 8 | u32::from(*digit));
    Ok(Received { number, operation: operation.tag })
}
