//! Which commit an optimised program is built from, for `--version`.
//!
//! Read from the files of git, without running it; a source without git, such as an archive, has none. Unoptimised builds
//! have none either: a commit would have everything that depends on this package built anew.

use std::fs;
use std::path::{Path, PathBuf};

#[expect(clippy::disallowed_methods, reason = "cargo passes everything to a build script by the environment")]
fn main() {
    // Without any such line, every file of the package would be watched.
    println!("cargo::rerun-if-env-changed=OPT_LEVEL");
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let is_optimised = std::env::var("OPT_LEVEL").is_ok_and(|level| level != "0");
    let commit = if is_optimised { find_git(&package).and_then(|git| commit(&git)) } else { None };
    let suffix = commit.map(|commit| format!(" ({})", &commit[..12])).unwrap_or_default();
    println!("cargo::rustc-env=COMMIT_SUFFIX={suffix}");
}

/// The folder `.git` of the checkout, or where its file of that name leads, in a worktree.
fn find_git(package: &Path) -> Option<PathBuf> {
    let git = package.ancestors().map(|folder| folder.join(".git")).find(|git| git.exists())?;
    if git.is_dir() {
        return Some(git);
    }
    let leads_to = fs::read_to_string(&git).ok()?;
    Some(git.parent()?.join(leads_to.trim().strip_prefix("gitdir: ")?))
}

fn commit(git: &Path) -> Option<String> {
    let head = read(&git.join("HEAD"))?;
    let Some(name) = head.strip_prefix("ref: ") else { return checked(&head) };
    // Branches of a worktree are in the folder of the repository.
    let common =
        fs::read_to_string(git.join("commondir")).map_or_else(|_| git.to_owned(), |path| git.join(path.trim()));
    if let Some(commit) = read(&common.join(name)) {
        return checked(&commit);
    }
    let packed = read(&common.join("packed-refs"))?;
    let line = packed.lines().find(|line| line.split_once(' ').is_some_and(|(_, packed)| packed == name))?;
    checked(line.split_once(' ')?.0)
}

/// The file's text. Only a file that is there is watched: one that is not would have this run again in every build.
fn read(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    println!("cargo::rerun-if-changed={}", file.display());
    Some(text.trim().to_owned())
}

fn checked(commit: &str) -> Option<String> {
    (commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| commit.to_owned())
}
