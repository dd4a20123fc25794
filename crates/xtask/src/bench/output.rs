//! What the programs of crates/bench print, and where they were built.

use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::checkout::Checkout;
use crate::process;

/// A program of crates/bench, or the demo or the product itself, as `build` made it.
pub(super) fn program(checkout: &Checkout, name: &str) -> Command {
    Command::new(checkout.target.join("release").join(name))
}

/// The last line that a command prints.
pub(super) fn json(command: &mut Command) -> Result<Value> {
    let output = process::output(command)?;
    let line = output.lines().last().context("it printed nothing")?;
    serde_json::from_str(line).with_context(|| format!("it printed no JSON: {line}"))
}

pub(super) fn number(value: &Value, pointer: &str) -> Result<f64> {
    value.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("there is no figure at {pointer}"))
}
