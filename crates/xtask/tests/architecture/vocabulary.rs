//! The words of CONTRIBUTING.md's glossary: names that were given up stay away, and texts speak plainly.

use std::fs;
use std::path::Path;
use std::str::FromStr as _;

use proc_macro2::{TokenStream, TokenTree};

/// Names that a standard term of the field has replaced, as modules, types or functions.
const GIVEN_UP: &[&str] = &[
    "Answer",
    "Budget",
    "Call",
    "Census",
    "DaySpent",
    "Desk",
    "Did",
    "Done",
    "Ending",
    "Everybody",
    "Fit",
    "Found",
    "Held",
    "Kept",
    "Ledger",
    "Look",
    "Notified",
    "Pace",
    "Patient",
    "Place",
    "Pressure",
    "Pulse",
    "Record",
    "Reply",
    "Restless",
    "Rhythm",
    "Sender",
    "Sight",
    "Standing",
    "Told",
    "Trace",
    "Waiting",
    "brake",
    "buried",
    "bury",
    "census",
    "examine_patient",
    "heard",
    "is_passing",
    "lately",
    "look",
    "obey",
    "pay",
    "pulse",
    "rhythm",
];

/// Words that no text for readers uses. Documentation comments count as text: some of them are the help of a command.
const NOT_PLAIN: &[&str] = &[
    "anybody",
    "everybody",
    "mend",
    "mended",
    "mends",
    "nobody",
    "somebody",
    "told",
    "whoever",
    "whomever",
    "whosoever",
];

/// What one file defines and says.
#[derive(Default)]
pub(crate) struct Words {
    pub(crate) given_up: Vec<String>,
    pub(crate) not_plain: Vec<String>,
}

impl Words {
    pub(crate) fn of(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let mut words = Self::default();
        let tokens = TokenStream::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        words.read(&tokens.into_iter().collect::<Vec<_>>());
        words
    }

    fn read(&mut self, tokens: &[TokenTree]) {
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Ident(ident)
                    if ["struct", "enum", "trait", "type", "fn", "mod"].iter().any(|word| ident == word) =>
                {
                    let name = tokens.get(at + 1).map(ToString::to_string).unwrap_or_default();
                    if GIVEN_UP.contains(&name.as_str()) {
                        self.given_up.push(name);
                    }
                }
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    let words = text.split(|c: char| !c.is_alphabetic());
                    // One that stands alone is a name on the wire.
                    if text.trim_matches('"').contains(' ') && words.clone().any(is_not_plain) {
                        self.not_plain.push(text);
                    }
                }
                TokenTree::Group(group) => self.read(&group.stream().into_iter().collect::<Vec<_>>()),
                _ => {}
            }
        }
    }
}

fn is_not_plain(word: &str) -> bool {
    NOT_PLAIN.iter().any(|banned| word.eq_ignore_ascii_case(banned))
}
