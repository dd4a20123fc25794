//! The settings of the photo endpoint.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use photorelay_core::settings::{Environment, Problems, Reader};
use photorelay_core::telemetry::LogSettings;

use super::{AgentIdentity, AzureSettings};
use crate::certificate;
use crate::photo_server::{PhotoServerSettings, TlsFiles};

const DEFAULT_LISTEN: &str = "127.0.0.1:7073";
const DEFAULT_PER_MINUTE: u32 = 600;
const DEFAULT_REFRESH: Duration = Duration::from_secs(300);

/// Every setting of `serve-photos`.
#[derive(Debug, Clone)]
pub struct PhotoServerConfig {
    pub azure: AzureSettings,
    pub listen: SocketAddr,
    pub tls: Option<TlsFiles>,
    pub server: PhotoServerSettings,
    pub logs: LogSettings,
}

impl PhotoServerConfig {
    /// Reads every setting; the error names all that are missing or wrong.
    pub fn read(environment: &Environment) -> Result<Self, Problems> {
        let mut reader = Reader::new(environment);
        let identity = AgentIdentity::read(&mut reader);
        let azure = AzureSettings::read(&mut reader);
        let listen: Option<SocketAddr> = reader.or_default("PHOTORELAY_PHOTOS_LISTEN", DEFAULT_LISTEN);
        let tls = tls(&mut reader);
        let behind_proxy = reader.flag("PHOTORELAY_PHOTOS_BEHIND_PROXY");
        if listen.is_some_and(|address| !address.ip().is_loopback()) && tls.is_none() && !behind_proxy {
            reader.problem(
                "PHOTORELAY_PHOTOS_LISTEN is reachable from the network, and there is no TLS: set \
                 PHOTORELAY_PHOTOS_CERTIFICATE_FILE and _KEY_FILE, or PHOTORELAY_PHOTOS_BEHIND_PROXY=true if a reverse \
                 proxy terminates TLS and nothing else reaches this port",
            );
        }
        let per_minute = reader.optional("PHOTORELAY_PHOTOS_PER_MINUTE").unwrap_or(DEFAULT_PER_MINUTE);
        if per_minute == 0 {
            reader.problem("PHOTORELAY_PHOTOS_PER_MINUTE must be at least 1");
        }
        let refresh = reader.positive_seconds("PHOTORELAY_PHOTOS_REFRESH_SECONDS", DEFAULT_REFRESH);
        let logs = LogSettings::read(&mut reader);
        reader.finish(|| {
            let AgentIdentity { tenant_id, target, .. } = identity?;
            let server = PhotoServerSettings { tenant: tenant_id, serving: target, refresh, per_minute, behind_proxy };
            Some(Self { azure: azure?, listen: listen?, tls, server, logs })
        })
    }

    /// Whether the storage is verified by the CA certificates of this machine, and there are none.
    pub fn lacks_authorities(&self) -> bool {
        self.azure.storage.needs_authorities() && !certificate::machine_has_authorities()
    }
}

fn tls(reader: &mut Reader<'_>) -> Option<TlsFiles> {
    const NAMES: [&str; 2] = ["PHOTORELAY_PHOTOS_CERTIFICATE_FILE", "PHOTORELAY_PHOTOS_KEY_FILE"];
    match NAMES.map(|name| reader.optional::<PathBuf>(name)) {
        [Some(certificate), Some(key)] => Some(TlsFiles { certificate, key }),
        [None, None] => None,
        _ => {
            reader.problem(&format!("{} and {} belong together: set both or neither", NAMES[0], NAMES[1]));
            None
        }
    }
}
