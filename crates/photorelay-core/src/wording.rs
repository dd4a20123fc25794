//! Words that more than one command needs: a number with its noun, and an error with its causes.

use std::error::Error;
use std::io::IsTerminal as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A number with its noun.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// The time, to the second: on a terminal as the clock on the wall shows it, with the zone; in UTC anywhere else.
pub fn moment(at: Timestamp) -> String {
    let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
    match std::io::stdout().is_terminal() {
        true => at.to_zoned_datetime(TimeZone::system()).strftime("%F %T %:z").to_string(),
        false => at.to_string(),
    }
}

/// The error and its causes, outermost first. Many errors name their cause themselves, and it is not said again.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let says = error.to_string();
        if !text.contains(&says) {
            text.push_str(": ");
            text.push_str(&says);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Layer {
        #[error("reading the trail")]
        Silent(#[source] Box<Self>),
        #[error("storage is unavailable: {0}")]
        Naming(#[source] Box<Self>),
        #[error("connection refused")]
        Innermost,
    }

    #[test]
    fn a_cause_is_said_once_whether_its_error_names_it_or_not() {
        let error = Layer::Silent(Box::new(Layer::Naming(Box::new(Layer::Innermost))));
        assert_eq!(with_causes(&error), "reading the trail: storage is unavailable: connection refused");
    }

    #[test]
    fn one_is_singular_and_nothing_else_is() {
        assert_eq!([0, 1, 2].map(|number| counted(number, "person", "people")), ["0 people", "1 person", "2 people"]);
    }
}
