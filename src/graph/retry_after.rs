//! Reads `Retry-After`: whole seconds, a fraction (Graph has sent `2.128`), or an HTTP date.
//!
//! An unreadable value counts as none; a huge one is bounded, because it delays a user's photo.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// No server makes photorelay wait longer than this.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The delay that the server asks for, rounded up to whole seconds.
pub(super) fn parse(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let seconds = match value.parse::<f64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let date = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
            date.duration_since(now).as_secs_f64().max(0.0)
        }
    };
    if !seconds.is_finite() || seconds < 0.0 {
        return None;
    }
    Some(Duration::from_secs_f64(seconds.ceil().min(LONGEST.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(value: &str) -> Option<u64> {
        parse(value, "2026-05-20T11:00:00.25Z".parse().unwrap()).map(|delay| delay.as_secs())
    }

    #[test]
    fn a_number_is_taken_and_a_fraction_is_rounded_up() {
        assert_eq!(seconds("10"), Some(10));
        assert_eq!(seconds("0"), Some(0));
        assert_eq!(seconds("2.128"), Some(3));
        assert_eq!(seconds(" 7 "), Some(7));
    }

    #[test]
    fn a_date_is_the_time_until_then_and_the_past_is_now() {
        assert_eq!(seconds("Wed, 20 May 2026 11:00:30 GMT"), Some(30));
        assert_eq!(seconds("Wed, 20 May 2026 10:00:00 GMT"), Some(0));
    }

    #[test]
    fn nonsense_counts_as_none_and_eternity_as_a_day() {
        for value in ["", "soon", "-1", "NaN", "inf", "Wed, 99 May 2026 11:00:30 GMT"] {
            assert_eq!(seconds(value), None, "{value}");
        }
        assert_eq!(seconds("99999999999"), Some(86_400));
        assert_eq!(seconds("1e300"), Some(86_400));
    }
}
