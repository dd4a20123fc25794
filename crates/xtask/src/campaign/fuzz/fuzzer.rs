//! One target under libFuzzer: starts it, ends it when its processor time is used up, and reads what it printed.
//!
//! A panic, a time or memory limit that is exceeded, and a death by a signal are crashes. The last one leaves no file of
//! libFuzzer's when the stack overflows, so every target also keeps its latest input in `last-input`.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::checkout::Checkout;
use crate::{process, processor};

/// Of one input, by the clock, on a machine where others come first. Each target limits its processor time itself.
const TIMEOUT_SECONDS: u32 = 120;
/// Of the whole process, with its corpus. The memory of one input is limited by the target itself.
const MEMORY_MIB: u32 = 2048;
/// What a thread of tokio has, on which all of the fuzzed code runs.
const STACK_KIB: u32 = 2048;
/// A target that gets no processor time ends after this many times its budget.
const PATIENCE: u32 = 20;
/// Whatever is parsed differently when it is longer is limited by its size before.
const MAX_INPUT_BYTES: u32 = 16 * 1024;
const POLL: Duration = Duration::from_secs(1);
/// What a target prints when a decoder panicked and the panic was contained.
const CONTAINED: &str = "contained panic at ";

/// Where the campaign's files are.
#[derive(Debug)]
pub(super) struct Workshop {
    /// The sources: programs, corpora, dictionaries.
    pub(super) sources: PathBuf,
    /// What is built and found.
    pub(super) target: PathBuf,
    pub(super) programs: PathBuf,
}

/// A program of `fuzz/` and its files.
#[derive(Debug)]
pub(super) struct FuzzTarget {
    pub(super) name: String,
    pub(super) program: PathBuf,
    /// The corpus that is committed.
    pub(super) kept: PathBuf,
    /// The corpus of this machine, which grows with every campaign.
    pub(super) found: PathBuf,
    /// Where the target runs and leaves its crashes.
    pub(super) folder: PathBuf,
    dictionary: PathBuf,
    /// Written by hand, and files of the test suites: read and never changed.
    pub(super) seeds: Vec<PathBuf>,
}

#[derive(Debug)]
pub(super) struct TargetReport {
    pub(super) name: String,
    pub(super) executions: u64,
    /// Edges of the control flow that were reached.
    pub(super) coverage: u64,
    /// Places of other crates that panicked and were contained.
    pub(super) contained: u64,
    pub(super) crashes: Vec<PathBuf>,
    pub(super) cpu_seconds: u64,
    program: PathBuf,
}

impl FuzzTarget {
    pub(super) fn new(checkout: &Checkout, workshop: &Workshop, name: &str) -> Self {
        let seeds: &[&str] = match name {
            "contract" => &["crates/photorelay-core/tests/contracts/golden"],
            "certificate" => &["tests/graph/fixtures"],
            _ => &[],
        };
        let seeds = seeds.iter().map(|seed| checkout.root.join(seed));
        let own = Some(workshop.sources.join("seeds").join(name)).filter(|own| own.exists());
        Self {
            name: name.to_owned(),
            program: workshop.programs.join(name),
            kept: workshop.sources.join("corpus").join(name),
            found: workshop.target.join("corpus").join(name),
            folder: workshop.target.join("runs").join(name),
            dictionary: workshop.sources.join("dictionaries").join(format!("{name}.dict")),
            seeds: seeds.chain(own).collect(),
        }
    }

