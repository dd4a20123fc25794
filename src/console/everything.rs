//! Approving or rejecting everything that is undecided: in the background, once at a time, a person after the other.
//!
//! A person of whom something cannot be decided ends nothing for the others. It can be stopped between two people, and
//! what became of it is shown until another one begins.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use photorelay_core::approvals::{ApprovalChoice, ApprovalError, Approvals, HeldUsers};
use photorelay_core::contract::Verdict;
use photorelay_core::id::UserId;
use photorelay_core::operator::OperatorSignature;
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use tokio_util::sync::CancellationToken;

use super::detached::DetachedWork;

/// Failures that are kept for the page; the log has all of them.
const MAX_FAILURES: usize = 20;

#[derive(Debug)]
pub(super) struct DecidingEverything {
    storage: Storage,
    workshop: DetachedWork,
    stop: CancellationToken,
    stage: Arc<Mutex<DecidingStage>>,
}

#[derive(Debug, Clone, Default)]
pub(super) enum DecidingStage {
    #[default]
    NeverAsked,
    Runs {
        verdict: Verdict,
        since: Timestamp,
        decided: Arc<AtomicU64>,
    },
    Done(Arc<EverythingDecided>),
}

/// What became of it.
#[derive(Debug)]
pub(super) struct EverythingDecided {
    pub(super) verdict: Verdict,
    pub(super) at: Timestamp,
    pub(super) decided: u64,
    /// Approvals, among these, that no message announces.
    pub(super) unannounced: u64,
    /// People of whom something could not be decided.
    pub(super) failed: u64,
    /// The first of them, with the reason.
    pub(super) failures: Vec<(UserId, String)>,
    /// Why it ended before all people were seen.
    pub(super) problem: Option<String>,
}

impl DecidingEverything {
    pub(super) fn new(storage: Storage, workshop: DetachedWork) -> Self {
        Self { storage, workshop, stop: CancellationToken::new(), stage: Arc::default() }
    }

    /// False if one runs already.
    pub(super) fn start(&self, targets: Vec<Approvals>, verdict: Verdict, signature: OperatorSignature) -> bool {
        let mut stage = locked(&self.stage);
        if matches!(*stage, DecidingStage::Runs { .. }) {
            return false;
        }
        let decided = Arc::new(AtomicU64::new(0));
        *stage = DecidingStage::Runs { verdict, since: Timestamp::now(), decided: Arc::clone(&decided) };
        let (storage, stop, stage) = (self.storage.clone(), self.stop.clone(), Arc::clone(&self.stage));
        self.workshop.begin(async move || {
            let mut run = DecidingRun::new(targets, verdict, signature, decided);
            let problem = match run.all(&storage, &stop).await {
                Ok(true) => None,
                Ok(false) => Some("the console was ended".to_owned()),
                Err(error) => Some(error.to_string()),
            };
            let decided = run.decided.load(Ordering::Relaxed);
            tracing::info!(decided, failed = run.failed, ?verdict, "decided at the console");
            let DecidingRun { unannounced, failed, failures, .. } = run;
            let at = Timestamp::now();
            let outcome = EverythingDecided { verdict, at, decided, unannounced, failed, failures, problem };
            *locked(&stage) = DecidingStage::Done(Arc::new(outcome));
        });
        true
    }

    /// After the person whose turn it is.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    pub(super) fn stage(&self) -> DecidingStage {
        locked(&self.stage).clone()
    }
}

struct DecidingRun {
    targets: Vec<Approvals>,
    verdict: Verdict,
    signature: OperatorSignature,
    decided: Arc<AtomicU64>,
    unannounced: u64,
    failed: u64,
    failures: Vec<(UserId, String)>,
}

impl DecidingRun {
    fn new(targets: Vec<Approvals>, verdict: Verdict, signature: OperatorSignature, decided: Arc<AtomicU64>) -> Self {
        Self { targets, verdict, signature, decided, unannounced: 0, failed: 0, failures: Vec::new() }
    }

    /// False if it was stopped.
    async fn all(&mut self, storage: &Storage, stop: &CancellationToken) -> Result<bool, StoreError> {
        let mut held = HeldUsers::new(&*storage.blobs);
        while let Some(user) = held.next().await? {
            if stop.is_cancelled() {
                return Ok(false);
            }
            if let Err(error) = self.one(user).await {
                tracing::error!(user.id = %user, %error, "not decided at the console");
                self.failed += 1;
                if self.failures.len() < MAX_FAILURES {
                    self.failures.push((user, error.to_string()));
                }
            }
        }
        Ok(true)
    }

    async fn one(&mut self, user: UserId) -> Result<(), ApprovalError> {
        for approvals in &self.targets {
            let undecided = approvals.pending(Some(user)).await?.into_iter().filter(|item| item.verdict.is_none());
            let choices = undecided.map(|item| ApprovalChoice { user, seq: item.held.seq, value: item.held.value });
            let choices: Vec<_> = choices.collect();
            if !choices.is_empty() {
                let decided = approvals.decide_some(&choices, self.verdict, &self.signature).await?;
                self.decided.fetch_add(decided.items.len() as u64, Ordering::Relaxed);
                self.unannounced += decided.log_unannounced() as u64;
                if let Some((_, error)) = decided.failed {
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

fn locked(stage: &Mutex<DecidingStage>) -> MutexGuard<'_, DecidingStage> {
    stage.lock().unwrap_or_else(PoisonError::into_inner)
}
