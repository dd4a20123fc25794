//! Whether Bicep files are Bicep at all, by its published grammar.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tree_sitter::{Node, Parser};

pub(super) fn check(infra: &Path) -> Result<()> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_bicep::LANGUAGE.into()).context("the grammar of Bicep does not fit its parser")?;
    ensure!(first_error(&mut parser, "resource a 'B@1' = {\n")?.is_some(), "the grammar takes everything");
    let files = super::files(infra, &["bicep", "bicepparam"])?;
    ensure!(!files.is_empty(), "no Bicep file in {}", infra.display());
    let known = fs::read_to_string(infra.join("bicepconfig.json")).context("bicepconfig.json")?;
    let known: Value = serde_json::from_str(&known).context("bicepconfig.json")?;
    for file in &files {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let is_values = file.extension().is_some_and(|is| is == "bicepparam");
        let text = if is_values { values(file, &text)? } else { without_extensions(file, &text, &known)? };
        if let Some(line) = first_error(&mut parser, &text)? {
            bail!("{}:{line}: this is not Bicep", file.display());
        }
    }
    println!("{} Bicep files parsed", files.len());
    Ok(())
}

/// The grammar does not know files of values: theirs are read as variables, on the same lines.
fn values(file: &Path, text: &str) -> Result<String> {
    let template = text.lines().find_map(|line| line.strip_prefix("using '")?.strip_suffix('\''));
    let template = template.with_context(|| format!("{} says of no template that it is for it", file.display()))?;
    ensure!(file.with_file_name(template).exists(), "{} is for {template}, which does not exist", file.display());
    let line = |line: &str| match line.strip_prefix("param ") {
        Some(value) => format!("var {value}\n"),
        None if line.starts_with("using ") => "\n".to_owned(),
        None => format!("{line}\n"),
    };
    Ok(text.lines().map(line).collect())
}

/// Nor does it know the statement that takes an extension, which has to be declared in bicepconfig.json.
fn without_extensions(file: &Path, text: &str, known: &Value) -> Result<String> {
    let mut kept = String::new();
    for line in text.lines() {
        if let Some(extension) = line.strip_prefix("extension ") {
            let is_known = known["extensions"].get(extension).is_some();
            ensure!(is_known, "{}: bicepconfig.json does not declare {extension}", file.display());
        } else {
            kept += line;
        }
        kept += "\n";
    }
    Ok(kept)
}

/// The line of what the grammar does not know.
fn first_error(parser: &mut Parser, text: &str) -> Result<Option<usize>> {
    let tree = parser.parse(text, None).context("the parser gave up")?;
    Ok(broken(tree.root_node()).map(|node| node.start_position().row + 1))
}

fn broken(node: Node<'_>) -> Option<Node<'_>> {
    if node.is_error() || node.is_missing() {
        return Some(node);
    }
    if !node.has_error() {
        return None;
    }
    let mut cursor = node.walk();
    node.children(&mut cursor).find_map(broken)
}
