//! Operators and casts. The left side decides how the right one is taken.

use anyhow::{Context as _, Result, bail, ensure};
use regex::Regex;

use super::{Flow, Interrupt};
use crate::syntax::Operator;
use crate::value::PsValue;

pub(super) fn binary(operator: Operator, left: &PsValue, right: &PsValue) -> Result<PsValue> {
    let value = match operator {
        Operator::Equal => equal(left, right, true)?,
        Operator::NotEqual => !equal(left, right, true)?,
        Operator::ExactlyEqual => equal(left, right, false)?,
        Operator::ExactlyNotEqual => !equal(left, right, false)?,
        Operator::Greater => number(left)? > number(right)?,
        Operator::GreaterOrEqual => number(left)? >= number(right)?,
        Operator::Less => number(left)? < number(right)?,
        Operator::Matches => matches(left, right)?,
        Operator::MatchesNot => !matches(left, right)?,
        Operator::Plus => return plus(left, right),
        Operator::Minus | Operator::Times | Operator::Over => return arithmetic(operator, left, right),
        Operator::And | Operator::Or => bail!("{operator:?} is evaluated with its operands"),
    };
    Ok(PsValue::Bool(value))
}

fn equal(left: &PsValue, right: &PsValue, ignores_case: bool) -> Result<bool> {
    Ok(match (left, right) {
        (PsValue::Null, right) => matches!(right, PsValue::Null),
        (PsValue::Text(left), right) => {
            let right = right.to_text()?;
            if ignores_case { left.to_lowercase() == right.to_lowercase() } else { **left == *right }
        }
        (PsValue::Number(left), right) => right.to_number()?.is_some_and(|right| *left == right),
        (PsValue::Net(_) | PsValue::Noted(_) | PsValue::Table(_), PsValue::Null) => false,
        _ => bail!("a comparison of {} with {}", left.kind(), right.kind()),
    })
}

/// Only numbers have an order here: strings are compared as text, which is hardly ever meant.
#[expect(clippy::cast_precision_loss, reason = "a script that compares such numbers with fractions loses it too")]
fn number(value: &PsValue) -> Result<f64> {
    match value {
        PsValue::Number(number) => Ok(*number as f64),
        PsValue::Fraction(number) => Ok(*number),
        other => bail!("an order of {}", other.kind()),
    }
}

fn matches(text: &PsValue, pattern: &PsValue) -> Result<bool> {
    let (PsValue::Text(text), PsValue::Text(pattern)) = (text, pattern) else {
        bail!("{} is matched with {}", text.kind(), pattern.kind());
    };
    ensure!(
        !pattern.contains("\\d") && !pattern.contains("\\w"),
        "{pattern:?} takes digits and letters of all scripts"
    );
    // In .NET, `$` also stands before a line feed at the end.
    let pattern = pattern.strip_suffix('$').map_or_else(|| pattern.to_string(), |start| format!("{start}\\n?$"));
    Ok(Regex::new(&pattern).with_context(|| format!("the pattern {pattern}"))?.is_match(text))
}

fn plus(left: &PsValue, right: &PsValue) -> Result<PsValue> {
    match (left, right) {
        (PsValue::Text(left), right) => Ok(PsValue::text(format!("{left}{}", right.to_text()?))),
        _ => arithmetic(Operator::Plus, left, right),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as PowerShell does where a division leaves a rest")]
fn arithmetic(operator: Operator, left: &PsValue, right: &PsValue) -> Result<PsValue> {
    if let (PsValue::Number(left), PsValue::Number(right)) = (left, right) {
        let exact = match operator {
            Operator::Plus => left.checked_add(*right),
            Operator::Minus => left.checked_sub(*right),
            Operator::Times => left.checked_mul(*right),
            _ if *right != 0 && left % right == 0 => left.checked_div(*right),
            _ if *right != 0 => return Ok(PsValue::Fraction(*left as f64 / *right as f64)),
            _ => None,
        };
        return exact.map(PsValue::Number).context("a number beyond 64 bits, or a division by zero");
    }
    let (left, right) = (number(left)?, number(right)?);
    Ok(PsValue::Fraction(match operator {
        Operator::Plus => left + right,
        Operator::Minus => left - right,
        Operator::Times => left * right,
        _ => left / right,
    }))
}

/// A cast.
pub(super) fn converted(to: &str, value: &PsValue) -> Flow<PsValue> {
    let range = match to.to_lowercase().as_str() {
        "int" => i64::from(i32::MIN)..=i64::from(i32::MAX),
        "int64" => i64::MIN..=i64::MAX,
        _ => return Err(anyhow::anyhow!("a cast to [{to}]").into()),
    };
    match value.to_number()? {
        Some(number) if range.contains(&number) => Ok(PsValue::Number(number)),
        _ => Err(Interrupt::Thrown(format!("Cannot convert value \"{}\" to type \"{to}\".", value.to_text()?))),
    }
}
