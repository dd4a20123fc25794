//! Saves the figures of the day after a sweep, for charts.

use photorelay_core::contract::CaptureFigures;
use photorelay_core::documents;
use photorelay_core::figures::day_of;
use photorelay_core::names::{self, Container};
use photorelay_core::store::{BlobStore, StoreError};

use super::status::Status;
use crate::jobs::sweep::SweepReport;

/// `None` for a sweep that failed. One that hands over the rest is counted when its last part ends.
pub(super) async fn save(
    blobs: &dyn BlobStore,
    status: &Status,
    report: Option<&SweepReport>,
) -> Result<(), StoreError> {
    let day = day_of(status.at);
    let name = names::capture_figures(day);
    let known: Option<CaptureFigures> = documents::read(blobs, Container::State, &name).await?;
    let known = known.unwrap_or_else(|| CaptureFigures::of(day, status.at));
    let taken_today = status.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.day == day);
    let found_by = status.sweep.as_ref().and_then(|sweep| sweep.found_by).filter(|_| taken_today);
    let figures = CaptureFigures {
        at: status.at,
        sweeps: known.sweeps + u64::from(report.is_some_and(|report| report.is_complete)),
        failed_sweeps: known.failed_sweeps + u64::from(report.is_none()),
        found_by: found_by.or(known.found_by),
        people: status.trail.people,
        checks_waiting: status.checks.waiting,
        refused: status.trail.refused,
        held: status.trail.held,
        unacknowledged: status.trail.unacknowledged,
        alerts: status.alerts.len() as u64,
        ..known
    };
    documents::replace(blobs, Container::State, &name, &figures).await
}
