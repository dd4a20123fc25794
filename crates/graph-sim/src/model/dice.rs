//! The random choices of calls and notifications; all of them follow from the seed.

use std::sync::Mutex;

use uuid::Uuid;

use crate::locked::locked;

#[derive(Debug)]
pub(crate) struct Dice(Mutex<fastrand::Rng>);

impl Dice {
    pub(crate) fn with_seed(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    pub(crate) fn guid(&self) -> Uuid {
        guid(&mut locked(&self.0))
    }

    /// True with this probability.
    pub(crate) fn chance(&self, probability: f64) -> bool {
        probability > 0.0 && locked(&self.0).f64() < probability
    }

    pub(crate) fn between(&self, [low, high]: [u64; 2]) -> u64 {
        if high <= low { low } else { locked(&self.0).u64(low..=high) }
    }

    pub(crate) fn coin(&self) -> bool {
        locked(&self.0).bool()
    }

    pub(crate) fn shuffle<T>(&self, items: &mut [T]) {
        locked(&self.0).shuffle(items);
    }

    /// Independent dice, for several choices without a lock.
    pub(crate) fn fork(&self) -> fastrand::Rng {
        locked(&self.0).fork()
    }
}

pub(crate) fn guid(dice: &mut fastrand::Rng) -> Uuid {
    uuid::Builder::from_random_bytes(dice.u128(..).to_le_bytes()).into_uuid()
}
