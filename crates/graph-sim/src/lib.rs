//! A strict, stateful stand-in for the parts of Microsoft Graph that deal with users, their photos and change
//! notifications, with a sign-in service and a managed-identity endpoint.
//!
//! Written from public documentation and public reports only (each error in `answers/*.json` names its source), never
//! from a client: it must not share a client's mistake. Calls that a correct client never makes are refused as Graph
//! does and recorded as violations. It listens on loopback only, checks no signatures and protects nothing.
//!
//! Modules depend on each other only downwards: [`Sim`] on `http`, `http` on [`Tenant`], `faults` and `delivery`, the
//! tenant and the delivery on `model`, and `model` on `pictures`.

mod config;
mod delivery;
mod faults;
mod http;
mod locked;
mod model;
mod pictures;
mod settings;
mod sim;
mod tenant;

pub use config::{SimApp, SimConfig, roles};
pub use delivery::{EndpointState, NotificationPost, NotificationTally, PendingNotification};
pub use faults::{Fault, FaultRule, HoldPoint, PatternScope, RequestHold, RequestPattern, RetryAfter};
pub use http::{RecordedItem, RecordedRequest, RequestLog, Violation};
pub use model::{NoPhoto, ShownPhoto, SimPhotoSettings, SimPhotoSource, SimSubscription, SimUser};
pub use settings::{ExpiryOffset, NotificationMode, SequenceNumbers, SimSettings};
pub use sim::Sim;
pub use tenant::{ProvisionedAccount, Rollback, Tenant};
