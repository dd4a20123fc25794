//! What the sweep sees of one user.

use photorelay_core::id::UserId;

use crate::graph::PhotoState;

/// What Graph shows of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Observation {
    State(PhotoState),
    /// Every attempt failed for this one; a check can wait longer for an answer.
    Unreadable,
}

impl Observation {
    pub(super) fn is_photo(&self) -> bool {
        matches!(self, Observation::State(PhotoState::Present { .. }))
    }
}

pub(super) type Observations = Vec<(UserId, Observation)>;
