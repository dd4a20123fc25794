//! What `preview`, `drift` and `held` write as HTML: the same users as they print, with their pictures.
//!
//! It reads the target and writes nothing to it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use photorelay_core::contract::PreviewState;
use photorelay_core::id::UserId;
use photorelay_core::progress::ProgressLine;
use photorelay_core::storage::Storage;

use super::preview::{PreviewPublisher, PreviewSource, PreviewTotals, PreviewedUser, preview, preview_of, word};
use crate::quota::QuotaLimits;
use crate::report::{HtmlReport, ReportedUser};
use crate::writeback::Reconciler;

/// Which users a report shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportedUsers {
    All,
    /// Those whose target differs from the trail.
    Differing,
}

/// Previews every user, into the folder and for the console if they are given, and counts them. Returns the totals, and the
/// index.
pub async fn preview_report(
    source: PreviewSource<'_>,
    which: ReportedUsers,
    folder: Option<&Path>,
    mut publisher: Option<PreviewPublisher>,
    limits: QuotaLimits,
    progress: &ProgressLine,
) -> Result<(PreviewTotals, Option<PathBuf>)> {
    let title = match which {
        ReportedUsers::All => "Preview of what would be written",
        ReportedUsers::Differing => "Users whose target differs from the trail",
    };
    let mut report = folder.map(|folder| create(folder, title, source.reconciler)).transpose()?;
    let totals = preview(source, report.is_some(), async |user| {
        progress.advance();
        if let Some(publisher) = &mut publisher {
            publisher.add(user.row.clone()).await?;
        }
        let is_shown = match which {
            ReportedUsers::All => true,
            ReportedUsers::Differing => !matches!(user.row.state, PreviewState::UpToDate | PreviewState::LeftOut),
        };
        match report.as_mut().filter(|_| is_shown) {
            Some(report) => Ok(report.add(reported(user))?),
            None => Ok(()),
        }
    })
    .await?;
    if let Some(publisher) = publisher {
        publisher.finish(&totals, limits).await?;
    }
    let index = report.map(|report| report.finish(&totals.lines(limits))).transpose()?;
    Ok((totals, index))
}

/// The users who wait for an operator, each with the reason.
pub async fn held_report(
    reconciler: &Reconciler,
    storage: &Storage,
    held: &[(UserId, String)],
    folder: &Path,
) -> Result<PathBuf> {
    let mut report = create(folder, "Changes that wait for an operator", reconciler)?;
    for (user, reason) in held {
        let Some(previewed) = preview_of(reconciler, storage, *user).await? else { continue };
        report.add(ReportedUser { text: reason.clone(), ..reported(previewed) })?;
    }
    Ok(report.finish(&[("waiting".to_owned(), held.len().to_string())])?)
}

fn create(folder: &Path, title: &str, reconciler: &Reconciler) -> Result<HtmlReport> {
    HtmlReport::create(folder, title, &reconciler.settings().target)
        .with_context(|| format!("the report cannot be written to {}", folder.display()))
}

fn reported(user: PreviewedUser) -> ReportedUser {
    ReportedUser {
        title: user.account.unwrap_or_else(|| user.row.user_id.to_string()),
        user: user.row.user_id.to_string(),
        object: user.object,
        state: word(user.row.state).to_owned(),
        text: user.row.would,
        before: user.before,
        after: user.after,
    }
}
