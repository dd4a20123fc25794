//! Local variables and functions. A function sees its caller's variables and assigns its own.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::syntax::ScriptFunction;
use crate::value::PsValue;

/// The scopes that are open, the innermost last. Names of variables are in lower case already.
#[derive(Debug)]
pub(super) struct Scopes {
    open: Vec<BTreeMap<String, PsValue>>,
    functions: BTreeMap<String, Rc<ScriptFunction>>,
}

impl Scopes {
    pub(super) fn new(script_root: &str) -> Self {
        let automatic = [
            ("true", PsValue::Bool(true)),
            ("false", PsValue::Bool(false)),
            ("null", PsValue::Null),
            ("psscriptroot", PsValue::text(script_root)),
        ];
        let outermost = automatic.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { open: vec![outermost, BTreeMap::new()], functions: BTreeMap::new() }
    }

    /// None for a variable that was never assigned.
    pub(super) fn get(&self, name: &str) -> Option<PsValue> {
        self.open.iter().rev().find_map(|scope| scope.get(name)).cloned()
    }

    pub(super) fn set(&mut self, name: &str, value: PsValue) {
        if let Some(innermost) = self.open.last_mut() {
            innermost.insert(name.to_owned(), value);
        }
    }

    pub(super) fn enter(&mut self) {
        self.open.push(BTreeMap::new());
    }

    pub(super) fn leave(&mut self) {
        self.open.pop();
    }

    pub(super) fn define(&mut self, name: &str, function: &Rc<ScriptFunction>) {
        self.functions.insert(name.to_lowercase(), Rc::clone(function));
    }

    pub(super) fn function(&self, name: &str) -> Option<Rc<ScriptFunction>> {
        self.functions.get(&name.to_lowercase()).cloned()
    }
}
