//! Behavior of the simulator over HTTP, by area. One binary, so that it links once.

mod batches;
mod controls;
mod delta;
mod discovery;
mod endpoints;
mod faults;
mod generated;
mod helpers;
mod lifecycle;
mod limits;
mod notifications;
mod people;
mod photo_settings;
mod photos;
mod program;
mod sign_in;
mod subscriptions;
