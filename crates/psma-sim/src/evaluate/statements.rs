//! Statements.

use std::rc::Rc;

use anyhow::anyhow;

use super::operators::binary;
use super::{Evaluator, Flow, Interrupt};
use crate::syntax::{Expression, Operator, Statement, StatementKind};
use crate::value::{NetObject, PsValue};

impl Evaluator<'_> {
    pub(super) fn block(&mut self, statements: &[Statement], output: &mut Vec<PsValue>) -> Flow<()> {
        for statement in statements {
            self.statement(&statement.kind, output).map_err(|interrupt| match interrupt {
                Interrupt::NotKnown { line: None, error } => Interrupt::NotKnown { line: Some(statement.line), error },
                other => other,
            })?;
        }
        Ok(())
    }

    fn statement(&mut self, statement: &StatementKind, output: &mut Vec<PsValue>) -> Flow<()> {
        match statement {
            StatementKind::Assign { targets, is_sum, value } => {
                let value = self.value(value)?;
                if *is_sum {
                    let old = self.value(&targets[0])?;
                    let sum = binary(Operator::Plus, &old, &value)?;
                    return self.assign(&targets[0], sum);
                }
                self.assign_all(targets, value)
            }
            StatementKind::Increment(target) => {
                let old = self.value(target)?;
                self.assign(target, binary(Operator::Plus, &old, &PsValue::Number(1))?)
            }
            StatementKind::If { branches, otherwise } => {
                for (condition, body) in branches {
                    if self.condition(condition)? {
                        return self.block(body, output);
                    }
                }
                self.block(otherwise, output)
            }
            StatementKind::While { condition, body } => {
                while self.condition(condition)? {
                    self.round(body, output)?;
                }
                Ok(())
            }
            StatementKind::Foreach { variable, items, body } => {
                let items = match self.value(items)? {
                    PsValue::Null => Vec::new(),
                    PsValue::List(items) => items.to_vec(),
                    other => return Err(anyhow!("foreach over {}", other.kind()).into()),
                };
                for item in items {
                    self.scopes.set(variable, item);
                    self.round(body, output)?;
                }
                Ok(())
            }
            StatementKind::Try { body, catch, finally } => self.guarded(body, catch.as_deref(), finally, output),
            StatementKind::Define(name, function) => {
                self.scopes.define(name, function);
                Ok(())
            }
            StatementKind::Throw(message) => {
                let message = self.value(message)?.to_text()?;
                Err(Interrupt::Thrown(message.to_string()))
            }
            StatementKind::Continue => Err(Interrupt::NextRound),
            StatementKind::Output(expression) => {
                output.extend(self.emitted(expression)?);
                Ok(())
            }
        }
    }

    fn condition(&mut self, condition: &Expression) -> Flow<bool> {
        Ok(self.value(condition)?.is_true()?)
    }

    /// One round of a loop.
    fn round(&mut self, body: &[Statement], output: &mut Vec<PsValue>) -> Flow<()> {
        match self.block(body, output) {
            Err(Interrupt::NextRound) => Ok(()),
            other => other,
        }
    }

    fn guarded(
        &mut self,
        body: &[Statement],
        catch: Option<&[Statement]>,
        finally: &[Statement],
        output: &mut Vec<PsValue>,
    ) -> Flow<()> {
        let mut result = self.block(body, output);
        if let (Err(Interrupt::Thrown(message)), Some(catch)) = (&result, catch) {
            self.engine.caught.push(message.clone());
            let before = self.scopes.get("_").unwrap_or(PsValue::Null);
            self.scopes.set("_", PsValue::Net(Rc::new(NetObject::ErrorRecord(message.clone()))));
            result = self.block(catch, output);
            self.scopes.set("_", before);
        }
        self.block(finally, output)?;
        result
    }

    /// `$a, $b = value`: one value for each, the rest for the last, nothing for those left over.
    fn assign_all(&mut self, targets: &[Expression], value: PsValue) -> Flow<()> {
        let [target] = targets else {
            let PsValue::List(values) = &value else {
                return Err(anyhow!("{} variables take {}", targets.len(), value.kind()).into());
            };
            if values.len() > targets.len() {
                return Err(anyhow!("{} values for {} variables", values.len(), targets.len()).into());
            }
            for (at, target) in targets.iter().enumerate() {
                self.assign(target, values.get(at).cloned().unwrap_or(PsValue::Null))?;
            }
            return Ok(());
        };
        self.assign(target, value)
    }

    fn assign(&mut self, target: &Expression, value: PsValue) -> Flow<()> {
        let (of, key) = match target {
            Expression::Variable { is_global: true, name } => {
                self.engine.set_global(name, value);
                return Ok(());
            }
            Expression::Variable { name, .. } => {
                self.scopes.set(name, value);
                return Ok(());
            }
            Expression::Property { of, name, .. } => (self.value(of)?, PsValue::text(name.as_str())),
            Expression::Element { of, at } => (self.value(of)?, self.value(at)?),
            other => return Err(anyhow!("assignment to {other:?}").into()),
        };
        match (of, key) {
            (PsValue::Table(table), PsValue::Text(key)) => table.borrow_mut().set(&key, value),
            (of, key) => return Err(anyhow!("assignment to {} of {}", key.kind(), of.kind()).into()),
        }
        Ok(())
    }
}
