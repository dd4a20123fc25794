//! Behaviour of the simulator over HTTP, by area. One binary, so that it links once.

#[path = "sim/batches.rs"]
mod batches;
#[path = "sim/controls.rs"]
mod controls;
#[path = "sim/delta.rs"]
mod delta;
#[path = "sim/endpoints.rs"]
mod endpoints;
#[path = "sim/faults.rs"]
mod faults;
#[path = "sim/helpers.rs"]
mod helpers;
#[path = "sim/lifecycle.rs"]
mod lifecycle;
#[path = "sim/limits.rs"]
mod limits;
#[path = "sim/notifications.rs"]
mod notifications;
#[path = "sim/people.rs"]
mod people;
#[path = "sim/photo_settings.rs"]
mod photo_settings;
#[path = "sim/photos.rs"]
mod photos;
#[path = "sim/program.rs"]
mod program;
#[path = "sim/sign_in.rs"]
mod sign_in;
#[path = "sim/subscriptions.rs"]
mod subscriptions;
