//! Delivery of notifications: raised, packed into POSTs, sent again after a failure, late, lost and duplicated as the
//! settings say.
//!
//! At least once: what an endpoint does not accept with 2xx in time is sent again with growing waits, for hours. Knows
//! the tenant and the endpoints, never the Graph API.

mod body;
mod destination;
mod endpoint_state;
mod handshake;
mod notifier;
mod outbox;
mod pack;
mod post;
mod pump;
mod raise;

pub use endpoint_state::EndpointState;
pub use outbox::{NotificationPost, NotificationTally, PendingNotification};

pub(crate) use destination::is_event_destination;
pub(crate) use handshake::{HandshakeFailure, validate_endpoints};
pub(crate) use notifier::Notifier;
pub(crate) use pump::run;
