//! Reads what the tool csexport of the synchronization service writes: the objects of a management agent's connector
//! space, with the photo and the checksum that each has after its last import.
//!
//! The file is untrusted and may be huge. It is read object by object, and nothing in it makes this take more memory than one
//! object and one element may have; what callers keep of all objects, the id, the key and the checksum, is short. Whatever
//! is no such file is refused with a sentence that says what to do.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use quick_xml::encoding::DecodingReader;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, escape};

use super::FeedError;
use super::metered::Metered;
use super::photos::MAX_PHOTO_BYTES;

/// Of one element, text or comment. A photo of 4 MiB, the largest that Exchange keeps, has 5.6 MiB in base64.
const MAX_PIECE_BYTES: u64 = 16 * 1024 * 1024;
/// Of the base64 of a photo, with the white space in it.
const MAX_VALUE_BYTES: usize = 2 * MAX_PHOTO_BYTES as usize;
/// Of an id, a key or a checksum.
const MAX_TEXT_BYTES: usize = 1024;
const MAX_DEPTH: usize = 64;
const MAX_OBJECTS: u64 = 2_000_000;

/// How the attributes of the objects are called.
#[derive(Debug, Clone)]
pub struct SpaceNames {
    /// What holds the key of the feed; without it, the distinguished name is the key, as PSMA makes it.
    pub key: Option<String>,
    pub photo: String,
    pub checksum: String,
}

/// A photo in the connector space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SpacePhoto {
    Bytes(Bytes),
    /// It is no base64, or larger than any photo of a feed.
    Unusable,
}

/// An object as it is after the last import, synchronized or not.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SpaceObject {
    /// What the synchronization service knows it by.
    pub(super) id: String,
    pub(super) key: String,
    pub(super) photo: Option<SpacePhoto>,
    pub(super) checksum: Option<String>,
}

impl std::fmt::Debug for SpaceObject {
    /// Without personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpaceObject").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SpaceObject {
    fn has_long_text(&self) -> bool {
        let texts = [Some(&self.id), Some(&self.key), self.checksum.as_ref()];
        texts.into_iter().flatten().any(|text| text.len() > MAX_TEXT_BYTES)
    }
}

/// Calls `work` with every object of the file that an import has seen and not deleted. Returns how many there were.
pub(super) fn read_connector_space(
    path: &Path,
    max_bytes: u64,
    names: &SpaceNames,
    mut work: impl FnMut(SpaceObject) -> Result<(), FeedError>,
) -> Result<u64, FeedError> {
    let failed = FeedError::file(path);
    let file = File::open(path).map_err(&failed)?;
    let bytes = file.metadata().map_err(&failed)?.len();
    if bytes > max_bytes {
        return Err(FeedError::Unusable(format!(
            "{} has {} MiB, and {} MiB are read at most: if it is the right file, say --max-mib {}. It is read piece by \
             piece, which takes time and little memory",
            path.display(),
            bytes.div_ceil(MIB),
            max_bytes / MIB,
            bytes.div_ceil(MIB)
        )));
    }
    let input = Metered::new(DecodingReader::new(BufReader::with_capacity(1 << 16, file.take(max_bytes))));
    let mut parser = SpaceParser { names, depth: 0, skipped: None, object: None, value: None, objects: 0 };
    parser.read(&mut Reader::from_reader(input), &mut work).map_err(|problem| match problem {
        Problem::OfTheFile(problem) => FeedError::Unusable(format!(
            "{} is no connector space of csexport: {problem}. Run `csexport \"<management agent>\" <file>` on the \
             synchronization server, and copy the file as it is",
            path.display()
        )),
        Problem::Other(error) => error,
    })?;
    Ok(parser.objects)
}

/// A connector space without any photo is one of which the attribute's name is not known.
pub(super) fn check_names(path: &Path, objects: u64, with_photo: u64, names: &SpaceNames) -> Result<(), FeedError> {
    match (objects, with_photo) {
        (0, _) => Err(FeedError::Unusable(format!(
            "{} has no object that was imported{}",
            path.display(),
            names
                .key
                .as_ref()
                .map_or_else(String::new, |key| format!(" and has the attribute `{key}`: see --key-attribute"))
        ))),
        (_, 0) => Err(FeedError::Unusable(format!(
            "none of the objects in {} has the attribute `{}`: name the one of the photo with --photo-attribute",
            path.display(),
            names.photo
        ))),
        _ => Ok(()),
    }
}

pub const MIB: u64 = 1024 * 1024;

enum Problem {
    OfTheFile(String),
    Other(FeedError),
}

impl From<&str> for Problem {
    fn from(problem: &str) -> Self {
        Self::OfTheFile(problem.to_owned())
    }
}

