//! Reads the sources of a crate as a graph of its module files: who uses whom.
//!
//! Works on tokens, so comments and strings do not count and macros do. Code under `#[cfg(test)]` is left out. A re-export
//! is transparent: whoever uses a name depends on the file that defines it, and re-exporting alone is no dependency.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A module's path from the root of its crate; empty for the root.
pub(crate) type Module = Vec<String>;

/// The modules of one crate and what each of them uses.
pub(crate) struct Crate {
    files: BTreeMap<Module, Source>,
}

/// One file, read.
#[derive(Default)]
struct Source {
    path: PathBuf,
    /// Types, traits and aliases that are visible outside of the file.
    types: BTreeSet<String>,
    /// Names that `pub use` gives on, and where they come from.
    reexports: BTreeMap<String, Vec<String>>,
    /// Every path that begins in this crate or in this module, from the root.
    paths: Vec<Vec<String>>,
    /// Every identifier that stands outside of a `use`.
    names: BTreeSet<String>,
}

impl Crate {
    /// Reads `src/` below the folder.
    pub(crate) fn read(folder: &Path) -> Self {
        let src = folder.join("src");
        let mut files = BTreeMap::new();
        for path in rust_files(&src) {
            let relative = path.strip_prefix(&src).unwrap().with_extension("");
            let mut module: Module = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            if module.last().is_some_and(|last| last == "mod") {
                module.pop();
            }
            if module == ["lib"] {
                module.clear();
            }
            // A program is a root of its own, above the library.
            if module.first().is_some_and(|first| first == "bin" || first == "main") {
                continue;
            }
            files.insert(module, Source { path, ..Source::default() });
        }
        let modules: BTreeSet<Module> = files.keys().cloned().collect();
        for (module, source) in &mut files {
            let text = fs::read_to_string(&source.path).unwrap();
            let tokens =
                TokenStream::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", source.path.display()));
            let mut reader = Reader { modules: &modules, module, depth: 0, source };
            reader.read(&tokens.into_iter().collect::<Vec<_>>());
        }
        Self { files }
    }

    /// Visible types and the file that defines each.
    pub(crate) fn types(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.files.values().flat_map(|source| source.types.iter().map(|name| (name.as_str(), source.path.as_path())))
    }

    pub(crate) fn modules(&self) -> impl Iterator<Item = &Module> {
        self.files.keys()
    }

    /// From each module to the modules that it uses, itself left out.
    pub(crate) fn uses(&self) -> BTreeMap<&Module, BTreeSet<&Module>> {
        let mut uses = BTreeMap::new();
        for (module, source) in &self.files {
            let named = source.names.iter().filter_map(|name| source.reexports.get(name));
            let used = source.paths.iter().chain(named).map(|path| self.defining(path, 0));
            uses.insert(module, used.filter(|used| *used != module).collect());
        }
        uses
    }

    /// The module that defines what a path names.
    fn defining(&self, path: &[String], depth: usize) -> &Module {
        let longest = (0..=path.len()).rev().find_map(|length| self.files.get_key_value(&path[..length]));
        let (module, source) = longest.expect("the root is always there");
        match path.get(module.len()).and_then(|name| source.reexports.get(name)) {
            Some(target) if depth < 8 => self.defining(target, depth + 1),
            _ => module,
        }
    }
}

/// Collects what one file says.
struct Reader<'a> {
    modules: &'a BTreeSet<Module>,
    module: &'a Module,
    /// How many inline modules are open.
    depth: usize,
    source: &'a mut Source,
}

