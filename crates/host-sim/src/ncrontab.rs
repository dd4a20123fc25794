//! NCRONTAB: `{second} {minute} {hour} {day} {month} {day-of-week}` in UTC; with five fields the seconds are 0.
//!
//! Unlike in Unix, a day has to agree with both its fields.

use anyhow::{Context, Result, bail, ensure};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// The 29th of February comes back within eight years.
const HORIZON_DAYS: u32 = 8 * 366;

#[derive(Debug, Clone)]
pub(crate) struct Ncrontab {
    seconds: Vec<u8>,
    minutes: Vec<u8>,
    hours: Vec<u8>,
    days: Vec<u8>,
    months: Vec<u8>,
    weekdays: Vec<u8>,
}

impl Ncrontab {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() == 5 {
            fields.insert(0, "0");
        }
        let [second, minute, hour, day, month, weekday] = fields[..] else { bail!("{text}: there must be six fields") };
        Ok(Self {
            seconds: field(second, 0, 59, &[])?,
            minutes: field(minute, 0, 59, &[])?,
            hours: field(hour, 0, 23, &[])?,
            days: field(day, 1, 31, &[])?,
            months: field(month, 1, 12, &MONTHS)?,
            weekdays: field(weekday, 0, 6, &DAYS)?,
        })
    }

    /// Such a schedule is never monitored.
    pub(crate) fn is_below_a_minute(&self) -> bool {
        self.seconds.len() > 1
    }

    /// The first occurrence after this time.
    pub(crate) fn after(&self, time: Timestamp) -> Result<Timestamp> {
        let from = TimeZone::UTC.to_datetime(time);
        let mut date = from.date();
        for _ in 0..HORIZON_DAYS {
            if self.has_day(date) {
                let times = self.hours.iter().flat_map(|hour| {
                    self.minutes.iter().flat_map(move |minute| self.seconds.iter().map(move |s| (*hour, *minute, *s)))
                });
                let at = |(hour, minute, second): (u8, u8, u8)| date.at(hour as i8, minute as i8, second as i8, 0);
                if let Some(next) = times.map(at).find(|at: &DateTime| *at > from) {
                    return Ok(TimeZone::UTC.to_timestamp(next)?);
                }
            }
            date = date.checked_add(1.day())?;
        }
        bail!("the schedule never occurs")
    }

    fn has_day(&self, date: jiff::civil::Date) -> bool {
        self.months.contains(&(date.month() as u8))
            && self.days.contains(&(date.day() as u8))
            && self.weekdays.contains(&(date.weekday().to_sunday_zero_offset() as u8))
    }
}

/// `*`, `a`, `a-b`, each with `/step`, in a list.
fn field(text: &str, least: u8, most: u8, names: &[&str]) -> Result<Vec<u8>> {
    let number = |text: &str| -> Result<u8> {
        let named = names.iter().position(|name| text.to_lowercase().starts_with(name));
        let number = match named {
            Some(at) => u8::try_from(at)? + least,
            None => text.parse().with_context(|| format!("{text} is no number"))?,
        };
        ensure!((least..=most).contains(&number), "{number} is not {least} to {most}");
        Ok(number)
    };
    let mut all = Vec::new();
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let (first, last) = match (range, range.split_once('-')) {
            ("*", _) => (least, most),
            (_, Some((first, last))) => (number(first)?, number(last)?),
            _ => (number(range)?, if step.is_some() { most } else { number(range)? }),
        };
        let step: usize = step.unwrap_or("1").parse().with_context(|| format!("{part}: no step"))?;
        ensure!(step > 0, "{part}: no step");
        all.extend((first..=last).step_by(step));
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, after: &str) -> String {
        Ncrontab::parse(schedule).unwrap().after(after.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn six_fields_begin_with_seconds_and_five_with_minutes() {
        assert_eq!(next("0 15 * * * *", "2026-11-22T06:15:00Z"), "2026-11-22T07:15:00Z");
        assert_eq!(next("15 * * * *", "2026-11-22T06:15:00Z"), "2026-11-22T07:15:00Z");
        assert_eq!(next("*/20 * * * * *", "2026-11-22T06:15:01Z"), "2026-11-22T06:15:20Z");
    }

    #[test]
    fn a_day_agrees_with_both_its_fields() {
        assert_eq!(next("0 0 0 13 * Fri", "2026-11-22T00:00:00Z"), "2027-08-13T00:00:00Z");
        assert_eq!(next("0 0 0 29 Feb *", "2026-11-22T00:00:00Z"), "2028-02-29T00:00:00Z");
        assert_eq!(next("0 0 9 * * 1-5", "2026-11-21T00:00:00Z"), "2026-11-23T09:00:00Z");
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for wrong in ["* * * *", "60 * * * * *", "0 0 0 * * 7", "0 */0 * * * *", "x * * * * *"] {
            assert!(Ncrontab::parse(wrong).is_err(), "{wrong}");
        }
    }
}
