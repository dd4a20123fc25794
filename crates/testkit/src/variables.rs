//! The settings of the programs under test as environment variables, and how long tests wait for them.

use std::path::Path;
use std::time::Duration;

use graph_sim::Sim;
use url::Url;

/// What notifications of the tests carry.
pub const CLIENT_STATE: &str = "a-client-state-of-the-tests";

/// The account that runs the commands of the tests.
pub const OPERATOR: &str = "ada";

/// Settings as environment variables.
pub type Variables = Vec<(&'static str, String)>;

/// Nothing that a test waits for takes as long, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What `cargo xtask test` says about a service that it started. Without it a test fails and says so; it is never skipped.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration but what was started for them")]
pub fn service_variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`, which starts the services"))
}

/// The settings of the function app for this tenant.
pub fn app(sim: &Sim) -> Variables {
    vec![
        ("PHOTORELAY_TENANT_ID", sim.tenant_id().to_string()),
        ("PHOTORELAY_CLIENT_ID", sim.client_id().to_string()),
        ("PHOTORELAY_CLIENT_SECRET", sim.client_secret()),
        ("PHOTORELAY_CLIENT_STATE", CLIENT_STATE.to_owned()),
        ("PHOTORELAY_GRAPH_URL", sim.graph_url()),
        ("PHOTORELAY_AUTHORITY_URL", sim.authority_url()),
        ("PHOTORELAY_LISTEN", "127.0.0.1:0".to_owned()),
        ("PHOTORELAY_LEASE_SECONDS", "1".to_owned()),
        ("USER", OPERATOR.to_owned()),
        // A sweep at its time of the hour would make calls that the test does not expect.
        ("AzureWebJobs.sweep.Disabled", "true".to_owned()),
    ]
}

/// The settings for a folder of this machine.
pub fn embedded(path: &Path) -> Variables {
    vec![("PhotoStorage__path", path.display().to_string())]
}

/// The settings for these service URIs.
pub fn azure(blob: &Url, queue: &Url) -> Variables {
    vec![("PhotoStorage__blobServiceUri", blob.to_string()), ("PhotoStorage__queueServiceUri", queue.to_string())]
}

/// Asks again and again until the answer is yes. The caller sets the bound.
pub async fn until<F: Future<Output = bool>>(mut asked: impl FnMut() -> F) {
    let mut interval = tokio::time::interval(Duration::from_millis(25));
    loop {
        interval.tick().await;
        if asked().await {
            return;
        }
    }
}
