//! What a rendition costs: processor time of one thread, from the bytes that Graph returned to the bytes of the
//! thumbnail. `cargo xtask bench` also runs other programs on the same files.
//!
//! Prints one line for each file given: its path, a tab, milliseconds.

use std::hint::black_box;
use std::time::{Duration, Instant};

use photorelay_core::photo::{self, PhotoLimits, RenditionSpec};

const WARM_UP: u32 = 20;
/// Photos in one reading of the clock, which is only as fine as the scheduler's tick.
const PHOTOS: u32 = 100;
const READINGS: usize = 5;

fn main() {
    for file in std::env::args().skip(1) {
        let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let (limits, spec) = (PhotoLimits::default(), RenditionSpec::thumbnail_photo());
        let thumbnail = || {
            let photo = photo::decode_for(black_box(&bytes), &limits, spec.side).expect("a photo of the fixtures");
            black_box(photo.render(&spec).expect("a thumbnail"));
        };
        (0..WARM_UP).for_each(|_| thumbnail());
        let mut readings: Vec<Duration> =
            (0..READINGS).map(|_| cost(|| (0..PHOTOS).for_each(|_| thumbnail()))).collect();
        readings.sort();
        println!("{file}\t{:.3}", readings[READINGS / 2].as_secs_f64() * 1000.0 / f64::from(PHOTOS));
    }
}

/// Processor time where the system reports it, otherwise the time on the clock.
fn cost(work: impl FnOnce()) -> Duration {
    let (before, started) = (on_processor(), Instant::now());
    work();
    match (before, on_processor()) {
        (Some(before), Some(after)) => after - before,
        _ => started.elapsed(),
    }
}

/// Linux: nanoseconds that this thread has run (schedstats).
fn on_processor() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(stat.split_whitespace().next()?.parse().ok()?))
}
