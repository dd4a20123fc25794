//! A verification of the whole trail, when an operator asks for one: in the background, and one at a time.
//!
//! It reads everything and changes nothing, so a console that only reads may start it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use photorelay_core::audit::{self, Report, VerifyProgress};
use photorelay_core::storage::Storage;

use super::detached::DetachedWork;

#[derive(Debug)]
pub(super) struct Verification {
    storage: Storage,
    workshop: DetachedWork,
    stage: Arc<Mutex<VerificationStage>>,
}

#[derive(Debug, Clone, Default)]
pub(super) enum VerificationStage {
    #[default]
    NeverAsked,
    Runs {
        since: Timestamp,
        progress: Arc<VerifyProgress>,
    },
    Done {
        at: Timestamp,
        seconds: i64,
        result: Arc<Result<Report, String>>,
    },
}

impl Verification {
    pub(super) fn new(storage: Storage, workshop: DetachedWork) -> Self {
        Self { storage, workshop, stage: Arc::default() }
    }

    /// False if one runs already.
    pub(super) fn start(&self) -> bool {
        let mut stage = locked(&self.stage);
        if matches!(*stage, VerificationStage::Runs { .. }) {
            return false;
        }
        let (since, progress) = (Timestamp::now(), Arc::new(VerifyProgress::default()));
        *stage = VerificationStage::Runs { since, progress: Arc::clone(&progress) };
        let (storage, stage) = (self.storage.clone(), Arc::clone(&self.stage));
        self.workshop.begin(async move || {
            let result = audit::verify_all_watched(&*storage.blobs, &progress).await;
            let at = Timestamp::now();
            let seconds = at.duration_since(since).as_secs();
            let result = Arc::new(result.map_err(|error| error.to_string()));
            *locked(&stage) = VerificationStage::Done { at, seconds, result };
        });
        true
    }

    pub(super) fn stage(&self) -> VerificationStage {
        locked(&self.stage).clone()
    }
}

fn locked(stage: &Mutex<VerificationStage>) -> MutexGuard<'_, VerificationStage> {
    stage.lock().unwrap_or_else(PoisonError::into_inner)
}
