//! Microsoft Graph as its callers see it, and the only place that knows routes, status codes, headers and error bodies.
//!
//! A call goes through the request log, holds, faults and limits (`pipeline`), then to the handler of its route
//! (`dispatch`); `$batch` sends each of its items the same way.

mod batch;
mod batch_body;
mod call;
mod catalog;
mod control;
mod credentials;
mod delta;
mod delta_link;
mod discovery;
mod dispatch;
mod fault_response;
mod filter;
mod groups;
mod managed_identity;
mod photo_settings;
mod photo_writes;
mod photos;
mod pipeline;
mod query;
mod request_log;
mod response;
mod route;
mod server;
mod sign_in;
mod state;
mod subscription_body;
mod subscriptions;
mod throttling;
mod tokens;
mod users;
mod wire;

pub use request_log::{RecordedItem, RecordedRequest, RequestLog, Violation};

pub(crate) use call::ApiCall;
pub(crate) use response::{ApiResponse, ApiResult};
pub(crate) use server::handle;
pub(crate) use state::ApiState;
pub(crate) use tokens::Caller;
