//! Reads one page of a listing, as `List Blobs` documents it. A sweep lists all users three times, so this reads just
//! what photorelay needs, once, and skips the twenty properties of a blob that it does not.
//!
//! It must never take half a page for a whole one, nor metadata for structure: what is not of the documented form is an
//! error, and no part of it is returned. The tests compare it with a parser that knows all of XML.

mod xml;

use azure_core::error::ErrorKind;
use memchr::memmem::Finder;

use crate::store::{Listed, Metadata, Page};
use xml::{Malformed, Tag, XmlReader, unescaped};

pub(super) fn parse(body: &[u8]) -> azure_core::Result<Page> {
    PageReader::new().page(body).map_err(|error| azure_core::Error::new(ErrorKind::DataConversion, error))
}

/// What is searched for in each blob, prepared once.
struct PageReader {
    properties_end: Finder<'static>,
    length: Finder<'static>,
    content_type: Finder<'static>,
}

impl PageReader {
    fn new() -> Self {
        Self {
            properties_end: Finder::new("</Properties>"),
            length: Finder::new("<Content-Length>"),
            content_type: Finder::new("<Content-Type>"),
        }
    }

    fn page(&self, body: &[u8]) -> Result<Page, Malformed> {
        let mut xml = XmlReader::of(body)?;
        let mut page = Page::default();
        match xml.next()? {
            (_, Tag::Open { name: "EnumerationResults", .. }) => {}
            _ => return Err(Malformed),
        }
        loop {
            match xml.next()?.1 {
                Tag::Open { name: "Blobs", .. } => self.blobs(&mut xml, &mut page.blobs)?,
                Tag::Open { name: "NextMarker", .. } => {
                    page.next = Some(unescaped(xml.text("NextMarker")?)?).filter(|marker| !marker.is_empty());
                }
                Tag::Open { name, .. } => xml.skip(name)?,
                Tag::Empty { .. } => {}
                Tag::Close("EnumerationResults") => return Ok(page),
                Tag::Close(_) => return Err(Malformed),
            }
        }
    }

    fn blobs(&self, xml: &mut XmlReader<'_>, blobs: &mut Vec<Listed>) -> Result<(), Malformed> {
        loop {
            match xml.next()?.1 {
                Tag::Open { name: "Blob", .. } => blobs.extend(self.blob(xml)?),
                Tag::Open { name, .. } => xml.skip(name)?,
                Tag::Empty { .. } => {}
                Tag::Close("Blobs") => return Ok(()),
                Tag::Close(_) => return Err(Malformed),
            }
        }
    }

    /// Returns `None` for a name that XML has to encode: photorelay does not use such names.
    fn blob(&self, xml: &mut XmlReader<'_>) -> Result<Option<Listed>, Malformed> {
        let mut blob = Listed { name: String::new(), bytes: 0, content_type: None, metadata: Metadata::new() };
        let mut is_encoded = false;
        loop {
            match xml.next()?.1 {
                Tag::Open { name: "Name", attributes } => {
                    is_encoded = attributes.contains("true");
                    blob.name = unescaped(xml.text("Name")?)?;
                }
                Tag::Open { name: "Properties", .. } => self.properties(xml, &mut blob)?,
                Tag::Open { name: "Metadata", .. } => blob.metadata = metadata(xml)?,
                Tag::Open { name, .. } => xml.skip(name)?,
                Tag::Empty { .. } => {}
                Tag::Close("Blob") => return Ok(Some(blob).filter(|blob| !is_encoded && !blob.name.is_empty())),
                Tag::Close(_) => return Err(Malformed),
            }
        }
    }

    /// Property values hold no tags, so the end of the properties and two of them can be searched for.
    fn properties(&self, xml: &mut XmlReader<'_>, blob: &mut Listed) -> Result<(), Malformed> {
        let properties = xml.up_to(&self.properties_end)?;
        let value = |finder: &Finder<'_>| {
            let start = finder.find(properties.as_bytes())? + finder.needle().len();
            properties[start..].split('<').next()
        };
        if let Some(length) = value(&self.length) {
            blob.bytes = length.trim().parse().map_err(|_| Malformed)?;
        }
        if let Some(content_type) = value(&self.content_type).filter(|text| !text.is_empty()) {
            blob.content_type = Some(unescaped(content_type)?);
        }
        Ok(())
    }
}

/// Names of metadata may be any, those of the elements around it too.
fn metadata(xml: &mut XmlReader<'_>) -> Result<Metadata, Malformed> {
    let mut metadata = Metadata::new();
    loop {
        let (name, value) = match xml.next()?.1 {
            Tag::Open { name, .. } => (name, unescaped(xml.text(name)?)?),
            Tag::Empty { name } => (name, String::new()),
            Tag::Close("Metadata") => return Ok(metadata),
            Tag::Close(_) => return Err(Malformed),
        };
        metadata.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests;
