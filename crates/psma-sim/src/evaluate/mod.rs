//! Runs a script: the engine with its global variables, files and clock.
//!
//! A terminating error of the script (`throw`, an exception of .NET) and a construct that the stand-in does not know are
//! two things: the second ends the test and no script can catch it.

mod commands;
mod expressions;
mod members;
mod operators;
mod scopes;
mod statements;
mod statics;

pub use commands::KNOWN_COMMANDS;
pub use members::KNOWN_METHODS;
pub use statics::{KNOWN_STATICS, KNOWN_TYPES};

use std::collections::BTreeMap;
use std::path::Path;

use crate::files::Files;
use crate::syntax::Script;
use crate::value::PsValue;
use scopes::Scopes;

/// Why the flow of a script ends before its end.
#[derive(Debug)]
pub(crate) enum Interrupt {
    /// A terminating error, with its message.
    Thrown(String),
    /// `continue`
    NextRound,
    /// The stand-in does not know what the script does in this line.
    NotKnown { line: Option<usize>, error: anyhow::Error },
}

impl From<anyhow::Error> for Interrupt {
    fn from(error: anyhow::Error) -> Self {
        Self::NotKnown { line: None, error }
    }
}

pub(crate) type Flow<T> = Result<T, Interrupt>;

/// One runspace: what lives from one script call to the next.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    globals: BTreeMap<String, PsValue>,
    pub(crate) files: Files,
    /// Unix time in seconds.
    pub(crate) now: i64,
    /// Errors that the script caught.
    caught: Vec<String>,
}

/// What one call hands to a script.
#[derive(Debug)]
pub(crate) struct CallArguments<'a> {
    /// The folder of the script, as far as the engine knows it.
    pub(crate) script_root: Option<&'a Path>,
    pub(crate) parameters: Vec<(&'a str, PsValue)>,
    /// The objects on the pipeline.
    pub(crate) input: Vec<PsValue>,
}

impl Engine {
    pub(crate) fn global(&self, name: &str) -> PsValue {
        self.globals.get(&name.to_lowercase()).cloned().unwrap_or(PsValue::Null)
    }

    pub(crate) fn set_global(&mut self, name: &str, value: PsValue) {
        self.globals.insert(name.to_lowercase(), value);
    }

    /// Forgets every global variable.
    pub(crate) fn clear_globals(&mut self) {
        self.globals.clear();
    }

    /// The errors that the last call caught.
    pub(crate) fn caught(&self) -> &[String] {
        &self.caught
    }

    /// Runs a script and returns what it put on the pipeline.
    pub(crate) fn run(&mut self, script: &Script, call: CallArguments<'_>) -> Flow<Vec<PsValue>> {
        let root = call.script_root.map_or_else(String::new, |root| root.display().to_string());
        self.caught.clear();
        let bound = bind(&script.parameters, call.parameters)?;
        let mut run = Evaluator { engine: self, scopes: Scopes::new(&root) };
        for (name, value) in bound {
            run.scopes.set(&name, value);
        }
        let mut output = Vec::new();
        run.block(&script.body, &mut output)?;
        if let Some(process) = &script.process {
            // Without objects on the pipeline the block still runs once.
            let input = if call.input.is_empty() { vec![PsValue::Null] } else { call.input };
            for object in input {
                run.scopes.set("_", object);
                run.block(process, &mut output)?;
            }
        }
        Ok(output)
    }
}

/// Binds named arguments as a script without `CmdletBinding` does: a name may be a prefix of one parameter, and a name that
/// fits none lands in `$args`.
fn bind(parameters: &[String], arguments: Vec<(&str, PsValue)>) -> Flow<Vec<(String, PsValue)>> {
    let mut bound: Vec<(String, PsValue)> =
        parameters.iter().map(|parameter| (parameter.clone(), PsValue::Null)).collect();
    let mut taken: Vec<&str> = Vec::new();
    for (name, value) in arguments {
        let starts =
            |parameter: &&String| parameter.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        let exact = parameters.iter().find(|parameter| parameter.eq_ignore_ascii_case(name));
        let fitting: Vec<&String> = exact.map_or_else(|| parameters.iter().filter(starts).collect(), |it| vec![it]);
        let [parameter] = fitting[..] else {
            if fitting.is_empty() {
                continue;
            }
            return Err(Interrupt::Thrown(format!("The parameter name '{name}' is ambiguous: {fitting:?}")));
        };
        if taken.contains(&parameter.as_str()) {
            return Err(Interrupt::Thrown(format!("The parameter '{parameter}' is specified more than once")));
        }
        taken.push(parameter);
        bound.retain(|(other, _)| other != parameter);
        bound.push((parameter.clone(), value));
    }
    Ok(bound)
}

/// One script call.
struct Evaluator<'a> {
    engine: &'a mut Engine,
    scopes: Scopes,
}
