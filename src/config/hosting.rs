//! How the functions are run.

use std::net::SocketAddr;
use std::time::Duration;

use photorelay_core::settings::Reader;

use crate::jobs::sweep::DEFAULT_TIME_LIMIT;

#[derive(Debug, Clone)]
pub struct HostingSettings {
    /// Standalone: where Graph's notifications are received.
    pub listen: SocketAddr,
    /// Standalone: functions that are not run, named as the host names them in `AzureWebJobs.{name}.Disabled`.
    pub disabled: Vec<String>,
    /// How long a sweep, and standalone a message, is leased before the lease is renewed. The work of a process that
    /// died is taken over after that time.
    pub lease: Duration,
    /// A sweep that runs as a function ends after this time and is continued by a message.
    pub sweep_time_limit: Duration,
}

const LISTEN: &str = "127.0.0.1:7071";

impl Default for HostingSettings {
    fn default() -> Self {
        Self {
            listen: LISTEN.parse().expect("the default is an address"),
            disabled: Vec::new(),
            lease: Duration::from_secs(30),
            sweep_time_limit: DEFAULT_TIME_LIMIT,
        }
    }
}

impl HostingSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let defaults = Self::default();
        let listen = reader.or_default("PHOTORELAY_LISTEN", LISTEN);
        let lease = reader.positive_seconds("PHOTORELAY_LEASE_SECONDS", defaults.lease);
        let sweep_time_limit = reader.seconds("PHOTORELAY_SWEEP_SECONDS", defaults.sweep_time_limit);
        let disabled = disabled(reader);
        Some(Self { listen: listen?, disabled, lease, sweep_time_limit })
    }
}

/// The host's own way of switching a function off.
fn disabled(reader: &mut Reader<'_>) -> Vec<String> {
    let functions = ["propagate", "subscribe", "sweep"].iter();
    let disabled = functions.filter(|name| reader.flag(&format!("AzureWebJobs.{name}.Disabled")));
    disabled.map(|name| (*name).to_owned()).collect()
}