impl From<String> for Problem {
    fn from(problem: String) -> Self {
        Self::OfTheFile(problem)
    }
}

/// What one of its holograms says of an object.
#[derive(Default)]
struct Hologram {
    key: Option<String>,
    photo: Option<SpacePhoto>,
    checksum: Option<String>,
}

#[derive(Default)]
struct OpenObject {
    id: String,
    name: String,
    /// After the last synchronization, and after the last import if that was not synchronized yet.
    synchronized: Option<Hologram>,
    imported: Option<Hologram>,
    /// Of these, the one that is being read.
    is_imported: bool,
    is_deleted: bool,
    attribute: Attribute,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Attribute {
    #[default]
    Other,
    Key,
    Photo,
    Checksum,
}

struct SpaceParser<'a> {
    names: &'a SpaceNames,
    depth: usize,
    /// What is inside an element of this depth says nothing about photos.
    skipped: Option<usize>,
    object: Option<OpenObject>,
    /// The text of the value that is being read; longer ones are cut off.
    value: Option<Vec<u8>>,
    objects: u64,
}

impl SpaceParser<'_> {
    fn read(
        &mut self,
        reader: &mut Reader<Metered<impl BufRead>>,
        work: &mut impl FnMut(SpaceObject) -> Result<(), FeedError>,
    ) -> Result<(), Problem> {
        let mut buffer = Vec::new();
        let mut has_root = false;
        loop {
            buffer.clear();
            reader.get_mut().allow(MAX_PIECE_BYTES);
            let event = reader.read_event_into(&mut buffer);
            let event = event.map_err(|error| format!("{error}, near byte {}", reader.buffer_position()))?;
            match event {
                Event::Start(element) => {
                    has_root = true;
                    self.start(&element)?;
                }
                Event::Empty(element) => {
                    has_root = true;
                    self.start(&element)?;
                    self.end(work)?;
                }
                Event::End(_) => self.end(work)?,
                Event::Text(text) if self.depth > 0 => self.append(&text),
                Event::CData(text) if self.depth > 0 => self.append(&text),
                Event::GeneralRef(reference) => self.append(resolved(&reference)?.as_bytes()),
                Event::Text(text) if text.iter().all(u8::is_ascii_whitespace) => {}
                Event::Text(_) | Event::CData(_) => return Err("it is no XML".into()),
                Event::DocType(_) => return Err("it has a document type, which csexport does not write".into()),
                Event::Eof if self.depth > 0 => return Err("it ends in the middle".into()),
                Event::Eof if !has_root => return Err("it is empty, or no XML".into()),
                Event::Eof => return Ok(()),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            }
        }
    }

    fn start(&mut self, element: &BytesStart<'_>) -> Result<(), Problem> {
        let depth = self.depth;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("its elements are nested too deeply".into());
        }
        if self.skipped.is_some() {
            return Ok(());
        }
        let name = element.local_name();
        let is_known = match (depth, name.as_ref()) {
            (0, b"cs-objects") => true,
            (0, _) => return Err("its outermost element is not `cs-objects`".into()),
            (1, b"cs-object") => self.begin_object(element)?,
            (2, b"synchronized-hologram" | b"hologram") => self.begin_hologram(false),
            (2, b"pending-import-hologram" | b"import-hologram") => self.begin_hologram(true),
            (2, b"pending-import") => true,
            (3, b"entry") => self.begin_entry(),
            (3, b"delta") => self.begin_delta(element)?,
            (4, b"attr") => self.begin_attribute(element)?,
            (5, b"value") => self.begin_value(),
            _ => false,
        };
        if !is_known {
            self.skipped = Some(depth);
        }
        Ok(())
    }

    fn end(&mut self, work: &mut impl FnMut(SpaceObject) -> Result<(), FeedError>) -> Result<(), Problem> {
        self.depth = self.depth.saturating_sub(1);
        if let Some(depth) = self.skipped {
            if depth == self.depth {
                self.skipped = None;
            }
            return Ok(());
        }
        match self.depth {
            5 => self.end_value(),
            1 => {
                let Some(object) = self.object.take().and_then(|object| object.after_import(self.names)) else {
                    return Ok(());
                };
                self.objects += 1;
                if object.has_long_text() {
                    let number = self.objects;
                    return Err(format!(
                        "the id, the key or the checksum of object {number} has more than {MAX_TEXT_BYTES} bytes"
                    )
                    .into());
                }
                if self.objects > MAX_OBJECTS {
                    return Err(format!("it has more than {MAX_OBJECTS} objects").into());
                }
                work(object).map_err(Problem::Other)
            }
            _ => Ok(()),
        }
    }

    fn begin_object(&mut self, element: &BytesStart<'_>) -> Result<bool, Problem> {
        let name = attribute(element, "cs-dn")?.unwrap_or_default();
        let id = attribute(element, "id")?.unwrap_or_default();
        let id = id.trim_matches(['{', '}']).to_ascii_lowercase();
        self.object = Some(OpenObject { id, name, ..OpenObject::default() });
        Ok(true)
    }

    fn begin_hologram(&mut self, is_imported: bool) -> bool {
        let Some(object) = &mut self.object else { return false };
        object.is_imported = is_imported;
        true
    }

    /// An object without a photo has an entry, too.
    fn begin_entry(&mut self) -> bool {
        self.object.as_mut().map(OpenObject::hologram).is_some()
    }

    fn begin_delta(&mut self, element: &BytesStart<'_>) -> Result<bool, Problem> {
        let operation = attribute(element, "operation")?;
        if let Some(object) = &mut self.object {
            object.is_deleted |= operation.as_deref() == Some("delete");
        }
        Ok(false)
    }

    fn begin_attribute(&mut self, element: &BytesStart<'_>) -> Result<bool, Problem> {
        let name = attribute(element, "name")?.unwrap_or_default();
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        let Some(object) = &mut self.object else { return Ok(false) };
        object.attribute = match () {
            () if is(&self.names.photo) => Attribute::Photo,
            () if is(&self.names.checksum) => Attribute::Checksum,
            () if self.names.key.as_deref().is_some_and(is) => Attribute::Key,
            () => Attribute::Other,
        };
        Ok(object.attribute != Attribute::Other)
    }

    fn begin_value(&mut self) -> bool {
        self.value = Some(Vec::new());
        true
    }

    /// A cut-off value is longer than any that is used.
    fn append(&mut self, text: &[u8]) {
        if let Some(value) = self.value.as_mut().filter(|_| self.skipped.is_none()) {
            let room = (MAX_VALUE_BYTES + 1).saturating_sub(value.len());
            value.extend_from_slice(&text[..text.len().min(room)]);
        }
    }

    fn end_value(&mut self) -> Result<(), Problem> {
        let (Some(object), Some(value)) = (&mut self.object, self.value.take()) else { return Ok(()) };
        let attribute = object.attribute;
        let hologram = object.hologram();
        let text = || String::from_utf8(value.clone()).map_err(|_| Problem::from("a text in it is not Unicode"));
        match attribute {
            Attribute::Photo => hologram.photo = Some(photo(value)),
            Attribute::Checksum => hologram.checksum = Some(text()?.trim().to_owned()),
            Attribute::Key => hologram.key = Some(text()?),
            Attribute::Other => {}
        }
        Ok(())
    }
}

