//! Whether the storage has been prepared: `serve` and `run` listen first and prepare it beside, for as long as they live.
//!
//! A program that ended because the storage is not reachable yet, such as before its roles have propagated on a first
//! deployment, would be started again a few times and then take the whole Functions host down, webhook included. Until
//! the storage is prepared, the webhook answers 503, and other invocations fail with the reason.

use std::time::Duration;

use photorelay_core::names::Container;
use photorelay_core::retry::backoff;
use photorelay_core::storage::Storage;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const FIRST_DELAY: Duration = Duration::from_secs(1);
const MAX_DELAY: Duration = Duration::from_secs(30);
/// How long a request waits for the first attempt. Graph counts on an answer within three seconds.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Preparation {
    FirstAttempt,
    Failing,
    Done,
}

/// See the head of this file.
#[derive(Debug, Clone)]
pub struct StorageReadiness(watch::Receiver<Preparation>);

impl StorageReadiness {
    /// For a storage that has been prepared already.
    pub fn ready() -> Self {
        Self(watch::channel(Preparation::Done).1)
    }

    /// Creates the containers and queues that are missing, again and again until it succeeds or is to stop.
    pub fn prepare(storage: Storage, queues: Vec<String>, tasks: &TaskTracker, stop: CancellationToken) -> Self {
        let (state, readiness) = watch::channel(Preparation::FirstAttempt);
        tasks.spawn(async move {
            let prepared = async {
                for retry in 0.. {
                    let Err(error) = storage.ensure(&Container::ALL, &queues).await else { break };
                    state.send_replace(Preparation::Failing);
                    let delay = backoff(FIRST_DELAY, MAX_DELAY, retry);
                    tracing::error!(
                        error = %error,
                        retry_in_s = delay.as_secs(),
                        "the storage is not ready: the webhook answers 503 until it is; after a first deployment, \
                         roles need some minutes to propagate"
                    );
                    tokio::time::sleep(delay).await;
                }
                if state.send_replace(Preparation::Done) == Preparation::Failing {
                    tracing::info!("the storage is ready");
                }
            };
            tokio::select! {
                () = prepared => {}
                () = stop.cancelled() => {}
            }
        });
        Self(readiness)
    }

    /// Whether the storage is prepared, once the first attempt is over.
    pub(super) async fn is_ready(&self) -> bool {
        if !self.is_done() {
            // Boxed, because a request that need not wait has no use for its state.
            Box::pin(self.after_first_attempt()).await;
        }
        self.is_done()
    }

    fn is_done(&self) -> bool {
        *self.0.borrow() == Preparation::Done
    }

    /// Waits for the first attempt, but not for long.
    pub(super) async fn after_first_attempt(&self) {
        let mut attempts = self.0.clone();
        let ended = attempts.wait_for(|state| *state != Preparation::FirstAttempt);
        // Whichever way the wait ends, what the state is then decides.
        let _ = tokio::time::timeout(PATIENCE, ended).await;
    }

    /// Waits until the storage is prepared.
    pub async fn until_ready(&self) {
        // An error means that the preparation was stopped, and with it the program.
        let _ = self.0.clone().wait_for(|state| *state == Preparation::Done).await;
    }
}
