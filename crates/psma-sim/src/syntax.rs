//! The PowerShell that the stand-in knows, as a tree. What has no place here, no script may use.

use std::collections::BTreeSet;
use std::rc::Rc;

/// A script, parsed: its parameters, what runs once, and what runs for each object of the pipeline.
#[derive(Debug, Clone)]
pub struct Script {
    pub(crate) name: String,
    pub(crate) parameters: Vec<String>,
    pub(crate) body: Vec<Statement>,
    pub(crate) process: Option<Vec<Statement>>,
    pub(crate) vocabulary: Vocabulary,
}

impl Script {
    /// What the script calls.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }
}

/// What a script calls by name: commands, .NET types, and methods with the static members.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    pub commands: BTreeSet<String>,
    pub types: BTreeSet<String>,
    pub members: BTreeSet<String>,
}

/// A statement and its line.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) line: usize,
    pub(crate) kind: StatementKind,
}

#[derive(Debug, Clone)]
pub(crate) enum StatementKind {
    Assign {
        targets: Vec<Expression>,
        is_sum: bool,
        value: Expression,
    },
    Increment(Expression),
    If {
        branches: Vec<(Expression, Vec<Statement>)>,
        otherwise: Vec<Statement>,
    },
    While {
        condition: Expression,
        body: Vec<Statement>,
    },
    Foreach {
        variable: String,
        items: Expression,
        body: Vec<Statement>,
    },
    Try {
        body: Vec<Statement>,
        catch: Option<Vec<Statement>>,
        finally: Vec<Statement>,
    },
    Define(String, Rc<ScriptFunction>),
    Throw(Expression),
    Continue,
    /// An expression or command whose values go to the pipeline.
    Output(Expression),
}

#[derive(Debug)]
pub(crate) struct ScriptFunction {
    pub(crate) parameters: Vec<String>,
    pub(crate) body: Vec<Statement>,
}

#[derive(Debug, Clone)]
pub(crate) enum Expression {
    Number(i64),
    Text(Rc<str>),
    Expandable(Vec<TextPart>),
    Variable {
        is_global: bool,
        name: String,
    },
    List(Vec<Expression>),
    /// `@( )`
    Collect(Vec<Statement>),
    /// `$( )`
    Inline(Vec<Statement>),
    Table(Vec<(Expression, Expression)>),
    Type(String),
    Property {
        of: Box<Expression>,
        is_static: bool,
        name: String,
    },
    Invoke {
        on: Box<Expression>,
        is_static: bool,
        name: String,
        arguments: Vec<Expression>,
    },
    Element {
        of: Box<Expression>,
        at: Box<Expression>,
    },
    Cast {
        to: String,
        value: Box<Expression>,
    },
    Not(Box<Expression>),
    Binary {
        operator: Operator,
        left: Box<Expression>,
        right: Box<Expression>,
    },
    Command {
        name: String,
        arguments: Vec<(Option<String>, Expression)>,
    },
}

#[derive(Debug, Clone)]
pub(crate) enum TextPart {
    Plain(String),
    Value(Expression),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    And,
    Or,
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    ExactlyEqual,
    ExactlyNotEqual,
    Matches,
    MatchesNot,
    Plus,
    Minus,
    Times,
    Over,
}
