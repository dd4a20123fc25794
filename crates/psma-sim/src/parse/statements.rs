//! Statements.

use std::rc::Rc;

use anyhow::Result;
use tree_sitter::Node;

use super::nodes::{Source, named, unwrapped};
use crate::syntax::{Expression, ScriptFunction, Statement, StatementKind};

impl Source<'_> {
    /// The statements of a list.
    pub(super) fn statements(self, list: Node<'_>) -> Result<Vec<Statement>> {
        let nodes = named(list).filter(|node| node.kind() != "empty_statement");
        nodes.map(|node| Ok(Statement { line: node.start_position().row + 1, kind: self.statement(node)? })).collect()
    }

    fn statement(self, node: Node<'_>) -> Result<StatementKind> {
        match node.kind() {
            "pipeline" => self.pipeline(node),
            "if_statement" => self.conditional(node),
            "while_statement" => {
                let condition = self.expression(self.field(node, "condition")?)?;
                Ok(StatementKind::While { condition, body: self.only_block(node)? })
            }
            "foreach_statement" => match named(node).collect::<Vec<_>>()[..] {
                [variable, items, block] if variable.kind() == "variable" => Ok(StatementKind::Foreach {
                    variable: self.text(variable)[1..].to_lowercase(),
                    items: self.expression(items)?,
                    body: self.block(block)?,
                }),
                _ => self.unknown(node),
            },
            "try_statement" => self.guarded(node),
            "function_statement" => self.function(node),
            "flow_control_statement" => match (self.text(node), named(node).next()) {
                ("continue", None) => Ok(StatementKind::Continue),
                (text, Some(value)) if text.starts_with("throw") => Ok(StatementKind::Throw(self.expression(value)?)),
                _ => self.unknown(node),
            },
            _ => self.unknown(node),
        }
    }

    fn pipeline(self, node: Node<'_>) -> Result<StatementKind> {
        let inner = unwrapped(node);
        match inner.kind() {
            "assignment_expression" => self.assignment(inner),
            "post_increment_expression" if self.text(inner).ends_with("++") => match named(inner).next() {
                Some(target) => Ok(StatementKind::Increment(self.expression(target)?)),
                None => self.unknown(inner),
            },
            _ => Ok(StatementKind::Output(self.expression(inner)?)),
        }
    }

    fn assignment(self, node: Node<'_>) -> Result<StatementKind> {
        let [left, operator, value] = named(node).collect::<Vec<_>>()[..] else { return self.unknown(node) };
        let is_sum = match self.text(operator) {
            "=" => false,
            "+=" => true,
            _ => return self.unknown(operator),
        };
        let targets = match self.expression(left)? {
            Expression::List(targets) => targets,
            target => vec![target],
        };
        let assignable = |target: &Expression| match target {
            Expression::Variable { .. } | Expression::Element { .. } => true,
            Expression::Property { is_static, .. } => !is_static,
            _ => false,
        };
        if !targets.iter().all(assignable) || is_sum && targets.len() > 1 {
            return self.unknown(left);
        }
        Ok(StatementKind::Assign { targets, is_sum, value: self.expression(value)? })
    }

    fn conditional(self, node: Node<'_>) -> Result<StatementKind> {
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        branches.push((self.expression(self.field(node, "condition")?)?, self.only_block(node)?));
        for part in named(node) {
            match part.kind() {
                "elseif_clauses" => {
                    for clause in named(part) {
                        let condition = self.expression(self.field(clause, "condition")?)?;
                        branches.push((condition, self.only_block(clause)?));
                    }
                }
                "else_clause" => otherwise = self.only_block(part)?,
                "pipeline" | "statement_block" => {}
                _ => return self.unknown(part),
            }
        }
        Ok(StatementKind::If { branches, otherwise })
    }

    fn guarded(self, node: Node<'_>) -> Result<StatementKind> {
        let (body, mut catch, mut finally) = (self.only_block(node)?, None, Vec::new());
        for part in named(node) {
            match part.kind() {
                "statement_block" => {}
                "catch_clauses" => match named(part).collect::<Vec<_>>()[..] {
                    // A clause with types has more children than its block.
                    [clause] if named(clause).count() == 1 => catch = Some(self.only_block(clause)?),
                    _ => return self.unknown(part),
                },
                "finally_clause" => finally = self.only_block(part)?,
                _ => return self.unknown(part),
            }
        }
        Ok(StatementKind::Try { body, catch, finally })
    }

    fn function(self, node: Node<'_>) -> Result<StatementKind> {
        let (mut name, mut parameters, mut body) = (String::new(), Vec::new(), Vec::new());
        for part in named(node) {
            match part.kind() {
                "function_name" => self.text(part).clone_into(&mut name),
                "function_parameter_declaration" => parameters = self.parameters(part)?,
                "script_block" => body = self.script_block(part)?,
                _ => return self.unknown(part),
            }
        }
        Ok(StatementKind::Define(name, Rc::new(ScriptFunction { parameters, body })))
    }

    /// The one statement block among the children.
    fn only_block(self, node: Node<'_>) -> Result<Vec<Statement>> {
        match named(node).filter(|child| child.kind() == "statement_block").collect::<Vec<_>>()[..] {
            [block] => self.block(block),
            _ => self.unknown(node),
        }
    }

    /// The statements between braces.
    pub(super) fn block(self, node: Node<'_>) -> Result<Vec<Statement>> {
        match named(node).collect::<Vec<_>>()[..] {
            [] => Ok(Vec::new()),
            [list] if list.kind() == "statement_list" => self.statements(list),
            [block] if block.kind() == "script_block" => self.script_block(block),
            _ => self.unknown(node),
        }
    }

    fn script_block(self, node: Node<'_>) -> Result<Vec<Statement>> {
        let [body] = named(node).collect::<Vec<_>>()[..] else { return self.unknown(node) };
        match named(body).collect::<Vec<_>>()[..] {
            [list] if body.kind() == "script_block_body" && list.kind() == "statement_list" => self.statements(list),
            _ => self.unknown(node),
        }
    }
}
