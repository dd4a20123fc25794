//! What the functions of the manifest do, for the routers that call them.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::readiness::StorageReadiness;
use crate::jobs::lifecycle::Lifecycle;
use crate::jobs::notify::Notify;
use crate::jobs::propagate::Propagate;
use crate::jobs::subscribe::Subscribe;
use crate::jobs::sweep::Sweep;
use crate::jobs::watch::Watch;

/// Everything that a function needs.
#[derive(Debug)]
pub struct Functions {
    pub notify: Notify,
    pub lifecycle: Lifecycle,
    pub propagate: Propagate,
    pub subscribe: Arc<Subscribe>,
    pub sweep: Sweep,
    pub watch: Watch,
    pub storage: StorageReadiness,
    /// What goes on when its caller has gone.
    pub tasks: TaskTracker,
}
