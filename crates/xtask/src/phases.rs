//! The phases of a run and what each of them took, printed as one table at the end, also after a failure.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

#[derive(Debug, Default)]
pub(crate) struct Phases {
    rows: Vec<Row>,
    closing: Vec<String>,
}

#[derive(Debug)]
struct Row {
    name: String,
    took: Duration,
    passed: bool,
}

impl Phases {
    /// Runs one phase, notes its time, and names it in its error.
    pub(crate) fn run<T>(&mut self, name: &str, phase: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("==> {name}");
        let started = Instant::now();
        let outcome = phase();
        self.rows.push(Row { name: name.to_owned(), took: started.elapsed(), passed: outcome.is_ok() });
        outcome.with_context(|| format!("phase \"{name}\" failed"))
    }

    /// A line to print below the table.
    pub(crate) fn close(&mut self, line: String) {
        self.closing.push(line);
    }

    pub(crate) fn print(&self) {
        if self.rows.is_empty() {
            return;
        }
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or_default().max("total".len());
        let total: Duration = self.rows.iter().map(|row| row.took).sum();
        println!("\n{:<width$}  seconds", "phase");
        for row in &self.rows {
            let mark = if row.passed { "" } else { "  FAILED" };
            println!("{:<width$}  {:>7.1}{mark}", row.name, row.took.as_secs_f64());
        }
        println!("{:<width$}  {:>7.1}", "total", total.as_secs_f64());
        for line in &self.closing {
            println!("{line}");
        }
    }
}
