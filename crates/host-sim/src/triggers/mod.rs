//! One listener for each kind of trigger: each decides when a function is invoked and what its success or failure means.

pub(crate) mod http;
mod queue;
pub(crate) mod timer;
