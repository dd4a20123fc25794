//! How far a command has come: one line on stderr, on a terminal only, once it takes longer than a moment.
//!
//! It must never hold up the work, nor be mixed with the answer.

use std::io::{self, IsTerminal as _, LineWriter, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::ProgressBar;
use tokio::time::Instant;

/// What takes longer shows how far it has come.
const PATIENCE: Duration = Duration::from_secs(2);
const REFRESH: Duration = Duration::from_millis(200);

/// What is counted while a command works, and the line that says so.
#[derive(Debug, Default)]
pub struct ProgressLine {
    done: AtomicU64,
    shown: OnceLock<ProgressBar>,
}

impl ProgressLine {
    /// One more is done.
    pub fn advance(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// Does the work, and shows beside it what `says` makes of the number that is done.
    pub async fn beside<T>(&self, work: impl Future<Output = T>, says: impl Fn(u64) -> String) -> T {
        if !io::stderr().is_terminal() {
            return work.await;
        }
        let mut work = std::pin::pin!(work);
        let mut refresh = tokio::time::interval_at(Instant::now() + PATIENCE, REFRESH);
        let done = loop {
            tokio::select! {
                done = &mut work => break done,
                _ = refresh.tick() => {
                    let spinner = self.shown.get_or_init(ProgressBar::new_spinner);
                    spinner.set_message(says(self.done.load(Ordering::Relaxed)));
                    spinner.tick();
                }
            }
        };
        if let Some(spinner) = self.shown.get() {
            spinner.finish_and_clear();
        }
        done
    }

    /// Prints meanwhile: whole lines, above this one.
    pub fn above<'a>(&'a self, out: &'a mut dyn Write) -> impl Write + 'a {
        LineWriter::new(AboveLine { line: self, out })
    }
}

struct AboveLine<'a> {
    line: &'a ProgressLine,
    out: &'a mut dyn Write,
}

impl Write for AboveLine<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.line.shown.get() {
            Some(spinner) => spinner.suspend(|| self.out.write(bytes)),
            None => self.out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
