//! What is promised, in terms of the model.
//!
//! Promise 2: no version is committed twice in a row, an older entry replaces a newer one in the target for no longer
//! than the same agent needs to list again, and in the end the target shows the newest entry.
//! Promise 3: after the last sweep the trail ends with what Graph shows.
//! Promise 4: what Graph showed at rest is in the trail, in order, without gaps, chained, created once; the newest entry
//! is announced and has a receipt.

use crate::agent;
use crate::propagate::{How, Step};
use crate::protocol::Action;
use crate::world::{Bounds, Entry, Etags, World};

type Checked = Result<(), String>;

fn must(holds: bool, broken: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(broken()) }
}

pub(crate) fn always(bounds: &Bounds, world: &World) -> Checked {
    trail_is_chained(world)?;
    trail_is_in_order(bounds, world)?;
    head_is_honest(bounds, world)?;
    if world.drained(bounds) && hints_are_enough(bounds) {
        trail_ends_with_graph(bounds, world, "every hint arrived and was handled")?;
    }
    Ok(())
}

fn trail_is_chained(world: &World) -> Checked {
    let last = world.trail.last();
    must(world.trail.created == last, || {
        format!("promise 4: {} entries were written and {last} exist", world.trail.created)
    })?;
    let mut before: Option<Entry> = None;
    for seq in 1..=last {
        let entry = world.trail.get(seq).ok_or_else(|| format!("promise 4: entry {seq} is missing"))?;
        must(entry.previous == before.map_or(0, |before| before.id), || {
            format!("promise 4: entry {seq} is not chained to the one before it")
        })?;
        must(before.is_none_or(|before| before.seen != entry.seen), || {
            format!("promise 2: entries {} and {seq} have seen the same photo {:?}", seq - 1, entry.seen)
        })?;
        must(world.stored & (1 << entry.seen as u8) != 0, || {
            format!("promise 4: entry {seq} names a photo that is not stored")
        })?;
        before = Some(entry);
    }
    Ok(())
}

/// Where reads are never stale, the trail is what Graph showed, with versions left out but never moved or invented.
fn trail_is_in_order(bounds: &Bounds, world: &World) -> Checked {
    if bounds.budget.stale_reads > 0 {
        return Ok(());
    }
    let mut shown = bounds.script[..=usize::from(world.at)].iter();
    let in_order = world.trail.seen().all(|seen| shown.any(|photo| *photo == seen));
    must(in_order, || "promise 4: the trail is not in the order in which Graph showed it".to_owned())
}

fn head_is_honest(bounds: &Bounds, world: &World) -> Checked {
    let Some(head) = world.head else { return Ok(()) };
    let last = world.trail.last();
    must(head.seq <= last, || format!("the head knows entry {}, and the trail ends at {last}", head.seq))?;
    // Step 8 is there for this. With stale reads or ETags that come back, the settling has to help.
    if bounds.budget.stale_reads == 0
        && bounds.etags == Etags::Unique
        && let (Some(etag), Some(digest)) = (head.etag, head.digest)
    {
        must(bounds.photo_at(etag.0) == digest, || {
            format!("the head says that ETag {} was {digest:?}, which Graph never showed under it", etag.0)
        })?;
    }
    Ok(())
}

/// Without a sweep the trail is complete only if no hint is lost and Graph tells the truth.
fn hints_are_enough(bounds: &Bounds) -> bool {
    bounds.etags == Etags::Unique && bounds.budget.lost_notifications == 0 && bounds.budget.stale_reads == 0
}

fn trail_ends_with_graph(bounds: &Bounds, world: &World, when: &str) -> Checked {
    let newest = world.trail.newest().map(|entry| entry.seen);
    must(newest == Some(bounds.last_photo()), || {
        format!("promise 3: {when}, and the trail ends with {newest:?} while Graph shows {:?}", bounds.last_photo())
    })
}

pub(crate) fn while_it_happens(bounds: &Bounds, before: &World, action: Action, after: &World) -> Checked {
    match action {
        Action::Work { who, .. } => look_at_rest_is_recorded(bounds, before, who, after),
        Action::AgentWork { who } => agent_puts_nothing_older(bounds, before, who, after),
        _ => Ok(()),
    }
}

/// A look that ran while Graph was at rest leaves what Graph showed in the trail. A look that ends at an equal ETag is
/// believed only where the head is settled.
fn look_at_rest_is_recorded(bounds: &Bounds, before: &World, who: usize, after: &World) -> Checked {
    let worker = before.workers[who];
    let complete = match worker.step {
        Step::WriteHead { then_announce, .. } => !then_announce,
        Step::ReadNext { head, .. } => head.settled && worker.how == How::IfChanged,
        _ => false,
    };
    if !(complete && worker.undisturbed && after.workers[who].is_idle()) {
        return Ok(());
    }
    let photo = bounds.photo_at(before.at);
    must(before.trail.seen().any(|seen| seen == photo), || {
        format!("promise 4: worker {who} looked while Graph was at rest, and {photo:?} is not in the trail")
    })
}

fn agent_puts_nothing_older(bounds: &Bounds, before: &World, who: usize, after: &World) -> Checked {
    let agent = before.agents[who];
    match agent.step {
        agent::Step::List { .. } => must(before.trail.last() >= agent.announced, || {
            format!("the trail ends before entry {}, which was announced", agent.announced)
        }),
        agent::Step::Replace { present, newest } if before.target != after.target => {
            must(present.seq <= newest, || {
                format!(
                    "promise 2: agent {who} read the value of entry {}, and replaced it with entry {newest}",
                    present.seq
                )
            })?;
            // A photo that comes back looks like the value that was read. Only then may an older entry get through.
            must(before.target.seq <= newest || bounds.photo_comes_back(), || {
                format!("promise 2: agent {who} replaced entry {} with entry {newest}", before.target.seq)
            })
        }
        agent::Step::Receipt { newest } => must(!agent.put_older, || {
            format!(
                "promise 2: agent {who} put entry {newest} over a newer one, and leaves a receipt instead of repairing it"
            )
        }),
        _ => Ok(()),
    }
}

/// Nothing is left to do, and the last sweep has found nothing.
pub(crate) fn at_rest(bounds: &Bounds, world: &World) -> Checked {
    trail_ends_with_graph(bounds, world, "the last sweep found nothing")?;
    let newest = world.trail.last();
    must(world.announced & (1 << newest) != 0, || format!("promise 3: entry {newest} was never announced"))?;
    if bounds.agents == 0 {
        return Ok(());
    }
    must(world.target.photo == Some(bounds.last_photo()), || {
        format!(
            "promise 2: the trail ends with {:?}, and the target shows {:?}",
            bounds.last_photo(),
            world.target.photo
        )
    })?;
    must(world.receipts & (1 << newest) != 0, || format!("promise 4: entry {newest} has no receipt"))
}
