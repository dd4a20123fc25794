//! An Azurite for one world alone: what one test leaves behind or breaks never reaches another.
//!
//! `cargo xtask test` installs Azurite and names its program and its SAS, which does not depend on the port. Without
//! them a test fails and says so; it is never skipped. The child ends with the pipe to it, however the test ends.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use photorelay_core::settings::{ServiceUri, StorageSettings};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use url::Url;

/// On a busy machine, node alone needs seconds.
const STARTUP: Duration = Duration::from_secs(60);

/// A running Azurite.
#[derive(Debug)]
pub struct Azurite {
    pub blob: Url,
    pub queue: Url,
    /// Killed when it is dropped.
    child: Child,
    /// Kept, so that nothing it prints meets a closed pipe.
    _printed: Lines<BufReader<ChildStdout>>,
}

impl Azurite {
    pub async fn start() -> Self {
        Self::launch(&["--inMemoryPersistence"], [0, 0]).await
    }

    /// One that keeps what it holds in this folder when it is stopped. Port 0 is any port.
    pub async fn kept_in(folder: &Path, ports: [u16; 2]) -> Self {
        Self::launch(&["--location", folder.to_str().expect("a plain path")], ports).await
    }

    /// Lets it finish and save what it holds.
    pub async fn stop(mut self) {
        drop(self.child.stdin.take());
        let ended = tokio::time::timeout(STARTUP, self.child.wait()).await;
        ended.expect("Azurite ends in time").expect("it was started");
    }

    async fn launch(options: &[&str], [blob, queue]: [u16; 2]) -> Self {
        let preload = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../xtask/azurite/preload.cjs");
        let mut node = Command::new("node");
        node.arg("--require").arg(preload).arg(variable("PHOTORELAY_TEST_AZURITE_PROGRAM"));
        node.args(["--silent", "--disableTelemetry"]).args(options);
        for (service, port) in [("blob", blob), ("queue", queue), ("table", 0)] {
            node.args([format!("--{service}Host"), "127.0.0.1".to_owned()]);
            node.args([format!("--{service}Port"), port.to_string()]);
        }
        node.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = node.spawn().expect("node starts Azurite");
        let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
        let ports = tokio::time::timeout(STARTUP, ports(&mut printed)).await.expect("Azurite starts in time");
        Self {
            blob: service("PHOTORELAY_TEST_AZURITE_BLOB", ports.0),
            queue: service("PHOTORELAY_TEST_AZURITE_QUEUE", ports.1),
            child,
            _printed: printed,
        }
    }

    pub fn settings(&self) -> StorageSettings {
        settings(&self.blob, &self.queue)
    }
}

/// The storage behind these service URIs, which carry a SAS.
pub fn settings(blob: &Url, queue: &Url) -> StorageSettings {
    StorageSettings::Azure {
        blob_service: ServiceUri(blob.clone()),
        queue_service: ServiceUri(queue.clone()),
        credential: None,
    }
}

/// The ports that the system chose for blobs and queues, once both are served.
async fn ports(printed: &mut Lines<BufReader<ChildStdout>>) -> (u16, u16) {
    let (mut blob, mut queue) = (None, None);
    while let Some(line) = printed.next_line().await.unwrap() {
        let port = |service: &str| -> Option<u16> {
            let address =
                line.strip_prefix(&format!("Azurite {service} service is successfully listening at http://"))?;
            address.trim().rsplit_once(':')?.1.parse().ok()
        };
        blob = blob.or_else(|| port("Blob"));
        queue = queue.or_else(|| port("Queue"));
        if let (Some(blob), Some(queue)) = (blob, queue) {
            return (blob, queue);
        }
    }
    panic!("Azurite ended while it started");
}

fn service(name: &str, port: u16) -> Url {
    let mut url = Url::parse(&variable(name)).unwrap();
    url.set_port(Some(port)).unwrap();
    url
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration but what installed Azurite for them")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`, which starts Azurite"))
}
