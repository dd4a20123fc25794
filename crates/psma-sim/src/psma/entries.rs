//! One object that `import.ps1` put on the pipeline, as PSMA takes it.

use std::collections::BTreeMap;

use anyhow::Result;

use super::schema::{AttributeKind, ObjectClass, SchemaAttribute};
use super::versions::PsmaVersion;
use crate::mim::{AttributeValue, ConnectorObject};
use crate::value::{PsValue, Table};

/// What becomes of an object.
#[derive(Debug)]
pub(crate) enum Entry {
    /// An object with all its attributes.
    Add(String, ConnectorObject),
    Delete(String),
    /// A discovery error: MIM shows it for this object and goes on.
    Error {
        dn: String,
        name: String,
        detail: String,
    },
    /// Not a hashtable: skipped with a warning.
    Skipped(String),
    /// PSMA catches any other exception and drops the object without a word.
    Swallowed(String),
}

pub(crate) fn read(version: PsmaVersion, classes: &[ObjectClass], object: &PsValue) -> Result<Entry> {
    let table = match object {
        PsValue::Table(table) => table.borrow(),
        PsValue::Noted(notes) if version.unwraps_objects() => {
            let table = Table::of_host(true, notes.borrow().iter().cloned());
            return of_table(classes, &table);
        }
        other => return Ok(Entry::Skipped(format!("{} on the pipeline", other.kind()))),
    };
    if table.is_hashtable { of_table(classes, &table) } else { Ok(Entry::Skipped("a dictionary".to_owned())) }
}

/// A control key in any of these spellings, in any case.
fn control(table: &Table, names: &[&str]) -> Result<Option<String>> {
    let found = table.entries().find(|(key, _)| names.iter().any(|name| key.eq_ignore_ascii_case(name)));
    Ok(found.map(|(_, value)| value.to_text()).transpose()?.map(|text| text.to_string()))
}

fn of_table(classes: &[ObjectClass], table: &Table) -> Result<Entry> {
    let failed =
        |dn: &str, name: &str, detail: String| Entry::Error { dn: dn.to_owned(), name: name.to_owned(), detail };
    let Some(class_name) = control(table, &["objectClass", "[objectClass]"])? else {
        return Ok(failed("", "missing-objectclass-value", String::new()));
    };
    let Some(class) = classes.iter().find(|class| class.name == class_name) else {
        return Ok(failed("", "invalid-objecttype", class_name));
    };
    let anchor_name = class.attributes.iter().find(|attribute| attribute.is_anchor).map(|anchor| anchor.name.as_str());
    let mut attributes = BTreeMap::new();
    for (key, value) in table.entries() {
        // An attribute that the schema has not is dropped, and so are the control keys.
        let Some(attribute) = class.attribute(key) else { continue };
        match converted(attribute, value) {
            Ok(Some(value)) => drop(attributes.insert(attribute.name.clone(), value)),
            Ok(None) => {}
            Err(reason) => return Ok(Entry::Swallowed(reason)),
        }
    }
    let Some(AttributeValue::Text(anchor)) = anchor_name.and_then(|name| attributes.get(name)).cloned() else {
        return Ok(failed("", "missing-anchor-value", String::new()));
    };
    let dn = control(table, &["[DN]"])?.unwrap_or_else(|| anchor.clone());
    if let Some(name) = control(table, &["[ErrorName]"])?.filter(|name| !name.is_empty()) {
        return Ok(failed(&dn, &name, control(table, &["[ErrorDetail]"])?.unwrap_or_default()));
    }
    if control(table, &["changeType", "[changeType]"])?.is_some_and(|change| change.eq_ignore_ascii_case("delete")) {
        return Ok(Entry::Delete(dn));
    }
    Ok(Entry::Add(dn, ConnectorObject { class: class.name.clone(), anchor, attributes }))
}

/// The error is the exception that PSMA swallows.
fn converted(attribute: &SchemaAttribute, value: &PsValue) -> Result<Option<AttributeValue>, String> {
    match (attribute.kind, value) {
        (_, PsValue::Null) => Ok(None),
        (AttributeKind::String, PsValue::Text(text)) if !attribute.is_multi_valued && !text.is_empty() => {
            Ok(Some(AttributeValue::Text(text.to_string())))
        }
        (AttributeKind::Binary, PsValue::Bytes(bytes)) if !attribute.is_multi_valued => {
            Ok(Some(AttributeValue::Binary(bytes.to_vec())))
        }
        (kind, value) => Err(format!("{}, a {kind:?}, cannot be {}", attribute.name, value.kind())),
    }
}
