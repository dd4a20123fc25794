//! What docs/commands.md says of the JSON of each command, and whether an answer and the programs keep to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

/// A command with its program and its options, but for `--json` and operands; and its members, but for those within.
pub type DocumentedAnswers = BTreeMap<String, BTreeSet<String>>;

/// The table of the page.
pub fn documented() -> DocumentedAnswers {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands.md");
    let page = std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    let table = page.split_once("| command | members |").expect("a table of the members").1;
    let mut answers = DocumentedAnswers::new();
    for row in table.lines().skip(2).take_while(|row| row.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').splitn(2, " | ").collect();
        let members = quoted(first_sentence(&without_brackets(cells[1])));
        for command in quoted(cells[0]) {
            let words = command.split(' ').filter(|word| *word != "--json" && word.to_uppercase() != *word);
            answers.insert(words.collect::<Vec<_>>().join(" "), members.iter().cloned().collect());
        }
    }
    answers
}

/// Parses what the command printed: one JSON document with just the documented members, or an array of such.
pub fn assert_documented(command: &str, printed: &[u8]) -> Value {
    let said = String::from_utf8_lossy(printed);
    let answer: Value = serde_json::from_slice(printed).unwrap_or_else(|error| panic!("{command}: {error} in {said}"));
    let members = documented().remove(command).unwrap_or_else(|| panic!("docs/commands.md does not know {command}"));
    let items = answer.as_array().map_or(std::slice::from_ref(&answer), Vec::as_slice);
    assert!(!items.is_empty(), "{command} answers nothing");
    for item in items {
        let found: BTreeSet<String> = item.as_object().expect("an object").keys().cloned().collect();
        assert_eq!(found, members, "{command}: {said}");
    }
    answer
}

fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn first_sentence(text: &str) -> &str {
    text.split_once(". ").map_or(text, |(first, _)| first)
}

fn without_brackets(text: &str) -> String {
    let mut depth = 0;
    text.chars()
        .filter(|c| {
            depth += i32::from(*c == '(');
            let is_outside = depth == 0;
            depth -= i32::from(*c == ')');
            is_outside
        })
        .collect()
}
