//! What pages have in common: the frame around them, times, and what is shown instead of a page.
//!
//! Templates escape everything that they are given. The only text that is not escaped is made here, from times and
//! numbers.

use std::fmt;

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;

use super::session::Notice;
use super::state::ConsoleState;
use crate::jobs::watch::words;

/// What surrounds every page.
pub(super) struct Frame {
    pub(super) title: String,
    /// The entry of the menu that the page belongs to.
    pub(super) place: MenuEntry,
    /// What forms of the page carry.
    pub(super) csrf: String,
    /// Who acts; none if the console only reads.
    pub(super) operator: Option<String>,
    pub(super) notice: Option<Notice>,
    /// The page waits for something and is to be loaded again, where scripts run.
    pub(super) reloads: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MenuEntry {
    Now,
    People,
    Approvals,
    Preview,
    Trail,
    Nowhere,
}

impl Frame {
    pub(super) fn of(console: &ConsoleState, place: MenuEntry, title: &str) -> Self {
        Self {
            title: title.to_owned(),
            place,
            csrf: console.admission.csrf().to_owned(),
            operator: console.operator.as_ref().map(ToString::to_string),
            notice: console.admission.take_notice(),
            reloads: false,
        }
    }

    pub(super) fn is(&self, place: &str) -> bool {
        format!("{:?}", self.place) == place
    }
}

pub(super) type PageResult = Result<Response, PageError>;

/// The page, whole.
pub(super) fn page(template: &impl Template) -> PageResult {
    let html = template.render().map_err(|error| PageError::Failed(error.into()))?;
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response())
}

/// Back to a page that shows what an action did.
pub(super) fn done(console: &ConsoleState, to: &str, outcome: Result<String, String>) -> Response {
    let is_problem = outcome.is_err();
    let text = outcome.unwrap_or_else(|problem| problem);
    console.admission.notify(Notice { text, is_problem });
    Redirect::to(to).into_response()
}

/// Why there is no page.
#[derive(Debug)]
pub(super) enum PageError {
    NotFound(String),
    /// Not allowed, or not understood.
    Refused(String),
    /// Not what a page of ours sends.
    Malformed(String),
    /// The console was not started to act.
    ReadOnly,
    /// The storage or Graph does not answer as it should.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    text: String,
    advice: &'static str,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, title, text, advice) = match self {
            Self::NotFound(text) => (StatusCode::NOT_FOUND, "Not found", text, ""),
            Self::Refused(text) => (StatusCode::FORBIDDEN, "Not done", text, ""),
            Self::Malformed(text) => (StatusCode::BAD_REQUEST, "Not understood", text, ""),
            Self::ReadOnly => (
                StatusCode::FORBIDDEN,
                "Not done",
                "This console only reads.".to_owned(),
                "Start it with --act to approve, reject and restore.",
            ),
            Self::Failed(error) => (
                StatusCode::BAD_GATEWAY,
                "No answer",
                format!("{error:#}"),
                "Try again. If it stays so, `photorelay doctor` checks the storage and Graph; after the storage was replaced, start the console again.",
            ),
        };
        let frame = Frame {
            title: title.to_owned(),
            place: MenuEntry::Nowhere,
            csrf: String::new(),
            operator: None,
            notice: None,
            reloads: false,
        };
        let html = ProblemPage { frame, text, advice }.render().unwrap_or_else(|_| title.to_owned());
        (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
    }
}

/// A point in time, shown as `<time>`: to the second, in UTC.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(pub(super) Timestamp);

impl Moment {
    /// The time itself, to the millisecond.
    pub(super) fn exactly(&self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()
    }

    /// Such as `3 min ago`.
    pub(super) fn ago(&self) -> String {
        format!("{} ago", words(Timestamp::now().duration_since(self.0)))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = Timestamp::from_second(self.0.as_second()).unwrap_or(self.0);
        let shown = second.strftime("%Y-%m-%d %H:%M:%S UTC");
        write!(f, "<time datetime=\"{second}\">{shown}</time>")
    }
}

/// Made of a timestamp alone.
impl askama::filters::HtmlSafe for Moment {}

/// A count with a space between thousands.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count with its noun.
pub(super) fn count_of(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A number of bytes in its largest unit.
pub(super) fn bytes(number: u64) -> String {
    match number {
        0..1_000 => format!("{number} B"),
        1_000..1_000_000 => format!("{:.1} kB", number as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", number as f64 / 1e6),
        _ => format!("{:.1} GB", number as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!([count(7), count(1_000), count(1_234_567)], ["7", "1\u{202f}000", "1\u{202f}234\u{202f}567"]);
        assert_eq!([bytes(7), bytes(2_909), bytes(12_300_000)], ["7 B", "2.9 kB", "12.3 MB"]);
    }
}
