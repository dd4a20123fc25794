//! The shape of the code: names that mean one thing, modules without cycles, and the floors of ARCHITECTURE.md.

mod limits;
mod source;
mod vocabulary;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use source::{Crate, Module, rust_files};
use vocabulary::Words;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Every crate of the workspace by its name in ARCHITECTURE.md.
fn crates() -> BTreeMap<String, PathBuf> {
    let members = fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path());
    let members = members.filter(|path| path.join("Cargo.toml").exists());
    let mut crates: BTreeMap<String, PathBuf> =
        members.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path)).collect();
    crates.insert("photorelay".to_owned(), root().to_owned());
    crates
}

/// Visible types that may share a name, and why.
const SHARED_NAMES: [(&str, &str); 0] = [];

#[test]
fn a_visible_type_name_means_one_thing_in_the_whole_workspace() {
    let mut defined: BTreeMap<String, BTreeSet<PathBuf>> = BTreeMap::new();
    for folder in crates().values() {
        for (name, path) in Crate::read(folder).types() {
            let path = path.strip_prefix(root()).unwrap().to_owned();
            defined.entry(name.to_owned()).or_default().insert(path);
        }
    }
    assert!(defined.len() > 300, "only {} types were found: the reader is broken", defined.len());
    defined.retain(|name, places| places.len() > 1 && !SHARED_NAMES.iter().any(|(shared, _)| shared == name));
    assert!(defined.is_empty(), "defined more than once: {defined:#?}");
}

#[test]
fn no_crate_has_a_cycle_between_its_modules() {
    let mut cycles = Vec::new();
    for (name, folder) in crates() {
        let source = Crate::read(&folder);
        let uses = source.uses();
        for (module, used) in &uses {
            for other in used.iter().filter(|other| reachable(&uses, other).contains(*module)) {
                cycles.push(format!("{name}: {} uses {}", shown(module), shown(other)));
            }
        }
    }
    assert!(cycles.is_empty(), "each of these leads back to where it begins: {cycles:#?}");
}

/// Every module that this one uses, directly or through others.
fn reachable<'a>(uses: &BTreeMap<&'a Module, BTreeSet<&'a Module>>, from: &'a Module) -> BTreeSet<&'a Module> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(module) = open.pop() {
        open.extend(uses[module].iter().filter(|used| found.insert(**used)));
    }
    found
}

fn shown(module: &Module) -> String {
    if module.is_empty() { "the root".to_owned() } else { module.join("::") }
}

/// The floors of ARCHITECTURE.md: for each crate, its modules from the lowest floor up.
fn floors() -> BTreeMap<String, Vec<Vec<String>>> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let block = text.split("```floors\n").nth(1).expect("ARCHITECTURE.md has a block of floors");
    let block = block.split("```").next().unwrap_or_default();
    let mut floors: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    let mut current = String::new();
    for line in block.lines().filter(|line| !line.trim().is_empty()) {
        match line.strip_suffix(':') {
            Some(name) => current = name.trim().to_owned(),
            None => {
                let floor = line.split(',').map(|module| module.trim().to_owned()).collect();
                // Written from the top down, as a building is drawn.
                floors.entry(current.clone()).or_default().insert(0, floor);
            }
        }
    }
    floors
}

#[test]
fn modules_use_only_floors_below_their_own() {
    let floors = floors();
    let mut found = Vec::new();
    for (name, folder) in crates() {
        let Some(floors) = floors.get(&name) else { continue };
        let source = Crate::read(&folder);
        let floor_of = |module: &Module| {
            let path = module.join("::");
            let on = |listed: &String| path == *listed || path.starts_with(&format!("{listed}::"));
            let floors = floors.iter().enumerate();
            let listed = floors.flat_map(|(at, floor)| floor.iter().map(move |listed| (at, listed)));
            listed.filter(|(_, listed)| on(listed)).max_by_key(|(_, listed)| listed.len())
        };
        for module in source.modules().filter(|module| !module.is_empty()) {
            if floor_of(module).is_none() {
                found.push(format!("{name}: {} is on no floor", shown(module)));
            }
        }
        for (module, used) in source.uses() {
            for other in used {
                if let (Some((own, from)), Some((lower, to))) = (floor_of(module), floor_of(other))
                    && lower >= own
                    && from != to
                {
                    found.push(format!("{name}: {} uses {}, which is not below it", shown(module), shown(other)));
                }
            }
        }
    }
    for crate_name in ["photorelay", "photorelay-core", "photorelay-agent", "graph-sim", "host-sim", "psma-sim"] {
        assert!(floors.contains_key(crate_name), "ARCHITECTURE.md has no floors for {crate_name}");
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn names_and_texts_keep_to_the_vocabulary() {
    let mut found = Vec::new();
    for folder in crates().values() {
        for path in rust_files(&folder.join("src")) {
            let words = Words::of(&path);
            let path = path.strip_prefix(root()).unwrap().display();
            found.extend(words.given_up.iter().map(|name| format!("{path}: defines {name}")));
            found.extend(words.not_plain.iter().map(|text| format!("{path}: says {text}")));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
