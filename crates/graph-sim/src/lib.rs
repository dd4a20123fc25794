//! A strict, stateful stand-in for the parts of Microsoft Graph that deal with users, their photos and change
//! notifications, with a sign-in service and a managed-identity endpoint.
//!
//! Written from public documentation and public reports only (each answer in `answers/*.json` names its source), never
//! from a client: it must not agree with a client's mistake. Calls that a correct client never makes are refused as
//! Graph does and recorded as violations.
//!
//! It listens on loopback only, checks no signatures and guards nothing.

mod answers;
mod auth;
mod batch;
mod config;
mod control;
mod delivery;
mod delta;
mod directory;
mod drawing;
mod endpoints;
mod faults;
mod groups;
mod handshake;
mod holds;
mod inner;
mod journal;
mod lifecycle;
mod no_photo;
mod outbox;
mod people;
mod photo_settings;
mod photos;
mod pictures;
mod rates;
mod routes;
mod server;
mod settings;
mod sim;
mod splice;
mod subscription_request;
mod subscriptions;
mod tenant;
mod throttle;
mod users;
mod wire;

pub use config::{App, Config, roles};
pub use directory::Shown;
pub use endpoints::EndpointState;
pub use faults::{Fault, Pattern, RetryAfter, Rule, Scope};
pub use holds::{Hold, Point};
pub use journal::{BatchItem, Request, Requests, Violation};
pub use no_photo::NoPhoto;
pub use outbox::{Pending, Post, Tally};
pub use people::User;
pub use photo_settings::{PhotoSource, PhotoUpdateSettings};
pub use settings::{Notify, Offsets, SequenceNumbers, Settings};
pub use sim::Sim;
pub use subscriptions::Subscription;
pub use tenant::Tenant;

/// Locks even after a panic elsewhere: the simulator's state stays readable for the test that failed.
fn locked<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
