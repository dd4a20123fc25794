//! Expressions.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::anyhow;

use super::operators::{binary, converted};
use super::{Evaluator, Flow, Interrupt, members, statics};
use crate::syntax::{Expression, Operator, ScriptFunction, Statement, TextPart};
use crate::value::{PsValue, Table};

impl Evaluator<'_> {
    /// The value of an expression.
    pub(super) fn value(&mut self, expression: &Expression) -> Flow<PsValue> {
        Ok(match expression {
            Expression::Number(number) => PsValue::Number(*number),
            Expression::Text(text) => PsValue::Text(Rc::clone(text)),
            Expression::Expandable(parts) => self.expanded(parts)?,
            Expression::Variable { is_global: true, name } => self.engine.global(name),
            Expression::Variable { name, .. } => {
                self.scopes.get(name).ok_or_else(|| anyhow!("${name} is read and was never assigned"))?
            }
            Expression::List(items) => PsValue::list(self.values(items)?),
            Expression::Collect(statements) => PsValue::list(self.collected(statements)?),
            Expression::Inline(statements) => PsValue::of_pipeline(self.collected(statements)?),
            Expression::Table(entries) => self.table(entries)?,
            Expression::Type(name) => return Err(anyhow!("[{name}] as a value").into()),
            Expression::Property { of, is_static: true, name } => statics::property(&type_of(of), name, self.engine)?,
            Expression::Property { of, name, .. } => members::property(&self.value(of)?, name)?,
            Expression::Invoke { on, is_static: true, name, arguments } => {
                let arguments = self.values(arguments)?;
                statics::invoke(&type_of(on), name, &arguments, self.engine)?
            }
            Expression::Invoke { on, name, arguments, .. } => {
                let (on, arguments) = (self.value(on)?, self.values(arguments)?);
                // A method without a value is called as a statement of its own.
                members::invoke(&on, name, &arguments)?.unwrap_or(PsValue::Null)
            }
            Expression::Element { of, at } => members::element(&self.value(of)?, &self.value(at)?)?,
            Expression::Cast { to, value } => converted(to, &self.value(value)?)?,
            Expression::Not(value) => PsValue::Bool(!self.value(value)?.is_true()?),
            Expression::Binary { operator, left, right } => self.binary(*operator, left, right)?,
            Expression::Command { .. } => PsValue::of_pipeline(self.emitted(expression)?),
        })
    }

    fn values(&mut self, expressions: &[Expression]) -> Flow<Vec<PsValue>> {
        expressions.iter().map(|expression| self.value(expression)).collect()
    }

    /// What an expression puts on the pipeline: an array puts its elements there.
    pub(super) fn emitted(&mut self, expression: &Expression) -> Flow<Vec<PsValue>> {
        match expression {
            Expression::Command { name, arguments } => match self.scopes.function(name) {
                Some(function) => self.function(name, &function, arguments),
                None => self.command(name, arguments),
            },
            Expression::Invoke { on, is_static: false, name, arguments } => {
                let (on, arguments) = (self.value(on)?, self.values(arguments)?);
                Ok(members::invoke(&on, name, &arguments)?.into_iter().collect())
            }
            _ => match self.value(expression)? {
                PsValue::List(values) => Ok(values.to_vec()),
                PsValue::Bytes(_) => Err(anyhow!("a byte array on the pipeline comes apart").into()),
                value => Ok(vec![value]),
            },
        }
    }

    fn collected(&mut self, statements: &[Statement]) -> Flow<Vec<PsValue>> {
        let mut output = Vec::new();
        self.block(statements, &mut output)?;
        Ok(output)
    }

    fn expanded(&mut self, parts: &[TextPart]) -> Flow<PsValue> {
        let mut text = String::new();
        for part in parts {
            match part {
                TextPart::Plain(plain) => text.push_str(plain),
                TextPart::Value(value) => text.push_str(&self.value(value)?.to_text()?),
            }
        }
        Ok(PsValue::text(text))
    }

    fn table(&mut self, entries: &[(Expression, Expression)]) -> Flow<PsValue> {
        let mut table = Table::literal();
        for (key, value) in entries {
            let key = self.value(key)?.to_text()?;
            if table.get(&key).is_some() {
                return Err(Interrupt::Thrown(format!("Duplicate keys '{key}' are not allowed in hash literals.")));
            }
            table.set(&key, self.value(value)?);
        }
        Ok(PsValue::Table(Rc::new(RefCell::new(table))))
    }

    fn binary(&mut self, operator: Operator, left: &Expression, right: &Expression) -> Flow<PsValue> {
        let left = self.value(left)?;
        match operator {
            Operator::And if !left.is_true()? => Ok(PsValue::Bool(false)),
            Operator::Or if left.is_true()? => Ok(PsValue::Bool(true)),
            Operator::And | Operator::Or => Ok(PsValue::Bool(self.value(right)?.is_true()?)),
            _ => Ok(binary(operator, &left, &self.value(right)?)?),
        }
    }

    fn function(
        &mut self,
        name: &str,
        function: &ScriptFunction,
        arguments: &[(Option<String>, Expression)],
    ) -> Flow<Vec<PsValue>> {
        if arguments.len() != function.parameters.len() || arguments.iter().any(|(name, _)| name.is_some()) {
            return Err(anyhow!("{name} takes {:?}, in this order", function.parameters).into());
        }
        let values: Vec<PsValue> = arguments.iter().map(|(_, argument)| self.value(argument)).collect::<Flow<_>>()?;
        self.scopes.enter();
        for (parameter, value) in function.parameters.iter().zip(values) {
            self.scopes.set(parameter, value);
        }
        let output = self.collected(&function.body);
        self.scopes.leave();
        output
    }
}

fn type_of(expression: &Expression) -> String {
    match expression {
        Expression::Type(name) => name.clone(),
        _ => String::new(),
    }
}
