//! Work that goes on when the browser that asked for it goes away.

use std::fmt::Debug;

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// Runs work to its end on a thread of its own, whatever becomes of who waits for it. The work need not move between
/// threads, unlike what a page awaits.
#[derive(Debug, Clone)]
pub(super) struct DetachedWork(TaskTracker);

impl DetachedWork {
    pub(super) fn new(tasks: TaskTracker) -> Self {
        Self(tasks)
    }

    /// Begins at once. `work` makes the future on its thread.
    pub(super) async fn run<T, F>(&self, work: impl FnOnce() -> F + Send + 'static) -> anyhow::Result<T>
    where
        T: Debug + Send + 'static,
        F: Future<Output = T>,
    {
        Ok(self.begin(work).await?)
    }

    /// The same without waiting for its end.
    pub(super) fn begin<T, F>(&self, work: impl FnOnce() -> F + Send + 'static) -> tokio::task::JoinHandle<T>
    where
        T: Debug + Send + 'static,
        F: Future<Output = T>,
    {
        let token = self.0.token();
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            let _token = token;
            runtime.block_on(work())
        })
    }

    /// Once all work that was begun is done.
    pub(super) async fn finished(&self) {
        self.0.close();
        self.0.wait().await;
    }
}
