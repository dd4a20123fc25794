//! Helpers over the concrete syntax tree, and the one error of parsing: a node that the stand-in does not know.

use anyhow::{Context as _, Result, anyhow};
use tree_sitter::Node;

/// The script that is parsed.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

impl<'a> Source<'a> {
    pub(super) fn text(self, node: Node<'_>) -> &'a str {
        &self.text[node.byte_range()]
    }

    pub(super) fn unknown<T>(self, node: Node<'_>) -> Result<T> {
        let line = node.start_position().row + 1;
        let text: String = self.text(node).chars().take(60).collect();
        Err(anyhow!("{}:{line}: the stand-in does not know {} here: {text}", self.name, node.kind()))
    }

    pub(super) fn field<'tree>(self, node: Node<'tree>, name: &str) -> Result<Node<'tree>> {
        let line = node.start_position().row + 1;
        node.child_by_field_name(name).with_context(|| format!("{}:{line}: {} without {name}", self.name, node.kind()))
    }

    /// The names of the parameters below a parameter block, in lower case; types, defaults and attributes are not known.
    pub(super) fn parameters(self, block: Node<'_>) -> Result<Vec<String>> {
        let Some(list) = named(block).next() else { return Ok(Vec::new()) };
        if list.kind() != "parameter_list" || named(block).count() > 1 {
            return self.unknown(block);
        }
        let names = named(list).map(|parameter| match named(parameter).collect::<Vec<_>>()[..] {
            [variable] if variable.kind() == "variable" => Ok(self.text(variable)[1..].to_lowercase()),
            _ => self.unknown(parameter),
        });
        names.collect()
    }
}

/// The children that are not punctuation. Comments and the blanks between arguments say nothing.
pub(super) fn named<'tree>(node: Node<'tree>) -> impl Iterator<Item = Node<'tree>> {
    all(node).filter(|child| child.is_named() && !matches!(child.kind(), "comment" | "command_argument_sep"))
}

/// All children.
pub(super) fn all<'tree>(node: Node<'tree>) -> impl Iterator<Item = Node<'tree>> {
    (0..node.child_count()).filter_map(move |at| node.child(at))
}

/// Goes down through the nodes that only say how tightly an operator would bind.
pub(super) fn unwrapped(node: Node<'_>) -> Node<'_> {
    const WRAPPERS: [&str; 23] = [
        "pipeline",
        "pipeline_chain",
        "while_condition",
        "logical_expression",
        "bitwise_expression",
        "comparison_expression",
        "additive_expression",
        "multiplicative_expression",
        "format_expression",
        "range_expression",
        "array_literal_expression",
        "unary_expression",
        "expression_with_unary_operator",
        "key_expression",
        "left_assignment_expression",
        "argument_expression",
        "logical_argument_expression",
        "bitwise_argument_expression",
        "comparison_argument_expression",
        "additive_argument_expression",
        "multiplicative_argument_expression",
        "format_argument_expression",
        "range_argument_expression",
    ];
    match (node.child(0), node.child_count()) {
        (Some(child), 1) if child.is_named() && WRAPPERS.contains(&node.kind()) => unwrapped(child),
        _ => node,
    }
}