impl OpenObject {
    fn hologram(&mut self) -> &mut Hologram {
        match self.is_imported {
            true => self.imported.get_or_insert_default(),
            false => self.synchronized.get_or_insert_default(),
        }
    }

    /// None for an object that no import has seen, or the last one deleted.
    fn after_import(self, names: &SpaceNames) -> Option<SpaceObject> {
        if self.is_deleted {
            return None;
        }
        let Hologram { key, photo, checksum } = self.imported.or(self.synchronized)?;
        let key = if names.key.is_some() { key } else { Some(self.name) };
        let key = key.filter(|key| !key.is_empty())?;
        Some(SpaceObject { id: self.id, key, photo, checksum })
    }
}

fn photo(mut value: Vec<u8>) -> SpacePhoto {
    if value.len() > MAX_VALUE_BYTES {
        return SpacePhoto::Unusable;
    }
    value.retain(|byte| !byte.is_ascii_whitespace());
    match STANDARD.decode(value) {
        Ok(bytes) if !bytes.is_empty() && bytes.len() as u64 <= MAX_PHOTO_BYTES => SpacePhoto::Bytes(bytes.into()),
        _ => SpacePhoto::Unusable,
    }
}

/// The value of an attribute of XML.
fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, Problem> {
    let found = element.try_get_attribute(name).map_err(|error| Problem::from(error.to_string()))?;
    let Some(found) = found else { return Ok(None) };
    let text = std::str::from_utf8(&found.value).map_err(|_| Problem::from("a text in it is not Unicode"))?;
    let text = escape::unescape(text).map_err(|error| Problem::from(error.to_string()))?;
    Ok(Some(text.into_owned()))
}

/// What a reference such as `&amp;` stands for. Others than those of XML itself would need a document type.
fn resolved(reference: &BytesRef<'_>) -> Result<String, Problem> {
    let unknown = || Problem::from("it refers to an entity that XML does not have");
    let name = std::str::from_utf8(reference).map_err(|_| unknown())?;
    Ok(escape::unescape(&format!("&{name};")).map_err(|_| unknown())?.into_owned())
}
