//! The package under the Functions host: the program that ships, unpacked from the zip, behind a stand-in for the host,
//! which drives its queues and timers against an Azurite.

use std::fs::{self, File};
use std::net::TcpListener;

use graph_sim::Sim;
use host_sim::{HostFaults, HostOptions, RunningHost};
use photorelay_core::names::{CHECKS_QUEUE, SUBSCRIPTIONS_QUEUE};
use photorelay_core::storage::Storage;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;
use zip::ZipArchive;

use crate::azurite::Azurite;
use crate::variables::{PATIENCE, app, azure, until};

/// A running host with the package.
pub struct Hosted {
    pub running: RunningHost,
    _folder: TempDir,
}

/// Where the host will listen: the address is a setting of the program, so it has to be known before the host starts.
pub fn url() -> Url {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    Url::parse(&format!("http://{address}")).unwrap()
}

impl Hosted {
    pub async fn start(sim: &Sim, azurite: &Azurite, url: &Url, edit: fn(&mut HostOptions)) -> Self {
        let folder = unpacked();
        let mut options = HostOptions::new(folder.path());
        options.listen = url.socket_addrs(|| None).unwrap()[0];
        let mut variables = app(sim);
        variables.extend(azure(&azurite.blob, &azurite.queue));
        variables.push(("PHOTORELAY_PUBLIC_URL", url.to_string()));
        options.environment = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        options.queue_service = Some(azurite.queue.clone());
        // An answer that is no JSON object would be a failure, not a test that hangs.
        options.faults = HostFaults { fail_fast: true, ..HostFaults::default() };
        edit(&mut options);
        Self { running: RunningHost::start(options).await.unwrap(), _folder: folder }
    }

    pub async fn run_timer(&self, name: &str, is_late: bool) {
        let status = json!({ "Last": "0001-01-01T00:00:00", "Next": "2026-11-22T07:15:00+00:00" });
        self.running.run_timer(name, Some(status), is_late).await.unwrap();
    }

    /// Returns when no message is left, waiting ones included.
    pub async fn drained(&self, storage: &Storage) {
        let empty = async |queue| storage.queues.count(queue).await.unwrap() == 0;
        self.brings("empty queues", until(async || empty(CHECKS_QUEUE).await && empty(SUBSCRIPTIONS_QUEUE).await))
            .await;
    }

    /// Waits for something that the package makes happen.
    pub async fn brings(&self, what: &str, happened: impl Future<Output = ()>) {
        if tokio::time::timeout(PATIENCE, happened).await.is_err() {
            let running = &self.running;
            panic!(
                "{what} do not come: {:?}\n{:?}\n{:#?}",
                *running.log().borrow(),
                *running.invocations().borrow(),
                *running.lines().borrow()
            );
        }
    }

    /// Why invocations failed.
    pub fn failures(&self) -> Vec<String> {
        self.running.invocations().borrow().iter().filter_map(|invocation| invocation.error.clone()).collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration but what was packaged for them")]
fn unpacked() -> TempDir {
    let name = "PHOTORELAY_TEST_PACKAGE";
    let zip = std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"));
    let folder = TempDir::new().unwrap();
    ZipArchive::new(File::open(zip).unwrap()).unwrap().extract(folder.path()).unwrap();
    let file = folder.path().join("host.json");
    let mut host: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    // A failed message comes back at once, and queues are polled often.
    host["extensions"]["queues"]["visibilityTimeout"] = json!("00:00:00");
    host["extensions"]["queues"]["maxPollingInterval"] = json!("00:00:00.1");
    fs::write(file, host.to_string()).unwrap();
    folder
}
