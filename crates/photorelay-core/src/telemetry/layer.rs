//! Definitions that the subscriber's layers share.

use tracing::Metadata;
use tracing_subscriber::{Layer, Registry};

pub(super) type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Whether an event or span comes from photorelay's own code.
pub(super) fn is_ours(event: &Metadata<'_>) -> bool {
    event.target().starts_with("photorelay")
}
