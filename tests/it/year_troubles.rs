//! What goes wrong in the simulated year, planned from a seed.

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};

use crate::year::*;

/// What goes wrong, for so many steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    GraphDown,
    SignInDown,
    WebhookDown,
    TokensRevoked,
    DeletedByAdmin,
    SecretRotated,
}

impl Trouble {
    /// How often in a year, and the shortest and longest time in hours.
    pub(crate) const PLAN: [(Trouble, usize, [i64; 2]); 6] = [
        (Trouble::GraphDown, 12, [1, 36]),
        (Trouble::SignInDown, 8, [1, 48]),
        (Trouble::WebhookDown, 12, [1, 24]),
        (Trouble::TokensRevoked, 24, [0, 0]),
        (Trouble::DeletedByAdmin, 24, [0, 0]),
        (Trouble::SecretRotated, 10, [0, 0]),
    ];
}

/// When what begins and ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planned {
    pub(crate) trouble: Trouble,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

pub(crate) fn plan(dice: &mut Rng, start: Timestamp) -> Vec<Planned> {
    let mut all = Vec::new();
    for (trouble, count, [shortest, longest]) in Trouble::PLAN {
        for _ in 0..count {
            let from = start + SignedDuration::from_mins(dice.i64(24 * 60..DAYS * 24 * 60));
            all.push(Planned {
                trouble,
                from,
                to: from + SignedDuration::from_mins(dice.i64(shortest * 60..=longest * 60)),
            });
        }
    }
    all.sort_by_key(|one| one.from);
    all
}
