//! `cargo xtask package`: the folder and the zip that Azure Functions runs, out of `function.json`, `host.json` and the
//! program.
//!
//! What the files say and what the program does must agree: a package whose program does not serve every function of
//! its manifest, or whose contents differ from `package.txt`, is refused. The same sources give the same bytes.

mod archive;
mod build;
mod file;
mod manifest;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use sha2::{Digest, Sha256};

use crate::checkout::{self, Checkout};
use crate::figures::{BINARY_MIB, MIB, START_MS, median};
use crate::handler::HandlerProcess;
use crate::phases::Phases;

pub(crate) use build::program;
use file::PackageFile;

const STARTS: usize = 9;

#[derive(Debug, Args)]
pub(crate) struct PackageArgs {
    /// Package this program, which was built before, instead of building one that starts on older systems
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

pub(crate) fn run(checkout: &Checkout, phases: &mut Phases, options: &PackageArgs) -> Result<()> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => program(checkout, phases)?,
    };
    let package = phases.run("package", || make(checkout, &program))?;
    println!("{}", package.listing);
    println!("package  {}", package.zip.display());
    println!("sha-256  {}", package.sha256);
    println!("zip      {:.1} MiB", package.zip_bytes as f64 / MIB);
    println!("program  {:.1} MiB (budget {BINARY_MIB} MiB)", package.program_bytes as f64 / MIB);
    let start = phases.run("start", || first_answer(checkout, &package.folder))?;
    println!("start    {start:.1} ms to the first answer (budget {START_MS} ms)");
    Ok(())
}

#[derive(Debug)]
pub(crate) struct BuiltPackage {
    /// Laid out as the host reads it.
    folder: PathBuf,
    pub(crate) zip: PathBuf,
    listing: String,
    sha256: String,
    zip_bytes: u64,
    program_bytes: u64,
}

/// Lays the package out, checks it, and writes the zip.
pub(crate) fn make(checkout: &Checkout, program: &Path) -> Result<BuiltPackage> {
    let manifest = manifest::PackageManifest::read(&checkout.root)?;
    manifest.agrees_with_infra(&checkout.root.join("infra"))?;

    let home = checkout.target.join("package");
    let folder = home.join("function");
    checkout::remove(&folder)?;
    let mut files = vec![PackageFile { name: "host.json".to_owned(), mode: 0o644, bytes: manifest.host_json().into() }];
    for (name, json) in manifest.functions()? {
        files.push(PackageFile { name: format!("{name}/function.json"), mode: 0o644, bytes: json.into() });
    }
    let bytes = fs::read(program).with_context(|| format!("{} cannot be read", program.display()))?;
    let program_bytes = bytes.len() as u64;
    files.push(PackageFile { name: manifest.executable().to_owned(), mode: 0o755, bytes });
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files.iter().try_for_each(|file| file.write(&folder))?;

    let listing = listing(&files);
    let expected = fs::read_to_string(checkout.xtask().join("package.txt")).context("package.txt")?;
    ensure!(
        listing == expected,
        "the package does not hold what crates/xtask/package.txt says. If this is intended, its new text is:\n{listing}"
    );
    serves(&folder, &manifest)?;

    let zip = home.join("photorelay-function.zip");
    let archive = archive::zip(&files)?;
    fs::write(&zip, &archive).with_context(|| format!("{} cannot be written", zip.display()))?;
    let sha256 = Sha256::digest(&archive).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Ok(BuiltPackage { folder, zip, listing, sha256, zip_bytes: archive.len() as u64, program_bytes })
}

fn listing(files: &[PackageFile]) -> String {
    files.iter().fold(String::new(), |mut text, file| {
        let _ = writeln!(text, "{:04o} {}", file.mode, file.name);
        text
    })
}

/// Starts the packaged program and requests every function: a route that exists but takes only POST answers 405.
fn serves(folder: &Path, manifest: &manifest::PackageManifest) -> Result<()> {
    let store = scratch(folder)?;
    let handler = HandlerProcess::start(&folder.join(manifest.executable()), &store)?;
    for (name, path) in manifest.routes()? {
        let status = handler.get(&path)?;
        ensure!(
            status == 405,
            "function.json names `{name}`, but the program does not serve {path} (a GET of it answers {status})"
        );
    }
    let unknown = handler.get("/no-such-function")?;
    ensure!(
        unknown == 404,
        "the program answers {unknown} for a function that does not exist: this check proves nothing"
    );
    Ok(())
}

fn first_answer(checkout: &Checkout, folder: &Path) -> Result<f64> {
    let manifest = manifest::PackageManifest::read(&checkout.root)?;
    let store = scratch(folder)?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let handler = HandlerProcess::start(&folder.join(manifest.executable()), &store)?;
        starts.push(handler.first_answer.as_secs_f64() * 1000.0);
    }
    Ok(median(starts))
}

/// A folder for the store of a trial start, outside what is packaged.
fn scratch(folder: &Path) -> Result<PathBuf> {
    let store = folder.with_file_name("trial");
    checkout::remove(&store)?;
    fs::create_dir_all(&store)?;
    Ok(store)
}
