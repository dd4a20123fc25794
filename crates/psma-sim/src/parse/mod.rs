//! Turns the text of a script into the tree of `syntax`. Fails on every node that it does not know, at any place.

mod expressions;
mod names;
mod nodes;
mod statements;
mod texts;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};
use tree_sitter::{Node, Parser, Tree};

use crate::syntax::Script;
use names::Names;
use nodes::Source;

/// The concrete syntax tree of a PowerShell text.
pub(crate) fn tree(text: &str) -> Result<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).context("the grammar does not fit the parser")?;
    parser.parse(text, None).context("the parser gave up")
}

/// The kinds of all named nodes of a PowerShell text, `ERROR` and `MISSING` among them.
pub fn node_kinds(text: &str) -> Result<BTreeSet<String>> {
    let tree = tree(text)?;
    let (mut kinds, mut open) = (BTreeSet::new(), vec![tree.root_node()]);
    while let Some(node) = open.pop() {
        if node.is_missing() {
            kinds.insert("MISSING".to_owned());
        } else if node.is_named() {
            kinds.insert(node.kind().to_owned());
        }
        open.extend(nodes::all(node));
    }
    Ok(kinds)
}

/// Parses a script; `name` is what errors call it.
pub fn parse(name: &str, text: &str) -> Result<Script> {
    let tree = tree(text)?;
    let root = tree.root_node();
    let source = Source { name, text };
    if root.has_error() {
        bail!("{name} is not valid PowerShell: {:?}", node_kinds(text)?);
    }
    let mut script = Script {
        name: name.to_owned(),
        parameters: Vec::new(),
        body: Vec::new(),
        process: None,
        vocabulary: Names::of(source, root)?,
    };
    for node in nodes::named(root) {
        match node.kind() {
            "param_block" => script.parameters = source.parameters(node)?,
            "statement_list" => read_body(source, node, &mut script)?,
            _ => return source.unknown(node),
        }
    }
    Ok(script)
}

/// A body is either statements or the block `PROCESS`. The grammar takes the upper-case keyword for a command.
fn read_body(source: Source<'_>, node: Node<'_>, script: &mut Script) -> Result<()> {
    let block = nodes::named(node).find_map(|statement| process_block(source, statement));
    let Some(block) = block else {
        script.body = source.statements(node)?;
        return Ok(());
    };
    ensure!(nodes::named(node).count() == 1, "{} has statements beside its PROCESS block", source.name);
    script.process = Some(source.block(block)?);
    Ok(())
}

fn process_block<'tree>(source: Source<'_>, statement: Node<'tree>) -> Option<Node<'tree>> {
    let command = nodes::unwrapped(statement);
    let [name, elements] = nodes::named(command).collect::<Vec<_>>()[..] else { return None };
    let is_process = command.kind() == "command" && source.text(name).eq_ignore_ascii_case("process");
    let elements = nodes::named(elements).map(nodes::unwrapped);
    let mut blocks = elements.filter(|element| element.kind() == "script_block_expression");
    if is_process { blocks.next() } else { None }
}
