//! Bicep files, read by the language's published grammar: whether they are Bicep at all, and which names they hold.
//!
//! The grammar lacks two statements, which are rewritten before it sees them: `param name = value` of parameter files,
//! and `extension name`. Nothing else looks at the text of a Bicep file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tree_sitter::{Node, Parser, Tree};

#[derive(Debug)]
pub struct BicepFile {
    text: String,
    tree: Tree,
    extensions: Vec<String>,
}

impl BicepFile {
    /// Reads and parses a template or a parameter file. An `Err` names the line that is not Bicep.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    pub fn parse(text: &str) -> Result<Self> {
        let mut extensions = Vec::new();
        let is_parameter_file = text.lines().any(|line| line.starts_with("using "));
        let mut rewritten = String::with_capacity(text.len());
        for line in text.lines() {
            match (line.strip_prefix("extension "), line.strip_prefix("param ")) {
                (Some(extension), _) => extensions.push(extension.to_owned()),
                (_, Some(parameter)) if is_parameter_file => rewritten += &format!("var {parameter}"),
                _ => rewritten += line,
            }
            rewritten += "\n";
        }
        let mut parser = Parser::new();
        parser.set_language(&tree_sitter_bicep::LANGUAGE.into()).context("the grammar does not fit its parser")?;
        let tree = parser.parse(&rewritten, None).context("the parser gave up")?;
        if let Some(node) = first_error(tree.root_node()) {
            bail!("line {} is not Bicep", node.start_position().row + 1);
        }
        Ok(Self { text: rewritten, tree, extensions })
    }

    /// The extensions that the file uses.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// The template that a parameter file is for.
    pub fn template(&self) -> Option<&str> {
        let using = self.nodes("using_statement").into_iter().next()?;
        Some(self.unquoted(using.named_child(0)?))
    }

    /// Every string without its quotes; interpolations stand in it as they are written.
    pub fn strings(&self) -> BTreeSet<&str> {
        self.nodes("string").into_iter().map(|node| self.unquoted(node)).collect()
    }

    /// Variables and the source of their values.
    pub fn variables(&self) -> Vec<(&str, &str)> {
        self.pairs("variable_declaration")
    }

    /// Properties of objects and the source of their values, in the order of the file.
    pub fn properties(&self) -> Vec<(&str, &str)> {
        self.pairs("object_property")
    }

    /// Strings that are the value of a property of this name, without those that interpolate.
    pub fn plain_values(&self, property: &str) -> BTreeSet<&str> {
        let values = self.properties().into_iter().filter(|(name, _)| *name == property).map(|(_, value)| value);
        values.filter_map(plain_string).collect()
    }

    fn pairs(&self, kind: &str) -> Vec<(&str, &str)> {
        let pair = |node: Node<'_>| Some((self.unquoted(node.named_child(0)?), self.source(node.named_child(1)?)));
        self.nodes(kind).into_iter().filter_map(pair).collect()
    }

    /// All nodes of a kind, in the order of the file.
    fn nodes(&self, kind: &str) -> Vec<Node<'_>> {
        let (mut found, mut rest) = (Vec::new(), vec![self.tree.root_node()]);
        while let Some(node) = rest.pop() {
            if node.kind() == kind {
                found.push(node);
            }
            let mut cursor = node.walk();
            let children: Vec<Node<'_>> = node.named_children(&mut cursor).collect();
            rest.extend(children.into_iter().rev());
        }
        found
    }

    fn source(&self, node: Node<'_>) -> &str {
        &self.text[node.byte_range()]
    }

    fn unquoted(&self, node: Node<'_>) -> &str {
        let source = self.source(node);
        let inner = |quotes| source.strip_prefix(quotes)?.strip_suffix(quotes);
        inner("'''").or_else(|| inner("'")).unwrap_or(source)
    }
}

/// What a string of Bicep holds, if the source is one and interpolates nothing.
pub fn plain_string(source: &str) -> Option<&str> {
    source.strip_prefix('\'')?.strip_suffix('\'').filter(|value| !value.contains("${"))
}

fn first_error(node: Node<'_>) -> Option<Node<'_>> {
    if node.is_error() || node.is_missing() {
        return Some(node);
    }
    if !node.has_error() {
        return None;
    }
    let mut cursor = node.walk();
    node.children(&mut cursor).find_map(first_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_those_of_the_file() {
        let text =
            "var a = 'x'\nvar b = ['${a}-y']\nextension graph\nresource r 'K@1' = {\n  name: 'z'\n  'q-r': a\n}\n";
        let file = BicepFile::parse(text).unwrap();
        assert_eq!(file.variables(), [("a", "'x'"), ("b", "['${a}-y']")]);
        assert_eq!(file.properties(), [("name", "'z'"), ("q-r", "a")]);
        assert_eq!(file.strings(), BTreeSet::from(["x", "${a}-y", "K@1", "z", "q-r"]));
        assert_eq!(file.plain_values("name"), BTreeSet::from(["z"]));
        assert_eq!(file.extensions(), ["graph"]);
    }

    #[test]
    fn a_parameter_file_names_its_template() {
        let file = BicepFile::parse("using '../main.bicep'\nparam targets = []\n").unwrap();
        assert_eq!((file.template(), file.variables()), (Some("../main.bicep"), vec![("targets", "[]")]));
    }

    #[test]
    fn what_is_not_bicep_is_refused_with_its_line() {
        let error = BicepFile::parse("var a = 1\nresource b 'B@1' = {\n").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
