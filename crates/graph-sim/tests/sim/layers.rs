//! The modules depend on each other only downwards. Read from the paths in the source itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Module paths such as `http::users`, and the modules that each of them uses.
type Edges = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_two_modules_depend_on_each_other() {
    let files = edges();
    assert!(files.values().map(BTreeSet::len).sum::<usize>() > 100, "the source was not understood: {files:#?}");
    assert_eq!(cycle(files.clone()), Edges::new(), "between files");
    let top = |module: &str| module.split("::").next().unwrap_or_default().to_owned();
    let mut tops = Edges::new();
    for (from, to) in &files {
        tops.entry(top(from)).or_default().extend(to.iter().map(|to| top(to)).filter(|to| *to != top(from)));
    }
    assert_eq!(cycle(tops), Edges::new(), "between the modules of lib.rs");
}

/// The cycles, and what lies between them: what is left when every module that uses nothing of the rest, or is not used
/// by it, is taken away.
fn cycle(mut edges: Edges) -> Edges {
    loop {
        let before = edges.len();
        let left: BTreeSet<String> = edges.keys().cloned().collect();
        edges.values_mut().for_each(|to| to.retain(|to| left.contains(to)));
        let used: BTreeSet<String> = edges.values().flatten().cloned().collect();
        edges.retain(|module, to| !to.is_empty() && used.contains(module));
        if edges.len() == before {
            return edges;
        }
    }
}

fn edges() -> Edges {
    let mut sources = BTreeMap::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut sources);
    let (mut uses, mut exports) = (BTreeMap::new(), BTreeMap::new());
    for (module, source) in &sources {
        let (used, exported) = paths(module, source);
        uses.insert(module.clone(), used);
        // `model::SimUser` stands for `model::user::SimUser`: a re-export is no dependency of the parent.
        exports.extend(exported.into_iter().map(|path| (join(module, path.rsplit("::").next().unwrap()), path)));
    }
    let owner = |path: &String| {
        let mut path = path.as_str();
        while let Some(exported) = exports.get(path) {
            path = exported;
        }
        let prefixes = path.match_indices("::").map(|(at, _)| &path[..at]).chain([path]);
        prefixes.filter(|prefix| sources.contains_key(*prefix)).last().unwrap_or_default().to_owned()
    };
    let resolve = |(module, paths): (String, BTreeSet<String>)| {
        let to = paths.iter().map(owner).filter(|to| *to != module).collect();
        (module, to)
    };
    uses.into_iter().map(resolve).collect()
}

fn collect(folder: &Path, module: &str, sources: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        match name {
            _ if path.is_dir() => collect(&path, &join(module, name), sources),
            "main" => {}
            "lib" | "mod" => drop(sources.insert(module.to_owned(), fs::read_to_string(&path).unwrap())),
            _ => drop(sources.insert(join(module, name), fs::read_to_string(&path).unwrap())),
        }
    }
}

/// The paths inside the crate that a file uses, and those that it re-exports. Its tests do not count.
fn paths(module: &str, source: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    let after = |start: &str, prefix: &str| {
        let mut found = BTreeSet::new();
        for (at, _) in code.match_indices(start) {
            expand(prefix, &code[at + start.len()..], &mut found);
        }
        found
    };
    let used = after("crate::", "").into_iter().chain(after("super::", parent)).collect();
    let exported = after("pub use ", module).into_iter().chain(after("pub(crate) use ", module)).collect();
    (used, exported)
}

/// Adds every path of a tree such as `a::{b, c::D}`, and returns the text behind it.
fn expand<'a>(prefix: &str, tree: &'a str, found: &mut BTreeSet<String>) -> &'a str {
    if let Some(mut rest) = tree.trim_start().strip_prefix('{') {
        while !rest.trim_start_matches([',', ' ', '*']).starts_with('}') && !rest.is_empty() {
            rest = expand(prefix, rest.trim_start_matches([',', ' ', '*']), found);
        }
        return rest.trim_start_matches([',', ' ', '*']).strip_prefix('}').unwrap_or_default();
    }
    let end = tree.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(tree.len());
    let (name, rest) = tree.split_at(end);
    let path = join(prefix, name);
    match rest.strip_prefix("::") {
        Some(rest) => expand(&path, rest, found),
        None => {
            found.insert(path);
            rest
        }
    }
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}
