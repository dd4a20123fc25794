//! Forwards a target's CloudEvents to a URL, for consumers that have an endpoint of their own.
//!
//! A message of the queue only says whose trail to read: what is sent is the event of the user's newest entry, so an old,
//! repeated or forged message tells the receiver nothing but the present state. Events carry no photo. Each one leaves a
//! receipt, as every target's writes do, so that the sweep announces again exactly what did not arrive. It must never
//! follow a redirect, send over plain HTTP beyond this machine, or log a URL, which may hold a key. It owns the failure
//! "the receiver is down": messages stay in the queue, and no attempt is used up.

mod forwarder;
mod handler;
mod receiver;
mod signature;

pub use forwarder::{ForwardSettings, Forwarder};
pub use receiver::Receiver;
pub use signature::SigningKey;
