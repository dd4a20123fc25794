//! The floors of ARCHITECTURE.md: code uses only what lies below it. Read from the `use` lines and paths themselves.

use std::fs;
use std::path::{Path, PathBuf};

/// A folder or file, and what it must not name.
const FLOORS: [(&str, &[&str]); 10] = [
    ("crates/photorelay-core/src/id.rs", &["crate::", "azure_", "rusqlite", "reqwest"]),
    ("crates/photorelay-core/src/contract", &["crate::store", "crate::queue", "crate::audit", "azure_", "rusqlite"]),
    (
        "crates/photorelay-core/src/photo",
        &["crate::store", "crate::queue", "crate::audit", "crate::contract", "azure_"],
    ),
    ("crates/photorelay-core/src/audit", &["azure_", "rusqlite", "crate::queue", "crate::photo"]),
    ("crates/photorelay-core/src/vault.rs", &["azure_", "rusqlite", "crate::queue", "crate::photo"]),
    ("src/graph", &["crate::jobs", "crate::host", "crate::app", "crate::config", "crate::operate", "axum"]),
    ("src/jobs", &["crate::host", "crate::app", "crate::config", "crate::operate", "axum", "azure_", "reqwest"]),
    ("src/host", &["crate::app", "crate::config", "crate::operate", "azure_", "reqwest"]),
    ("src/operate", &["crate::host", "crate::app", "axum", "azure_"]),
    ("crates/photorelay-agent/src", &["photorelay::", "graph_sim", "axum"]),
];

#[test]
fn code_uses_only_what_lies_below_it() {
    let mut found = Vec::new();
    for (place, forbidden) in FLOORS {
        let files = rust_files(&root().join(place));
        assert!(!files.is_empty(), "{place} has no Rust file: update the floors");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for (at, line) in code.enumerate() {
                if let Some(name) = forbidden.iter().find(|name| names(line, name)) {
                    found.push(format!("{}: line {} of code names {name}", file.display(), at + 1));
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
        .flat_map(|place| rust_files(&root().join(place)))
        .filter(|file| fs::read_to_string(file).unwrap().contains("std::env::var"))
        .map(|file| file.strip_prefix(root()).unwrap().to_owned())
        .collect();
    assert_eq!(readers, [PathBuf::from("crates/photorelay-core/src/settings/mod.rs")]);
}

/// Whether a line of code names this path, and not just a longer word.
fn names(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_owned()];
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
