//! The way of a photo, checked in every interleaving within small bounds: two workers that look at one person, two
//! agents that write, and an environment that repeats, loses, kills and answers with the past.
//!
//! `propagate.rs` and `agent.rs` follow the program's own order of operations and have to change together with it.
//! What is promised is in `properties.rs`. A mutated protocol has to break a promise, or the model proves nothing.

#![allow(clippy::too_many_lines, reason = "a model's step is one match over all that can happen next")]

mod agent;
mod explorer;
mod propagate;
mod properties;
mod protocol;
mod world;

use explorer::{Counterexample, Explored, explore};
use world::Photo::{A, B, C};
use world::{Bounds, Budget, Etags, Mutation};

const NOTHING: Budget = Budget {
    crashes: 0,
    repeats: 0,
    stale_reads: 0,
    lost_notifications: 0,
    lost_heads: 0,
    lost_answers: 0,
    holds: 0,
    sweeps: 0,
};

/// Two workers and a photo that comes back.
const WORKERS: Bounds =
    Bounds { script: &[A, B, A], etags: Etags::Unique, workers: 2, agents: 0, budget: NOTHING, mutation: None };

/// Two agents, and a trail that grows while they write.
const AGENTS: Bounds = Bounds { workers: 0, agents: 2, ..WORKERS };

/// Explores all of it, and fails with the way to the first broken promise. The floor is there so that bounds which
/// allow next to nothing do not look like a proof.
fn holds(bounds: Bounds, floor: usize) {
    let explored = explore(&bounds).unwrap_or_else(|counterexample| panic!("{bounds:?}\n{counterexample}"));
    let Explored { states, steps, rests } = explored;
    println!("{states} states, {steps} steps, {rests} ways to rest: {bounds:?}");
    assert!(states >= floor, "only {states} states were explored, and there should be at least {floor}");
    assert!(rests > 0, "nothing ever came to rest");
}

fn holds_with_both_etags(bounds: Bounds, floor: usize) {
    holds(Bounds { etags: Etags::Unique, ..bounds }, floor);
    holds(Bounds { etags: Etags::Returning, ..bounds }, floor);
}

/// The counterexample of a protocol that was made wrong.
fn finds(mutation: Mutation, bounds: Bounds, broken: &str) -> Counterexample {
    let counterexample = explore(&Bounds { mutation: Some(mutation), ..bounds })
        .map(|explored| panic!("{mutation:?} was not noticed in {explored:?}"))
        .unwrap_err();
    println!("{mutation:?}: {counterexample}");
    assert!(counterexample.broken.contains(broken), "{mutation:?} broke something else: {counterexample}");
    *counterexample
}

#[test]
fn two_workers_and_a_repeated_notification_commit_each_version_once() {
    holds_with_both_etags(Bounds { budget: Budget { repeats: 1, ..NOTHING }, ..WORKERS }, 35_000);
}

#[test]
fn a_worker_may_die_anywhere_twice() {
    holds_with_both_etags(Bounds { budget: Budget { crashes: 2, ..NOTHING }, ..WORKERS }, 55_000);
}

#[test]
fn a_lost_head_costs_looks_and_nothing_else() {
    holds_with_both_etags(Bounds { budget: Budget { lost_heads: 1, ..NOTHING }, ..WORKERS }, 25_000);
}

#[test]
fn a_commit_whose_answer_was_lost_is_done_once() {
    holds_with_both_etags(Bounds { budget: Budget { lost_answers: 1, ..NOTHING }, ..WORKERS }, 25_000);
}

#[test]
fn the_sweep_finds_what_no_notification_announced() {
    holds_with_both_etags(Bounds { budget: Budget { lost_notifications: 2, ..NOTHING }, ..WORKERS }, 15_000);
}

#[test]
fn graph_may_answer_with_the_past_while_a_worker_dies() {
    let budget = Budget { crashes: 1, stale_reads: 1, ..NOTHING };
    holds(Bounds { etags: Etags::Returning, budget, ..WORKERS }, 100_000);
    holds(Bounds { script: &[A, B], budget, ..WORKERS }, 12_000);
}

#[test]
fn a_crash_a_stale_read_and_a_sweep_beside_two_workers() {
    let budget = Budget { crashes: 1, stale_reads: 1, sweeps: 1, ..NOTHING };
    holds(Bounds { script: &[A, B], budget, ..WORKERS }, 120_000);
}