impl Reader<'_> {
    fn read(&mut self, tokens: &[TokenTree]) {
        let mut at = 0;
        while at < tokens.len() {
            if is_test_only(&tokens[at..]) {
                at += 2;
                while at < tokens.len()
                    && !matches!(&tokens[at], TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
                    && !is_punct(&tokens[at], ';')
                {
                    at += 1;
                }
                at += 1;
                continue;
            }
            at += match &tokens[at] {
                TokenTree::Ident(ident) if *ident == "use" => self.read_use(tokens, at),
                TokenTree::Ident(ident) if *ident == "mod" => self.read_mod(&tokens[at..]),
                TokenTree::Ident(_) => self.read_path(tokens, at),
                TokenTree::Group(group) => {
                    self.read(&group.stream().into_iter().collect::<Vec<_>>());
                    1
                }
                _ => 1,
            };
        }
    }

    /// An inline module goes one level down; its `super` is this file.
    fn read_mod(&mut self, tokens: &[TokenTree]) -> usize {
        let Some(TokenTree::Group(group)) = tokens.get(2) else { return 2 };
        self.depth += 1;
        self.read(&group.stream().into_iter().collect::<Vec<_>>());
        self.depth -= 1;
        3
    }

    fn read_use(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let length = tokens[at..].iter().position(|token| is_punct(token, ';')).unwrap_or(tokens.len() - at - 1);
        let is_public = at > 0 && (is_ident(&tokens[at - 1], "pub") || at > 1 && is_ident(&tokens[at - 2], "pub"));
        let mut leaves = Vec::new();
        leaves_of(&tokens[at + 1..at + length], Vec::new(), &mut leaves);
        for (path, name) in leaves {
            let Some(path) = self.rooted(path) else { continue };
            if is_public {
                self.source.reexports.insert(name, path);
            } else {
                self.source.paths.push(path);
            }
        }
        length + 1
    }

    /// A name, or a path of which this is the first part; also notes the types that are defined.
    fn read_path(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let mut path = vec![tokens[at].to_string()];
        let mut end = at + 1;
        while let [colon, other, TokenTree::Ident(part), ..] = &tokens[end..]
            && is_punct(colon, ':')
            && is_punct(other, ':')
        {
            path.push(part.to_string());
            end += 3;
        }
        let is_member = at > 0 && (is_punct(&tokens[at - 1], ':') || is_punct(&tokens[at - 1], '.'));
        let defines = ["struct", "enum", "trait", "type"].contains(&path[0].as_str());
        if defines && path.len() == 1 && self.depth == 0 && is_visible(tokens, at) {
            self.source.types.extend(tokens.get(at + 1).map(ToString::to_string));
        } else if path.len() == 1 || is_member {
            self.source.names.extend(path);
        } else {
            self.source.names.insert(path[0].clone());
            self.source.paths.extend(self.rooted(path));
        }
        end - at
    }

    /// The path from the crate's root; none for one that begins in another crate.
    fn rooted(&self, path: Vec<String>) -> Option<Vec<String>> {
        let first = path.first()?.as_str();
        let ups = path.iter().take_while(|part| *part == "super").count();
        if first == "crate" {
            return Some(path[1..].to_vec());
        }
        if ups > 0 || first == "self" {
            let ups_of_files = ups.saturating_sub(self.depth);
            let base = self.module.len().checked_sub(ups_of_files)?;
            let rest = &path[ups.max(usize::from(first == "self"))..];
            return Some([&self.module[..base], rest].concat());
        }
        let child = [self.module.as_slice(), &path[..1]].concat();
        self.modules.contains(&child).then(|| [self.module.as_slice(), &path].concat())
    }
}

/// `a::{b, c as d}` as `a::b` named `b` and `a::c` named `d`.
fn leaves_of(tokens: &[TokenTree], prefix: Vec<String>, leaves: &mut Vec<(Vec<String>, String)>) {
    for tree in tokens.split(|token| is_punct(token, ',')) {
        let mut path = prefix.clone();
        let mut name = None;
        let mut parts = tree.iter();
        while let Some(part) = parts.next() {
            match part {
                TokenTree::Ident(ident) if *ident == "as" => name = parts.next().map(ToString::to_string),
                TokenTree::Ident(ident) if *ident == "self" && !path.is_empty() => {}
                TokenTree::Ident(ident) => path.push(ident.to_string()),
                TokenTree::Group(group) => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    leaves_of(&inner, path.clone(), leaves);
                    path.clear();
                }
                _ => {}
            }
        }
        if let Some(last) = path.last().cloned() {
            leaves.push((path, name.unwrap_or(last)));
        }
    }
}

fn is_test_only(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [hash, TokenTree::Group(group), ..]
        if is_punct(hash, '#') && group.stream().to_string().replace(' ', "").starts_with("cfg(test"))
}

/// Whether `pub`, or `pub(...)`, stands before.
fn is_visible(tokens: &[TokenTree], at: usize) -> bool {
    at > 0 && is_ident(&tokens[at - 1], "pub")
        || at > 1 && is_ident(&tokens[at - 2], "pub") && matches!(&tokens[at - 1], TokenTree::Group(_))
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

fn is_ident(token: &TokenTree, wanted: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if *ident == wanted)
}

/// Every Rust file below a folder, in order.
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
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
