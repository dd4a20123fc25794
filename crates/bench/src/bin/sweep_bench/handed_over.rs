//! A sweep in runs of limited length: the program serves as under the Functions host, the timer starts the sweep, and
//! each message that a run leaves in the queue of checks starts the next run.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use photorelay_bench::{finish, graph_requests};
use serde_json::{Value, json};

use crate::{command, peak, settled_tenant};

/// The program is given this long to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// More runs than any limit asks for.
const MOST_RUNS: usize = 10_000;

pub(crate) async fn measure(program: &Path, people: usize, limit_seconds: u64, latency_ms: u64) -> Result<Value> {
    let (sim, account, settings) = settled_tenant(people).await?;
    sim.set(|settings| settings.latency_ms = [latency_ms; 2]);
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let [blobs, queues] = settings;
    let settings = [
        blobs,
        queues,
        ("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string()),
        ("PHOTORELAY_SWEEP_SECONDS", limit_seconds.to_string()),
    ];
    let mut command = command(program, &["serve"], &sim, &settings);
    let host = Host {
        client: reqwest::Client::builder().no_proxy().build()?,
        url: format!("http://127.0.0.1:{port}"),
        program: Program(
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("the program does not start")?,
        ),
    };
    host.is_up().await?;
    // The first sweep lists the tenant, which later ones do not.
    let listing = host.sweep(&account).await?;
    sim.clear_requests();
    account.reset();
    let runs = host.sweep(&account).await?;
    let longest = runs.iter().map(|run| run.took).max().unwrap_or_default();
    let last = runs.last().context("there is one run at least")?;
    ensure!(
        runs[..runs.len() - 1].iter().all(|run| !run.is_complete) && last.is_complete,
        "only the last run completes"
    );
    let figures = json!({
        "people": people,
        "limit_seconds": limit_seconds,
        "latency_ms": latency_ms,
        "first_runs": listing.len(),
        "runs": runs.len(),
        "longest_run_seconds": longest.as_secs_f64(),
        "graph": graph_requests(&sim),
        "storage": account.counts(),
        "peak_mib": peak(host.program.0.id()),
    });
    drop(host);
    finish(&sim).await?;
    Ok(figures)
}

struct Host {
    client: reqwest::Client,
    url: String,
    program: Program,
}

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct OneRun {
    took: Duration,
    is_complete: bool,
}

impl Host {
    async fn is_up(&self) -> Result<()> {
        let started = Instant::now();
        while self.client.get(&self.url).send().await.is_err() {
            ensure!(started.elapsed() < PATIENCE, "the program does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// From the timer to the last run.
    async fn sweep(&self, account: &crate::account::SyntheticAccount) -> Result<Vec<OneRun>> {
        let mut runs =
            vec![self.run("sweep", &json!({ "Data": { "timer": { "IsPastDue": false } }, "Metadata": {} })).await?];
        while let Some(message) = account.next_check() {
            let metadata = json!({ "DequeueCount": "1" });
            runs.push(self.run("propagate", &json!({ "Data": { "msg": message }, "Metadata": metadata })).await?);
            if runs.len() > MOST_RUNS {
                bail!("the sweep does not come to an end");
            }
        }
        Ok(runs)
    }

    async fn run(&self, function: &str, invocation: &Value) -> Result<OneRun> {
        let started = Instant::now();
        let request = self.client.post(format!("{}/{function}", self.url)).header("content-type", "application/json");
        let answer = request.body(invocation.to_string()).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{function} answered {status}: {text}");
        Ok(OneRun { took: started.elapsed(), is_complete: !text.contains("ended early") })
    }
}
