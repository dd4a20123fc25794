//! A strict stand-in for the Azure Functions host, for programs that run under it as custom handlers.
//!
//! Written from what the host's source does. It starts a packaged app as the host would, and owns every surprise of
//! the host: envelopes that encode twice, responses that hang, processes that are killed. It uses none of our crates.
//!
//! Modules use only those before them: `decode`, `ncrontab`, `options`, `package` -> `encode`, `worker` -> `host` ->
//! `outputs` -> `invoke` -> `triggers` -> `running`.

mod decode;
mod encode;
mod host;
mod invoke;
mod ncrontab;
mod options;
mod outputs;
mod package;
mod running;
mod triggers;
mod worker;

pub use host::InvocationRecord;
pub use options::{HostFaults, HostOptions};
pub use running::RunningHost;
pub use worker::WorkerState;