#[test]
fn sweeps_and_the_hold_time_settle_no_stale_photo() {
    let budget = Budget { stale_reads: 3, sweeps: 2, holds: 2, ..NOTHING };
    holds(Bounds { script: &[A, B], workers: 1, budget, ..WORKERS }, 100_000);
}

/// The limit of settling: with ETags that come back, a photo that is there for the fetch and gone for the reads of
/// the ETag, twice and a hold time apart, is believed. The periodic fetch of everybody's bytes is there for this.
#[test]
fn a_photo_that_blinks_twice_is_mistaken_only_where_etags_come_back() {
    let budget = Budget { sweeps: 1, holds: 1, ..NOTHING };
    let blinking = Bounds { script: &[A, B, A, B, A], workers: 1, budget, ..WORKERS };
    holds(blinking, 100_000);
    let mistaken = explore(&Bounds { etags: Etags::Returning, ..blinking });
    let counterexample = mistaken.expect_err("the settling cannot know better, so the periodic fetch is needed");
    println!("{counterexample}");
}

#[test]
fn two_agents_bring_the_target_up_whoever_dies() {
    let budget = Budget { crashes: 1, repeats: 1, ..NOTHING };
    holds(Bounds { budget, ..AGENTS }, 45_000);
    holds(Bounds { script: &[A, B, C], budget, ..AGENTS }, 35_000);
}

#[test]
fn from_the_notification_to_the_receipt_whoever_dies() {
    let budget = Budget { crashes: 1, ..NOTHING };
    holds(Bounds { script: &[A, B], workers: 1, agents: 2, budget, ..WORKERS }, 35_000);
}

#[test]
fn the_model_finds_a_missing_second_read() {
    finds(Mutation::NoSecondRead, WORKERS, "which Graph never showed under it");
}

#[test]
fn the_model_finds_a_missing_repair() {
    let budget = Budget { crashes: 1, ..NOTHING };
    finds(Mutation::NoRepair, Bounds { script: &[A], budget, ..WORKERS }, "can never come to rest");
    finds(Mutation::NoRepair, WORKERS, "promise 3");
}

#[test]
fn the_model_finds_a_repair_that_announces_nothing() {
    let budget = Budget { crashes: 1, ..NOTHING };
    finds(Mutation::SilentRepair, Bounds { budget, ..WORKERS }, "was never announced");
}

#[test]
fn the_model_finds_a_commit_that_overwrites() {
    finds(Mutation::OverwritingCommit, WORKERS, "entries were written");
}

#[test]
fn the_model_finds_a_stale_fetch_used_twice() {
    finds(Mutation::StaleFetchUsedTwice, WORKERS, "promise");
}

#[test]
fn the_model_finds_a_head_written_before_the_announcement() {
    let budget = Budget { crashes: 1, ..NOTHING };
    finds(Mutation::HeadBeforeAnnouncement, Bounds { budget, ..WORKERS }, "was never announced");
}

#[test]
fn the_model_finds_a_head_settled_at_once() {
    let budget = Budget { stale_reads: 3, sweeps: 2, ..NOTHING };
    finds(Mutation::SettledAtOnce, Bounds { script: &[A, B], workers: 1, budget, ..WORKERS }, "promise");
}

#[test]
fn the_model_finds_a_hold_time_that_is_counted_to_the_end_of_the_look() {
    let budget = Budget { stale_reads: 3, sweeps: 2, holds: 2, ..NOTHING };
    finds(Mutation::HoldEndsWithLook, Bounds { script: &[A, B], workers: 1, budget, ..WORKERS }, "promise");
}

#[test]
fn the_model_finds_a_sweep_that_trusts_unsettled_heads() {
    finds(Mutation::SweepTrustsUnsettled, Bounds { etags: Etags::Returning, ..WORKERS }, "promise 3");
}

#[test]
fn the_model_finds_a_target_that_is_read_after_the_listing() {
    let counterexample = finds(Mutation::TargetReadLate, AGENTS, "promise 2");
    assert!(counterexample.broken.contains("read the value of entry"));
}

#[test]
fn the_model_finds_a_missing_second_listing() {
    finds(Mutation::NoListAgain, AGENTS, "leaves a receipt instead of repairing it");
}

#[test]
fn the_model_finds_an_agent_that_does_not_compare() {
    finds(Mutation::BlindReplace, Bounds { script: &[A, B, C], ..AGENTS }, "promise 2");
}
