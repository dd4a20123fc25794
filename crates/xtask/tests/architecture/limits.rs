//! What a part of the code must not name, and how long a file may be. The length of functions is limited in clippy.toml.

use std::fs;
use std::path::{Path, PathBuf};

use crate::root;
use crate::source::rust_files;

/// A folder or file, and the crates and folders of other concerns that it must not name.
const FOREIGN: [(&str, &[&str]); 12] = [
    ("crates/photorelay-core/src/id.rs", &["azure_", "rusqlite", "reqwest"]),
    ("crates/photorelay-core/src/contract", &["azure_", "rusqlite"]),
    ("crates/photorelay-core/src/photo", &["azure_", "rusqlite"]),
    ("crates/photorelay-core/src/audit", &["azure_", "rusqlite"]),
    ("crates/photorelay-core/src/vault.rs", &["azure_", "rusqlite"]),
    ("src/graph", &["axum"]),
    ("src/jobs", &["axum", "azure_", "reqwest"]),
    ("src/host", &["azure_", "reqwest"]),
    ("src/operate", &["axum", "azure_"]),
    ("crates/photorelay-agent/src", &["photorelay::", "graph_sim"]),
    ("crates/photorelay-agent/src/connectors", &["axum"]),
    ("crates/photorelay-agent/src/writeback", &["axum", "ldap3"]),
];

#[test]
fn a_concern_does_not_name_the_crates_of_another() {
    let mut found = Vec::new();
    for (place, foreign) in FOREIGN {
        let files = files(&root().join(place));
        assert!(!files.is_empty(), "{place} has no Rust file: update the list");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                if let Some(name) = foreign.iter().find(|name| names(line, name)) {
                    found.push(format!("{} names {name}: {}", file.display(), line.trim()));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn only_the_settings_read_the_environment() {
    let readers: Vec<_> = ["src", "crates/photorelay-core/src", "crates/photorelay-agent/src"]
        .iter()
        .flat_map(|place| files(&root().join(place)))
        .filter(|file| fs::read_to_string(file).unwrap().contains("std::env::var"))
        .map(|file| file.strip_prefix(root()).unwrap().to_owned())
        .collect();
    assert_eq!(readers, [PathBuf::from("crates/photorelay-core/src/settings/mod.rs")]);
}

const MAX_LINES: usize = 400;

#[test]
fn no_file_is_longer_than_a_reader_takes_in_at_once() {
    let files = ["src", "crates", "tests", "examples"].iter().flat_map(|folder| rust_files(&root().join(folder)));
    let long: Vec<_> = files.filter(|file| fs::read_to_string(file).unwrap().lines().count() > MAX_LINES).collect();
    assert!(long.is_empty(), "over {MAX_LINES} lines, split them: {long:#?}");
}

/// Whether a line of code names this path, and not just a longer word.
fn names(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

fn files(place: &Path) -> Vec<PathBuf> {
    if place.is_file() { vec![place.to_owned()] } else { rust_files(place) }
}
