//! The last days as charts: each a drawing of its own, a legend, and the same numbers as a table for those who do not see
//! it.
//!
//! A day without figures is a gap, which is not the same as zero.

mod drawing;

use jiff::Timestamp;
use jiff::civil::Date;
use photorelay_core::contract::{CaptureFigures, LatencyHistogram};
use photorelay_core::figures::{self, DayFigures, WritebackTotals};
use photorelay_core::store::{BlobStore, StoreError};

use self::drawing::{Drawing, Scale};
use super::render::count;

/// Days on a chart.
const DAYS: u16 = 28;

/// One chart of the page.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) title: &'static str,
    /// SVG of our own making, without a text of others.
    pub(super) svg: String,
    /// The name of each series, and the class that gives it its colour.
    pub(super) legend: Vec<(&'static str, &'static str)>,
    /// The newest days first, with the value of each series.
    pub(super) rows: Vec<(Date, Vec<String>)>,
}

impl Chart {
    /// The drawing in words: what the newest day says.
    pub(super) fn in_words(&self) -> String {
        let Some((day, values)) = self.rows.first() else { return format!("{}: no figures yet", self.title) };
        let values = self.legend.iter().zip(values).map(|((name, _), value)| format!("{name} {value}"));
        format!("{}; on {day}: {}. The table below has all days.", self.title, values.collect::<Vec<_>>().join(", "))
    }
}

type Value<T> = fn(&T) -> Option<f64>;

/// All charts; none of them before a day has figures.
pub(super) async fn of_last_days(blobs: &dyn BlobStore) -> Result<Vec<Chart>, StoreError> {
    let days = figures::last_days(blobs, figures::day_of(Timestamp::now()), DAYS).await?;
    if days.iter().all(|day| day.capture.is_none() && day.writeback.is_none()) {
        return Ok(Vec::new());
    }
    let capture = |value: Value<CaptureFigures>| values(&days, |day| value(day.capture.as_ref()?));
    let written = |value: Value<WritebackTotals>| values(&days, |day| value(day.writeback.as_ref()?));
    let percentile = |latency: &LatencyHistogram, percent| latency.percentile_ms(percent);
    Ok(vec![
        chart(
            "Changes by what found them, from checkpoint to checkpoint",
            &days,
            Scale::StackedCounts,
            vec![
                ("notification", capture(|day| Some(day.found_by?.notification as f64))),
                ("sweep", capture(|day| Some(day.found_by?.sweep as f64))),
            ],
        ),
        chart(
            "From the change to the write",
            &days,
            Scale::Durations,
            vec![
                ("half within", values(&days, |day| percentile(&day.writeback.as_ref()?.latency, 50))),
                ("99 % within", values(&days, |day| percentile(&day.writeback.as_ref()?.latency, 99))),
            ],
        ),
        chart(
            "What agents did",
            &days,
            Scale::StackedCounts,
            vec![
                ("written", written(|day| Some(day.written as f64))),
                ("unchanged", written(|day| Some(day.unchanged as f64))),
                ("noted", written(|day| Some(day.noted as f64))),
                ("refused", written(|day| Some(day.refused as f64))),
            ],
        ),
        chart(
            "Waiting after the last sweep of the day",
            &days,
            Scale::Counts,
            vec![
                ("unacknowledged", capture(|day| Some(day.unacknowledged as f64))),
                ("held", capture(|day| Some(day.held as f64))),
                ("checks", capture(|day| Some(day.checks_waiting as f64))),
                ("refused", capture(|day| Some(day.refused as f64))),
            ],
        ),
        chart(
            "Sweeps",
            &days,
            Scale::StackedCounts,
            vec![
                ("complete", capture(|day| Some(day.sweeps as f64))),
                ("failed", capture(|day| Some(day.failed_sweeps as f64))),
            ],
        ),
    ])
}

fn values(days: &[DayFigures], value: impl Fn(&DayFigures) -> Option<f64>) -> Vec<Option<f64>> {
    days.iter().map(value).collect()
}

fn chart(
    title: &'static str,
    days: &[DayFigures],
    scale: Scale,
    series: Vec<(&'static str, Vec<Option<f64>>)>,
) -> Chart {
    const CLASSES: [&str; 4] = ["c1", "c2", "c3", "c4"];
    let dates: Vec<Date> = days.iter().map(|day| day.day).collect();
    let legend = series.iter().zip(CLASSES).map(|((name, _), class)| (*name, class)).collect();
    let values: Vec<Vec<Option<f64>>> = series.into_iter().map(|(_, values)| values).collect();
    let shown = |value: Option<f64>| match (value, scale) {
        (None, _) => "–".to_owned(),
        (Some(value), Scale::Durations) => drawing::duration(value),
        (Some(value), _) => count(value as u64),
    };
    let row = |(at, day): (usize, &Date)| (*day, values.iter().map(|series| shown(series[at])).collect());
    let rows: Vec<(Date, Vec<String>)> = dates.iter().enumerate().map(row).rev().collect();
    let rows = rows.into_iter().filter(|(_, values)| values.iter().any(|value| value != "–")).collect();
    // What cannot be drawn is still in the table.
    let svg = Drawing { days: &dates, series: &values, scale }.svg().unwrap_or_default();
    Chart { title, svg, legend, rows }
}
