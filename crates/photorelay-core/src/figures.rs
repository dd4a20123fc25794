//! The figures of the last days, of the function app and of all agents together, for charts.
//!
//! Only reads. A day that is missing or unreadable has no figures, which is not the same as zeros.

use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::TimeZone};

use crate::contract::{CaptureFigures, LatencyHistogram, WritebackFigures};
use crate::documents;
use crate::names::{self, Container};
use crate::store::{BlobStore, StoreError, list_all};

/// Documents that are read at once.
const AT_ONCE: usize = 16;

/// One day, in UTC.
#[derive(Debug, Clone, PartialEq)]
pub struct DayFigures {
    pub day: Date,
    /// `None` if no sweep ended on that day.
    pub capture: Option<CaptureFigures>,
    /// `None` if no agent did anything on that day.
    pub writeback: Option<WritebackTotals>,
}

/// What all agents of all targets did on a day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WritebackTotals {
    pub written: u64,
    pub unchanged: u64,
    pub refused: u64,
    pub noted: u64,
    pub latency: LatencyHistogram,
}

/// The day in UTC.
pub fn day_of(time: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(time).date()
}

/// So many days up to today, oldest first.
pub async fn last_days(blobs: &dyn BlobStore, today: Date, days: u16) -> Result<Vec<DayFigures>, StoreError> {
    let wanted: Vec<Date> = (0..i64::from(days)).rev().map(|before| today.saturating_sub(before.days())).collect();
    // Owned, so that the future of the whole can move between threads.
    let captures = wanted.clone().into_iter().map(|day| async move {
        let capture = documents::read(blobs, Container::State, &names::capture_figures(day)).await?;
        Ok::<_, StoreError>(DayFigures { day, capture, writeback: None })
    });
    let mut found: Vec<DayFigures> = stream::iter(captures).buffered(AT_ONCE).try_collect().await?;
    // A day at a time: what agents left before is never listed.
    let listings = wanted.into_iter().enumerate().map(|(at, day)| async move {
        let listed = list_all(blobs, Container::Agents, &format!("{}{day}/", names::FIGURES_PREFIX)).await?;
        Ok::<_, StoreError>(listed.into_iter().map(|blob| (at, blob.name)).collect::<Vec<_>>())
    });
    let listed: Vec<Vec<(usize, String)>> = stream::iter(listings).buffered(AT_ONCE).try_collect().await?;
    let of_agents = listed.into_iter().flatten().map(|(at, name)| async move {
        let read = documents::read::<WritebackFigures>(blobs, Container::Agents, &name).await?;
        Ok::<_, StoreError>((at, read))
    });
    let read: Vec<(usize, Option<WritebackFigures>)> = stream::iter(of_agents).buffered(AT_ONCE).try_collect().await?;
    for (at, agent) in read {
        if let (Some(day), Some(agent)) = (found.get_mut(at), agent) {
            day.writeback.get_or_insert_default().add(&agent);
        }
    }
    Ok(found)
}

impl WritebackTotals {
    fn add(&mut self, agent: &WritebackFigures) {
        let counts = [
            (&mut self.written, agent.written),
            (&mut self.unchanged, agent.unchanged),
            (&mut self.refused, agent.refused),
            (&mut self.noted, agent.noted),
        ];
        for (total, count) in counts {
            *total = total.saturating_add(count);
        }
        self.latency.merge(&agent.latency);
    }
}