    /// The program with the limits that hold for every input. It is nice, because a campaign takes hours.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new("nice");
        let limited = format!("ulimit -s {STACK_KIB}; exec \"$0\" \"$@\"");
        command.args(["-n", "19", "sh", "-c", &limited]).arg(&self.program).current_dir(&self.folder);
        command.arg(format!("-timeout={TIMEOUT_SECONDS}")).arg(format!("-rss_limit_mb={MEMORY_MIB}"));
        command.arg(format!("-max_len={MAX_INPUT_BYTES}"));
        command.stdin(Stdio::null());
        command
    }

    pub(super) fn run(&self, budget: Duration) -> Result<TargetReport> {
        for folder in [&self.kept, &self.found, &self.folder] {
            fs::create_dir_all(folder).with_context(|| format!("{} could not be made", folder.display()))?;
        }
        self.tidy()?;
        let (log, output) = (self.folder.join("log"), self.folder.join("output"));
        let mut command = self.command();
        command.args([&self.found, &self.kept]).args(&self.seeds);
        command.args(["-print_final_stats=1", "-reload=0", "-artifact_prefix=./"]);
        command.arg(format!("-max_total_time={}", (budget * PATIENCE).as_secs().max(1)));
        if self.dictionary.exists() {
            command.arg(format!("-dict={}", self.dictionary.display()));
        }
        let mut child = command.stdout(File::create(&output)?).stderr(File::create(&log)?).spawn()?;
        let cpu_seconds = within(&mut child, budget)?;
        let status = child.wait()?;
        let log = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        let mut crashes = self.artifacts()?;
        if crashes.is_empty() && !status.success() {
            crashes.push(self.folder.join("last-input"));
        }
        Ok(TargetReport {
            name: self.name.clone(),
            executions: number_after(&log, "stat::number_of_executed_units:").or_else(|| executions(&log)).unwrap_or(0),
            coverage: number_after(&log, " cov: ").unwrap_or(0),
            contained: log.lines().filter(|line| line.starts_with(CONTAINED)).count() as u64,
            crashes,
            cpu_seconds,
            program: self.program.clone(),
        })
    }

    /// Crashes of an earlier campaign are not this one's.
    fn tidy(&self) -> Result<()> {
        self.artifacts()?.iter().try_for_each(fs::remove_file).context("an old crash could not be removed")
    }

    fn artifacts(&self) -> Result<Vec<PathBuf>> {
        const KINDS: [&str; 4] = ["crash-", "timeout-", "oom-", "leak-"];
        let names = files(&self.folder)?;
        let is_artifact = |file: &PathBuf| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            KINDS.iter().any(|kind| name.starts_with(kind))
        };
        Ok(names.into_iter().filter(is_artifact).collect())
    }
}

impl TargetReport {
    /// A command for each crash that shows it again.
    pub(super) fn reproductions(&self) -> impl Iterator<Item = String> {
        self.crashes.iter().map(|crash| format!("{} {}", self.program.display(), crash.display()))
    }
}

impl fmt::Display for TargetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, executions, coverage, contained, crashes, cpu_seconds, .. } = self;
        let crashes = crashes.len();
        write!(
            f,
            "{name}: {executions} executions, {coverage} edges, {contained} panics contained, {crashes} crashes, "
        )?;
        write!(f, "{cpu_seconds} s of processor time")
    }
}

pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.is_file());
    files.sort();
    Ok(files)
}

/// Asks the program to end once it has used its processor time; returns what it used.
fn within(child: &mut Child, budget: Duration) -> Result<u64> {
    let pid = child.id();
    let mut used = 0.0;
    process::wait_until(budget * (PATIENCE + 1), || {
        let ended = child.try_wait()?.is_some();
        if !ended {
            used = processor::used(pid).unwrap_or(used);
        }
        if !ended && used < budget.as_secs_f64() {
            #[expect(clippy::disallowed_methods, reason = "no runtime here whose thread this could block")]
            std::thread::sleep(POLL);
            return Ok(None);
        }
        Ok(Some(()))
    })?;
    if child.try_wait()?.is_none() {
        // libFuzzer then ends by itself after the input that it is at, and prints its statistics.
        process::works(Command::new("sh").args(["-c", "kill -s USR1 \"$0\""]).arg(pid.to_string()));
    }
    Ok(used.round() as u64)
}

/// The number after the last occurrence of a word.
fn number_after(log: &str, word: &str) -> Option<u64> {
    let (_, rest) = log.rsplit_once(word)?;
    rest.split_whitespace().next()?.parse().ok()
}

/// What the last line of progress says, after a crash: `#4194304 pulse cov: 8 ...`.
fn executions(log: &str) -> Option<u64> {
    let progress = log.lines().rev().find(|line| line.starts_with('#') && line.contains(" cov: "))?;
    progress[1..].split_whitespace().next()?.parse().ok()
}
