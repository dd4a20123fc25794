//! The figures of a day.

use jiff::SignedDuration;
use photorelay_core::contract::{CaptureFigures, FoundBy, WritebackFigures};

use crate::{golden, time};

#[test]
fn the_figures_of_a_day_are_as_agreed() {
    let day = "2026-05-24".parse().unwrap();
    let capture = CaptureFigures {
        sweeps: 23,
        failed_sweeps: 1,
        found_by: Some(FoundBy { notification: 40, sweep: 2 }),
        people: 2200,
        held: 3,
        ..CaptureFigures::of(day, time())
    };
    golden("figures-capture.json", &capture);
    let mut writeback =
        WritebackFigures { written: 41, noted: 3, ..WritebackFigures::of("ad", "agent-1", day, time()) };
    writeback.latency.count(SignedDuration::from_millis(40));
    golden("figures-writeback.json", &writeback);
}
