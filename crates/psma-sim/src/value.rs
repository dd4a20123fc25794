//! Values as PowerShell has them, and the conversions that scripts rely on. A conversion that is not modelled is an error
//! of the stand-in and never a guess.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use anyhow::{Result, bail};

/// A value of a script.
#[derive(Debug, Clone)]
pub(crate) enum PsValue {
    Null,
    Bool(bool),
    Number(i64),
    Fraction(f64),
    Text(Rc<str>),
    Bytes(Rc<[u8]>),
    List(Rc<Vec<PsValue>>),
    Table(Rc<RefCell<Table>>),
    /// A `PSObject` with note properties, in order.
    Noted(Rc<RefCell<Vec<(String, PsValue)>>>),
    Net(Rc<NetObject>),
}

/// A hashtable or, if it is none, a `Dictionary<string, string>`.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) is_hashtable: bool,
    ignores_case: bool,
    /// By the key as it is compared; with the key as it was written.
    entries: BTreeMap<String, (String, PsValue)>,
}

/// Objects of .NET whose members scripts use.
#[derive(Debug)]
pub(crate) enum NetObject {
    Sha256,
    Ascii,
    FileInfo(PathBuf),
    /// Of a file that is open: what is left of its text. Disposed: none.
    Stream(RefCell<Option<Vec<u8>>>),
    /// Over a stream.
    Reader(Rc<NetObject>),
    /// A moment, in ticks.
    Moment(i64),
    /// What `$_` is in a catch block.
    ErrorRecord(String),
    Exception(String),
}

impl Table {
    /// What `@{}` makes.
    pub(crate) fn literal() -> Self {
        Self { is_hashtable: true, ignores_case: true, entries: BTreeMap::new() }
    }

    /// What a host hands over: keys are compared exactly.
    pub(crate) fn of_host(is_hashtable: bool, entries: impl IntoIterator<Item = (String, PsValue)>) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (key.clone(), (key, value))).collect();
        Self { is_hashtable, ignores_case: false, entries }
    }

    fn compared(&self, key: &str) -> String {
        if self.ignores_case { key.to_lowercase() } else { key.to_owned() }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&PsValue> {
        self.entries.get(&self.compared(key)).map(|(_, value)| value)
    }

    pub(crate) fn set(&mut self, key: &str, value: PsValue) {
        self.entries.insert(self.compared(key), (key.to_owned(), value));
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &PsValue)> {
        self.entries.values().map(|(key, value)| (key.as_str(), value))
    }
}

impl PsValue {
    pub(crate) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn list(values: Vec<PsValue>) -> Self {
        Self::List(Rc::new(values))
    }

    /// What a pipeline gives to an assignment: nothing, the one value, or a list of them.
    pub(crate) fn of_pipeline(mut values: Vec<PsValue>) -> Self {
        match values.len() {
            0 => Self::Null,
            1 => values.remove(0),
            _ => Self::list(values),
        }
    }

    /// As in `"$value"`.
    pub(crate) fn to_text(&self) -> Result<Rc<str>> {
        Ok(match self {
            Self::Null => "".into(),
            Self::Bool(true) => "True".into(),
            Self::Bool(false) => "False".into(),
            Self::Number(number) => number.to_string().into(),
            Self::Text(text) => Rc::clone(text),
            other => bail!("the text of {} is not modelled", other.kind()),
        })
    }

    /// As in `[int64]$value`; none where PowerShell says that it cannot convert the value.
    pub(crate) fn to_number(&self) -> Result<Option<i64>> {
        Ok(match self {
            Self::Null => Some(0),
            Self::Bool(is_true) => Some(i64::from(*is_true)),
            Self::Number(number) => Some(*number),
            Self::Text(text) if text.trim().is_empty() => Some(0),
            Self::Text(text) => match text.trim().parse() {
                Ok(number) => Some(number),
                Err(_) if text.trim().parse::<f64>().is_ok() => bail!("the fraction {text:?} as a number"),
                Err(_) => None,
            },
            other => bail!("{} as a number is not modelled", other.kind()),
        })
    }

    /// As a condition.
    pub(crate) fn is_true(&self) -> Result<bool> {
        Ok(match self {
            Self::Null => false,
            Self::Bool(is_true) => *is_true,
            other => bail!("{} as a condition: say what is compared", other.kind()),
        })
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a Boolean",
            Self::Number(_) => "a number",
            Self::Fraction(_) => "a fraction",
            Self::Text(_) => "a string",
            Self::Bytes(_) => "a byte array",
            Self::List(_) => "an array",
            Self::Table(_) => "a hashtable",
            Self::Noted(_) => "a PSObject",
            Self::Net(_) => "a .NET object",
        }
    }
}
