//! Static members of .NET types.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Result, anyhow, bail};

use super::members::exception;
use super::{Engine, Flow};
use crate::value::{NetObject, PsValue};

/// Types that scripts may name, in casts, static calls and `New-Object`.
pub const KNOWN_TYPES: [&str; 12] = [
    "BitConverter",
    "DateTime",
    "IO.File",
    "IO.FileInfo",
    "IO.Path",
    "IO.StreamReader",
    "PSObject",
    "Security.Cryptography.SHA256CryptoServiceProvider",
    "Text.Encoding",
    "Uri",
    "int",
    "int64",
];

/// Static members that scripts may use.
pub const KNOWN_STATICS: [&str; 9] = [
    "ASCII",
    "Combine",
    "Exists",
    "GetDirectoryName",
    "Open",
    "ReadAllBytes",
    "ToString",
    "UnescapeDataString",
    "UtcNow",
];

/// Ticks of .NET at the start of Unix time.
const UNIX_EPOCH_TICKS: i64 = 621_355_968_000_000_000;

pub(super) fn property(of: &str, name: &str, engine: &Engine) -> Flow<PsValue> {
    let object = match (of, name) {
        ("DateTime", "UtcNow") => NetObject::Moment(UNIX_EPOCH_TICKS + engine.now * 10_000_000),
        ("Text.Encoding", "ASCII") => NetObject::Ascii,
        _ => return Err(anyhow!("[{of}]::{name}").into()),
    };
    Ok(PsValue::Net(Rc::new(object)))
}

pub(super) fn invoke(of: &str, name: &str, arguments: &[PsValue], engine: &mut Engine) -> Flow<PsValue> {
    let failed = |message: String| exception(name, arguments, &message);
    Ok(match (of, name, arguments) {
        ("BitConverter", "ToString", [PsValue::Bytes(bytes)]) => {
            PsValue::text(bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join("-"))
        }
        ("IO.File", "Exists", [path]) => PsValue::Bool(Path::new(&*path.to_text()?).is_file()),
        ("IO.File", "ReadAllBytes", [PsValue::Text(path)]) => {
            PsValue::Bytes(engine.files.read(Path::new(&**path)).map_err(failed)?.into())
        }
        (
            "IO.File",
            "Open",
            [PsValue::Text(path), PsValue::Text(mode), PsValue::Text(access), PsValue::Text(share)],
        ) if (&**mode, &**access, &**share) == ("Open", "Read", "ReadWrite, Delete") => {
            let content = engine.files.read(Path::new(&**path)).map_err(failed)?;
            PsValue::Net(Rc::new(NetObject::Stream(RefCell::new(Some(content)))))
        }
        ("IO.Path", "Combine", parts) => PsValue::text(combined(parts)?.map_err(|text| failed(text.to_owned()))?),
        ("IO.Path", "GetDirectoryName", [PsValue::Text(path)]) => {
            let folder = Path::new(&**path).parent().map(PathBuf::from).unwrap_or_default();
            PsValue::text(folder.display().to_string())
        }
        ("Uri", "UnescapeDataString", [PsValue::Text(text)]) => PsValue::text(unescaped(text)?),
        _ => return Err(anyhow!("[{of}]::{name} with {arguments:?}").into()),
    })
}

/// Joined as on this machine; characters that Windows has in no path are refused as there.
fn combined(parts: &[PsValue]) -> Result<Result<String, &'static str>> {
    let mut path = PathBuf::new();
    for part in parts {
        let PsValue::Text(part) = part else { bail!("a path with {}", part.kind()) };
        if part.contains(['<', '>', '|', '"']) || part.contains(char::is_control) {
            return Ok(Err("Illegal characters in path."));
        }
        path.push(&**part);
    }
    Ok(Ok(path.display().to_string()))
}

/// Percent-encoded UTF-8. What .NET does with anything else is not modelled.
fn unescaped(text: &str) -> Result<String> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let escaped = tail.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.map(|hex| u8::from_str_radix(hex, 16)) {
            Some(Ok(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None if *first != b'%' => {
                bytes.push(*first);
                rest = tail;
            }
            _ => bail!("{text:?} has a percent sign that escapes nothing"),
        }
    }
    Ok(String::from_utf8(bytes)?)
}
