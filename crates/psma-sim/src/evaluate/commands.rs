//! Commands.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use anyhow::anyhow;

use super::{Evaluator, Flow, Interrupt};
use crate::syntax::Expression;
use crate::value::{NetObject, PsValue};

/// Commands that scripts may call.
pub const KNOWN_COMMANDS: [&str; 3] = ["Add-Member", "New-Object", "PROCESS"];

impl Evaluator<'_> {
    pub(super) fn command(&mut self, name: &str, arguments: &[(Option<String>, Expression)]) -> Flow<Vec<PsValue>> {
        let values = arguments.iter().map(|(name, argument)| Ok((name.as_deref(), self.value(argument)?)));
        let values = values.collect::<Flow<Vec<_>>>()?;
        match name.to_lowercase().as_str() {
            "new-object" => Ok(vec![created(&values)?]),
            "add-member" => add_member(&values).map(|()| Vec::new()),
            _ => Err(anyhow!("the command {name}").into()),
        }
    }
}

fn created(arguments: &[(Option<&str>, PsValue)]) -> Flow<PsValue> {
    let [(None, PsValue::Text(name)), of @ ..] = arguments else {
        return Err(anyhow!("New-Object {arguments:?}").into());
    };
    let object = match (&**name, of) {
        ("PSObject", []) => return Ok(PsValue::Noted(Rc::new(RefCell::new(Vec::new())))),
        ("Security.Cryptography.SHA256CryptoServiceProvider", []) => NetObject::Sha256,
        ("IO.FileInfo", [(None, PsValue::Text(path))]) => NetObject::FileInfo(PathBuf::from(&**path)),
        ("IO.StreamReader", [(None, PsValue::Net(stream))]) => NetObject::Reader(Rc::clone(stream)),
        _ => return Err(anyhow!("New-Object {arguments:?}").into()),
    };
    Ok(PsValue::Net(Rc::new(object)))
}

fn add_member(arguments: &[(Option<&str>, PsValue)]) -> Flow<()> {
    let [
        (Some("InputObject"), PsValue::Noted(notes)),
        (Some("MemberType"), PsValue::Text(kind)),
        (Some("Name"), PsValue::Text(name)),
        (Some("Value"), value),
    ] = arguments
    else {
        return Err(anyhow!("Add-Member {arguments:?}").into());
    };
    if &**kind != "NoteProperty" {
        return Err(anyhow!("Add-Member of {kind}").into());
    }
    if notes.borrow().iter().any(|(note, _)| note.eq_ignore_ascii_case(name)) {
        let message =
            format!("Cannot add a member with the name \"{name}\" because a member with that name already exists.");
        return Err(Interrupt::Thrown(message));
    }
    notes.borrow_mut().push((name.to_string(), value.clone()));
    Ok(())
}
