//! What `schema.ps1` puts on the pipeline, as object classes.

use anyhow::{Result, bail};

use super::versions::PsmaVersion;
use crate::value::PsValue;

/// An object class of the management agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectClass {
    pub name: String,
    pub attributes: Vec<SchemaAttribute>,
}

/// An attribute of an object class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaAttribute {
    pub name: String,
    pub kind: AttributeKind,
    pub is_multi_valued: bool,
    pub is_anchor: bool,
}

/// The type of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeKind {
    Boolean,
    Binary,
    Integer,
    Reference,
    String,
}

impl ObjectClass {
    pub(crate) fn attribute(&self, name: &str) -> Option<&SchemaAttribute> {
        self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }
}

/// The inner error is what MIM shows when the schema is refreshed.
pub(crate) fn read(version: PsmaVersion, output: &[PsValue]) -> Result<Result<Vec<ObjectClass>, String>> {
    if output.is_empty() {
        return Ok(Err("InvalidOperationException: the schema script returned nothing".to_owned()));
    }
    let mut classes = Vec::new();
    for object in output {
        match class(version, object)? {
            Ok(class) => classes.push(class),
            Err(shown) => return Ok(Err(shown)),
        }
    }
    Ok(Ok(classes))
}

fn class(version: PsmaVersion, object: &PsValue) -> Result<Result<ObjectClass, String>> {
    let PsValue::Noted(notes) = object else { bail!("a schema of {}", object.kind()) };
    let mut class = ObjectClass { name: String::new(), attributes: Vec::new() };
    for (note, value) in notes.borrow().iter() {
        let Some((name, kind)) = note.split_once('|') else {
            return Ok(Err(format!("IndexOutOfRangeException: {note} has no type")));
        };
        if name.eq_ignore_ascii_case("objectClass") {
            class.name = value.to_text()?.to_string();
            continue;
        }
        let (name, is_anchor) = without_prefix(version, name);
        let is_multi_valued = kind.ends_with("[]");
        let kind = match kind.trim_end_matches("[]").to_lowercase().as_str() {
            "boolean" => AttributeKind::Boolean,
            "binary" => AttributeKind::Binary,
            "integer" => AttributeKind::Integer,
            "reference" => AttributeKind::Reference,
            _ => AttributeKind::String,
        };
        class.attributes.push(SchemaAttribute { name: name.to_owned(), kind, is_multi_valued, is_anchor });
    }
    if class.attributes.iter().filter(|attribute| attribute.is_anchor).count() != 1 {
        return Ok(Err("AttributeNotPresentException: a class has exactly one anchor".to_owned()));
    }
    if class.name.is_empty() {
        return Ok(Err("the schema has no objectClass".to_owned()));
    }
    Ok(Ok(class))
}

fn without_prefix(version: PsmaVersion, name: &str) -> (&str, bool) {
    match name.split_once('-') {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("Anchor") => (rest, true),
        Some((prefix, rest)) if version.knows_import_only() && prefix.eq_ignore_ascii_case("ImportOnly") => {
            (rest, false)
        }
        Some((prefix, rest)) if version.knows_import_only() && prefix.eq_ignore_ascii_case("ExportOnly") => {
            (rest, false)
        }
        _ => (name, false),
    }
}
