//! The table that `cargo xtask bench` prints: figures beside their budgets and peers.

use anyhow::{Result, bail};

#[derive(Debug, Default)]
pub(super) struct FigureTable(Vec<FigureRow>);

/// One measure; without a budget or a peer, their cells are empty.
#[derive(Debug, Default)]
pub(super) struct FigureRow {
    pub(super) measure: String,
    pub(super) figure: String,
    pub(super) budget: String,
    pub(super) peer: String,
    pub(super) verdict: BudgetVerdict,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum BudgetVerdict {
    Kept,
    /// Outside its budget, on this machine and today.
    Missed,
    /// A ratio within this run that must hold does not.
    GateFailed,
    #[default]
    NoBudget,
}

impl BudgetVerdict {
    pub(super) fn of(kept: bool) -> Self {
        if kept { Self::Kept } else { Self::Missed }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Kept => "ok",
            Self::Missed => "short",
            Self::GateFailed => "FAILED",
            Self::NoBudget => "",
        }
    }
}

impl FigureTable {
    pub(super) fn add(&mut self, row: FigureRow) {
        self.0.push(row);
    }

    pub(super) fn print(&self) {
        let head = ["measure", "figure", "budget", "peer in the same run", ""].map(str::to_owned);
        let rows = self.0.iter().map(|row| {
            let verdict = row.verdict.word().to_owned();
            [row.measure.clone(), row.figure.clone(), row.budget.clone(), row.peer.clone(), verdict]
        });
        let lines: Vec<[String; 5]> = std::iter::once(head).chain(rows).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
        let widths = [0, 1, 2, 3].map(width);
        println!();
        for [measure, figure, budget, peer, verdict] in &lines {
            let [first, second, third, fourth] = widths;
            let line = format!("{measure:<first$}  {figure:>second$}  {budget:>third$}  {peer:<fourth$}  {verdict}");
            println!("{}", line.trim_end());
        }
    }

    /// Fails if a gate failed.
    pub(super) fn check_gates(&self) -> Result<()> {
        let failed = self.0.iter().filter(|row| row.verdict == BudgetVerdict::GateFailed);
        let failed: Vec<&str> = failed.map(|row| row.measure.as_str()).collect();
        if !failed.is_empty() {
            bail!("outside its gate: {}", failed.join("; "));
        }
        Ok(())
    }
}
