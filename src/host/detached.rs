//! Work that goes on when its caller goes away.
//!
//! The caller does the work itself, which costs no task as long as it stays. What is left of the work when the caller is
//! dropped becomes a task of its own. This must never let work end half way: only the end of the process does.

use std::mem;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Fuse, FusedFuture as _};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The work panicked; the panic is logged.
#[derive(Debug)]
pub(super) struct Panicked;

/// See the head of this file.
pub(super) struct Detached<T: Send + 'static> {
    work: Fuse<BoxFuture<'static, Result<T, Panicked>>>,
    /// Has the end of the process wait for this work, also while its caller does it.
    pending: TaskTrackerToken,
}

impl<T: Send + 'static> Detached<T> {
    pub(super) fn new(tasks: &TaskTracker, work: impl Future<Output = T> + Send + 'static) -> Self {
        let work = AssertUnwindSafe(work).catch_unwind().map(|done| done.map_err(|_| Panicked));
        Self { work: work.boxed().fuse(), pending: tasks.token() }
    }
}

impl<T: Send + 'static> Future for Detached<T> {
    type Output = Result<T, Panicked>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.work.poll_unpin(context)
    }
}

impl<T: Send + 'static> Drop for Detached<T> {
    fn drop(&mut self) {
        let work = mem::replace(&mut self.work, Fuse::terminated());
        // Without a runtime the process ends, and nothing was acknowledged.
        if !work.is_terminated()
            && let Ok(runtime) = Handle::try_current()
        {
            self.pending.task_tracker().spawn_on(work, &runtime);
        }
    }
}
