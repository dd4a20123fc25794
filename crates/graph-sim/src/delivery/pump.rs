//! The loop that sends what is due.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::locked::locked;

use super::notifier::Notifier;
use super::pack::packed;
use super::post::post;

/// Runs until `stop`.
pub(crate) async fn run(notifier: Arc<Notifier>, tasks: TaskTracker, stop: CancellationToken) {
    let mut width = 0;
    let mut posts_at_once = Arc::new(Semaphore::new(0));
    loop {
        let settings = notifier.settings.get();
        if settings.posts_at_once.max(1) != width {
            width = settings.posts_at_once.max(1);
            posts_at_once = Arc::new(Semaphore::new(width));
        }
        notifier.raise_due_reminders();
        for post_due in packed(&notifier, &settings) {
            let permit = tokio::select! {
                permit = posts_at_once.clone().acquire_owned() => permit,
                () = stop.cancelled() => return,
            };
            let (notifier, settings, stop) = (notifier.clone(), settings.clone(), stop.clone());
            tasks.spawn(async move {
                let _permit = permit;
                tokio::select! {
                    () = post(&notifier, &settings, post_due) => {}
                    () = stop.cancelled() => {}
                }
            });
        }
        let due = locked(&notifier.outbox).next_due();
        let next = due.into_iter().chain(notifier.next_reminder()).min();
        let until_next = async {
            match next {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = notifier.changed.notified() => {}
            () = until_next => {}
            () = stop.cancelled() => return,
        }
    }
}
