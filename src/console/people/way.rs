//! The way of an entry into each target, hop by hop, with the time that each took.

use photorelay_core::hops::{EntryHops, Hop};

use crate::console::render::Moment;

/// The way into one target, or as far as all targets have it in common.
#[derive(Debug)]
pub(super) struct Way {
    /// None while no target has received the entry.
    pub(super) target: Option<String>,
    pub(super) hops: Vec<HopView>,
    /// From its first hop to its last.
    pub(super) total: Option<String>,
}

#[derive(Debug)]
pub(super) struct HopView {
    pub(super) name: String,
    pub(super) at: Moment,
    /// Since the hop before it.
    pub(super) took: Option<String>,
}

pub(super) fn ways(traced: &EntryHops) -> Vec<Way> {
    let views = |hops: &[Hop]| hops.iter().map(HopView::of).collect::<Vec<_>>();
    let received: Vec<Way> = traced
        .targets
        .iter()
        .filter(|target| !target.hops.is_empty())
        .map(|target| Way {
            target: Some(target.target.clone()),
            hops: views(&traced.hops).into_iter().chain(views(&target.hops)).collect(),
            total: target.total_ms.map(milliseconds),
        })
        .collect();
    match received.is_empty() {
        true => vec![Way { target: None, hops: views(&traced.hops), total: None }],
        false => received,
    }
}

impl HopView {
    fn of(hop: &Hop) -> Self {
        Self { name: hop.kind.to_string(), at: Moment(hop.at), took: hop.after_ms.map(milliseconds) }
    }
}

fn milliseconds(time: f64) -> String {
    match time {
        0.0..100.0 => format!("{time:.1} ms"),
        100.0..10_000.0 => format!("{time:.0} ms"),
        10_000.0..600_000.0 => format!("{:.0} s", time / 1e3),
        _ => format!("{:.0} min", time / 6e4),
    }
}
