//! Expressions and commands.

use anyhow::{Context as _, Result};
use tree_sitter::Node;

use super::nodes::{Source, all, named, unwrapped};
use crate::syntax::{Expression, Operator};

impl Source<'_> {
    pub(super) fn expression(self, node: Node<'_>) -> Result<Expression> {
        let node = unwrapped(node);
        match node.kind() {
            "variable" => self.variable(node),
            "string_literal" => self.string(node),
            "integer_literal" => {
                let text = self.text(node);
                Ok(Expression::Number(text.parse().with_context(|| format!("{}: number {text}", self.name))?))
            }
            "array_literal_expression" => Ok(Expression::List(self.each(named(node))?)),
            "hash_literal_expression" => self.table(node),
            "type_literal" => Ok(Expression::Type(self.type_name(node))),
            "parenthesized_expression" => self.only(node),
            "array_expression" => Ok(Expression::Collect(self.block(node)?)),
            "member_access" => self.member(node),
            "invokation_expression" => self.invocation(node),
            "element_access" => match named(node).collect::<Vec<_>>()[..] {
                [of, at] => {
                    Ok(Expression::Element { of: Box::new(self.expression(of)?), at: Box::new(self.expression(at)?) })
                }
                _ => self.unknown(node),
            },
            "cast_expression" => match named(node).collect::<Vec<_>>()[..] {
                [to, value] => {
                    Ok(Expression::Cast { to: self.type_name(to), value: Box::new(self.expression(value)?) })
                }
                _ => self.unknown(node),
            },
            "expression_with_unary_operator" => match node.child(0) {
                Some(operator) if self.text(operator) == "-not" => Ok(Expression::Not(Box::new(self.only(node)?))),
                _ => self.unknown(node),
            },
            "logical_expression" | "comparison_expression" | "additive_expression" | "multiplicative_expression" => {
                self.binary(node)
            }
            "command" => self.command(node),
            _ => self.unknown(node),
        }
    }

    fn each<'tree>(self, nodes: impl Iterator<Item = Node<'tree>>) -> Result<Vec<Expression>> {
        nodes.map(|node| self.expression(node)).collect()
    }

    /// The value of a node with one named child.
    fn only(self, node: Node<'_>) -> Result<Expression> {
        match named(node).collect::<Vec<_>>()[..] {
            [inner] => self.expression(inner),
            _ => self.unknown(node),
        }
    }

    fn type_name(self, node: Node<'_>) -> String {
        self.text(node).trim_matches(['[', ']']).to_owned()
    }

    fn table(self, node: Node<'_>) -> Result<Expression> {
        let mut entries = Vec::new();
        for entry in named(node).flat_map(named) {
            let [key, value] = named(entry).collect::<Vec<_>>()[..] else { return self.unknown(entry) };
            let key = unwrapped(key);
            let key = match key.kind() {
                "simple_name" => Expression::Text(self.text(key).into()),
                _ => self.expression(key)?,
            };
            entries.push((key, self.expression(value)?));
        }
        Ok(Expression::Table(entries))
    }

    /// The object before `.` or `::`, whether it was `::`, and the name after it.
    fn member_of(self, node: Node<'_>) -> Result<(Box<Expression>, bool, String)> {
        let mut parts = named(node);
        let (Some(of), Some(name)) = (parts.next(), parts.next()) else { return self.unknown(node) };
        let is_static = all(node).any(|part| !part.is_named() && self.text(part) == "::");
        if name.kind() != "member_name" {
            return self.unknown(name);
        }
        let name = match named(name).next() {
            Some(literal) if literal.kind() == "string_literal" => match self.string(literal)? {
                Expression::Text(text) => text.to_string(),
                _ => return self.unknown(literal),
            },
            Some(simple) if simple.kind() == "simple_name" => self.text(simple).to_owned(),
            _ => return self.unknown(name),
        };
        let of = self.expression(of)?;
        if is_static != matches!(of, Expression::Type(_)) {
            return self.unknown(node);
        }
        Ok((Box::new(of), is_static, name))
    }

    fn member(self, node: Node<'_>) -> Result<Expression> {
        let (of, is_static, name) = self.member_of(node)?;
        Ok(Expression::Property { of, is_static, name })
    }

    fn invocation(self, node: Node<'_>) -> Result<Expression> {
        let (on, is_static, name) = self.member_of(node)?;
        let Some(list) = named(node).find(|part| part.kind() == "argument_list") else { return self.unknown(node) };
        let arguments = self.each(named(list).flat_map(named))?;
        Ok(Expression::Invoke { on, is_static, name, arguments })
    }

    fn binary(self, node: Node<'_>) -> Result<Expression> {
        let [left, .., right] = named(node).collect::<Vec<_>>()[..] else { return self.unknown(node) };
        let Some(operator) = node.child(1) else { return self.unknown(node) };
        let operator = match self.text(operator) {
            "-and" => Operator::And,
            "-or" => Operator::Or,
            "-eq" => Operator::Equal,
            "-ne" => Operator::NotEqual,
            "-gt" => Operator::Greater,
            "-ge" => Operator::GreaterOrEqual,
            "-lt" => Operator::Less,
            "-ceq" => Operator::ExactlyEqual,
            "-cne" => Operator::ExactlyNotEqual,
            "-cmatch" => Operator::Matches,
            "-cnotmatch" => Operator::MatchesNot,
            "+" => Operator::Plus,
            "-" => Operator::Minus,
            "*" => Operator::Times,
            "/" => Operator::Over,
            _ => return self.unknown(operator),
        };
        let (left, right) = (Box::new(self.expression(left)?), Box::new(self.expression(right)?));
        Ok(Expression::Binary { operator, left, right })
    }

    fn command(self, node: Node<'_>) -> Result<Expression> {
        let mut parts = named(node);
        let Some(name) = parts.next().filter(|name| name.kind() == "command_name") else { return self.unknown(node) };
        let mut arguments: Vec<(Option<String>, Expression)> = Vec::new();
        let mut parameter = None;
        for element in parts.flat_map(named) {
            let value = match element.kind() {
                "command_parameter" if parameter.is_none() => {
                    parameter = Some(self.text(element)[1..].to_owned());
                    continue;
                }
                "command_parameter" => return self.unknown(element),
                "generic_token" => Expression::Text(self.text(element).into()),
                _ => self.expression(element)?,
            };
            arguments.push((parameter.take(), value));
        }
        if parameter.is_some() {
            return self.unknown(node);
        }
        Ok(Expression::Command { name: self.text(name).to_owned(), arguments })
    }
}
