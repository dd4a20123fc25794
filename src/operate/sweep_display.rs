//! Progress of a sweep: a bar on a terminal, plain lines now and then elsewhere. On stderr, so that stdout holds the
//! result alone.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use photorelay_core::wording::counted;

use crate::jobs::sweep::Progress;

/// Between two lines where there is no terminal.
const LINES: Duration = Duration::from_secs(10);

pub(super) struct Display {
    what: &'static str,
    /// None where there is no terminal.
    bar: Option<ProgressBar>,
    began: Instant,
    last_line: Instant,
    /// What was done before this display began.
    before: Option<u64>,
}

impl Display {
    /// `what` is counted.
    pub(super) fn new(what: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::no_length();
            let template = format!("{{bar:30}} {{pos}}/{{len}} {what} {{msg}}");
            // A template of ours that cannot be parsed would show the default bar.
            bar.set_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        let now = Instant::now();
        Self { what, bar, began: now, last_line: now, before: None }
    }

    pub(super) fn show(&mut self, progress: &Progress) {
        if progress.of == 0 {
            return self.message("reading the list of users");
        }
        let throttled = match progress.throttled {
            0 => String::new(),
            times => {
                let times = counted(times, "time", "times");
                let requests = counted(progress.concurrency as u64, "concurrent request", "concurrent requests");
                format!(", throttled {times}, {requests}")
            }
        };
        let checks = counted(progress.checks as u64, "check", "checks");
        let found = format!("{} with a photo, {checks}{throttled}", progress.with_photo);
        self.move_to(progress.done as u64, progress.of as u64, &found);
    }

    pub(super) fn show_left(&mut self, all: u64, left: u64) {
        self.move_to(all.saturating_sub(left), all, "checking users");
    }

    fn move_to(&mut self, done: u64, of: u64, found: &str) {
        let before = *self.before.get_or_insert(done);
        let rate = (done - before.min(done)) as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        let left = match rate > 0.0 {
            true => format!(", {} left", duration(Duration::from_secs_f64((of.saturating_sub(done)) as f64 / rate))),
            false => String::new(),
        };
        let message = format!("({rate:.0} a second{left}; {found})");
        match &self.bar {
            Some(bar) => {
                bar.set_length(of);
                bar.set_position(done);
                bar.set_message(message);
            }
            None => {
                let what = self.what;
                self.line(&format!("{done} of {of} {what} {message}"));
            }
        }
    }

    fn message(&mut self, message: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(message.to_owned()),
            None => self.line(message),
        }
    }

    fn line(&mut self, text: &str) {
        if self.last_line.elapsed() >= LINES {
            eprintln!("{text}");
            self.last_line = Instant::now();
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// In words for people: `45 s`, `12 min`, `3.5 h`.
pub(super) fn duration(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 90.0 => format!("{seconds:.0} s"),
        seconds if seconds < 5400.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_in_the_unit_that_fits() {
        let shown = [20.4, 89.0, 100.0, 5300.0, 9000.0].map(|seconds| duration(Duration::from_secs_f64(seconds)));
        assert_eq!(shown, ["20 s", "89 s", "2 min", "88 min", "2.5 h"]);
    }
}
