//! The client that jobs hold. What it can do is in the modules that are named after Graph's resources.

use std::fmt;
use std::sync::Arc;

use super::config::{GraphConfig, SetupError};
use super::token::TokenSource;
use super::transport::Transport;

/// The client. Cheap to clone; clones share connections and tokens.
#[derive(Clone)]
pub struct Graph {
    pub(super) transport: Arc<Transport>,
}

impl Graph {
    pub fn new(config: GraphConfig, tokens: Arc<dyn TokenSource>) -> Result<Self, SetupError> {
        Ok(Self { transport: Arc::new(Transport::new(config, tokens)?) })
    }

    /// How much of a limit is used, if Graph has said so within the last seconds: it does from 0.8 on, and refuses
    /// requests above 1.0.
    pub fn limit_percentage(&self) -> Option<f64> {
        self.transport.throttle().current()
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("base_url", &self.transport.base_url().as_str()).finish_non_exhaustive()
    }
}
