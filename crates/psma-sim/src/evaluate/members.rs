//! Members of objects. Property and method names ignore case, as PowerShell does.

use std::rc::Rc;

use anyhow::{Context as _, anyhow};
use sha2::{Digest as _, Sha256};

use super::{Flow, Interrupt};
use crate::value::{NetObject, PsValue};

/// Methods that scripts may call.
pub const KNOWN_METHODS: [&str; 10] = [
    "ComputeHash",
    "ContainsKey",
    "Dispose",
    "GetString",
    "ReadLine",
    "Replace",
    "Split",
    "Substring",
    "ToLowerInvariant",
    "Trim",
];

pub(super) fn property(of: &PsValue, name: &str) -> Flow<PsValue> {
    let lower = name.to_lowercase();
    Ok(match (of, lower.as_str()) {
        (PsValue::Table(table), _) if table.borrow().get(name).is_some() => {
            table.borrow().get(name).cloned().unwrap_or(PsValue::Null)
        }
        (PsValue::Table(table), "keys") => {
            PsValue::list(table.borrow().entries().map(|(key, _)| PsValue::text(key)).collect())
        }
        // A member that is not there is null.
        (PsValue::Null | PsValue::Bool(_), "keys") => PsValue::Null,
        (PsValue::Noted(notes), _) => {
            let notes = notes.borrow();
            let note = notes.iter().find(|(note, _)| note.eq_ignore_ascii_case(name));
            note.map_or(PsValue::Null, |(_, value)| value.clone())
        }
        (PsValue::Text(text), "length") => length(text.encode_utf16().count())?,
        (PsValue::List(list), "length") => length(list.len())?,
        (PsValue::Bytes(bytes), "length") => length(bytes.len())?,
        (PsValue::Net(object), _) => net_property(object, name, &lower)?,
        _ => return Err(anyhow!("the property {name} of {}", of.kind()).into()),
    })
}

fn net_property(object: &NetObject, name: &str, lower: &str) -> Flow<PsValue> {
    Ok(match (object, lower) {
        (NetObject::FileInfo(path), "exists") => PsValue::Bool(path.is_file()),
        (NetObject::FileInfo(path), "length") => match path.metadata() {
            Ok(metadata) if metadata.is_file() => length(usize::try_from(metadata.len()).context("a huge file")?)?,
            _ => return Err(Interrupt::Thrown(format!("Could not find file '{}'.", path.display()))),
        },
        (NetObject::Moment(ticks), "ticks") => PsValue::Number(*ticks),
        (NetObject::ErrorRecord(message), "exception") => PsValue::Net(Rc::new(NetObject::Exception(message.clone()))),
        (NetObject::Exception(message), "message") => PsValue::text(message.as_str()),
        _ => return Err(anyhow!("the property {name} of {object:?}").into()),
    })
}

fn length(length: usize) -> Flow<PsValue> {
    Ok(PsValue::Number(i64::try_from(length).context("a length beyond 63 bits")?))
}

pub(super) fn element(of: &PsValue, at: &PsValue) -> Flow<PsValue> {
    match (of, at) {
        (PsValue::Table(table), PsValue::Text(key)) => {
            let table = table.borrow();
            if table.get(key).is_none() && !table.is_hashtable {
                return Err(Interrupt::Thrown("The given key was not present in the dictionary.".to_owned()));
            }
            Ok(table.get(key).cloned().unwrap_or(PsValue::Null))
        }
        (PsValue::List(list), PsValue::Number(at)) => {
            // Beyond its end an array gives null.
            Ok(usize::try_from(*at).ok().and_then(|at| list.get(at)).cloned().unwrap_or(PsValue::Null))
        }
        _ => Err(anyhow!("element {} of {}", at.kind(), of.kind()).into()),
    }
}

/// Calls a method; none if it returns nothing.
pub(super) fn invoke(on: &PsValue, name: &str, arguments: &[PsValue]) -> Flow<Option<PsValue>> {
    let lower = name.to_lowercase();
    let value = match (on, lower.as_str(), arguments) {
        (PsValue::Null, ..) => {
            return Err(Interrupt::Thrown("You cannot call a method on a null-valued expression.".to_owned()));
        }
        (PsValue::Text(text), "trim", []) => PsValue::text(text.trim()),
        (PsValue::Text(text), "tolowerinvariant", []) => PsValue::text(text.to_lowercase()),
        (PsValue::Text(text), "split", [PsValue::Text(at)]) if at.len() == 1 => {
            PsValue::list(text.split(&**at).map(PsValue::text).collect())
        }
        (PsValue::Text(text), "replace", [PsValue::Text(old), PsValue::Text(new)]) if !old.is_empty() => {
            PsValue::text(text.replace(&**old, new))
        }
        (PsValue::Text(text), "substring", [PsValue::Number(from), PsValue::Number(length)]) if text.is_ascii() => {
            let from = usize::try_from(*from).ok();
            let to = from.zip(usize::try_from(*length).ok()).map(|(from, length)| from + length);
            let part = from.zip(to).and_then(|(from, to)| text.get(from..to));
            let refused = "Index and length must refer to a location within the string.";
            PsValue::text(part.ok_or_else(|| exception(name, arguments, refused))?)
        }
        (PsValue::Table(table), "containskey", [PsValue::Text(key)]) => {
            PsValue::Bool(table.borrow().get(key).is_some())
        }
        (PsValue::Net(object), _, _) => return net_invoke(object, name, &lower, arguments),
        _ => return Err(anyhow!("the method {name} of {} with {arguments:?}", on.kind()).into()),
    };
    Ok(Some(value))
}

fn net_invoke(object: &NetObject, name: &str, lower: &str, arguments: &[PsValue]) -> Flow<Option<PsValue>> {
    let value = match (object, lower, arguments) {
        (NetObject::Sha256, "computehash", [PsValue::Bytes(bytes)]) => {
            PsValue::Bytes(Sha256::digest(bytes).as_slice().into())
        }
        (NetObject::Ascii, "getstring", [PsValue::Bytes(bytes)]) => {
            let character = |byte: &u8| if byte.is_ascii() { char::from(*byte) } else { '?' };
            PsValue::text(bytes.iter().map(character).collect::<String>())
        }
        (NetObject::Reader(stream), "readline", []) => read_line(stream)?,
        (NetObject::Stream(content), "dispose", []) => {
            content.replace(None);
            return Ok(None);
        }
        _ => return Err(anyhow!("the method {name} of {object:?}").into()),
    };
    Ok(Some(value))
}

fn read_line(stream: &NetObject) -> Flow<PsValue> {
    let NetObject::Stream(content) = stream else { return Err(anyhow!("a reader over {stream:?}").into()) };
    let content = content.borrow();
    let content = content.as_ref().ok_or_else(|| exception("ReadLine", &[], "Cannot access a closed file."))?;
    let text = String::from_utf8_lossy(content);
    Ok(text.lines().next().map_or(PsValue::Null, PsValue::text))
}

/// What PowerShell makes of an exception that a method throws.
pub(super) fn exception(name: &str, arguments: &[PsValue], message: &str) -> Interrupt {
    let count = arguments.len();
    Interrupt::Thrown(format!("Exception calling \"{name}\" with \"{count}\" argument(s): \"{message}\""))
}
