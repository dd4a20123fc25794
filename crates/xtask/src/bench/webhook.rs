//! Answers of the webhook per second, beside a server that does nothing but answer, and one that reads the same JSON.
//!
//! Each server has one processor core and the load generator the other. All servers are up all the time and take turns
//! in short rounds, so that a slow minute of the machine hits all of them; the figure is the fastest round. The gate is
//! the processor time of the server for each answer, whose reciprocal is the throughput of a core that is busy with
//! nothing else: unlike answers per second it can be compared on a machine that has other work.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::output::program;
use super::table::{BudgetVerdict, FigureRow, FigureTable};
use crate::apt;
use crate::checkout::{self, Checkout};
use crate::process;
use crate::processor;

const CONNECTIONS: [u32; 4] = [1, 16, 64, 256];
const ROUNDS: usize = 3;
const SECONDS: &str = "3s";
const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";

/// Share of what a bare server answers in the same processor time. With one connection, waking up costs most.
const GATE: f64 = 0.85;
/// Share of what a handler answers that reads the notifications with `axum::Json`.
const PARSING_GATE: f64 = 0.95;
const GATED_FROM: u32 = 16;
/// The same where each notification is synchronised to the disk before its answer, in groups.
const DURABLE_GATE: f64 = 0.65;
const DURABLE_AT: [u32; 2] = [64, 256];
const DURABLE_P99_MS: f64 = 6.0;
const HANDLER_P99_MS: f64 = 5.0;

const TENANT: &str = "5f9c7a64-5b2e-4d3f-9d0b-2f6f4c1d9a01";
const PERSON: &str = "0c2b0f5e-7a35-4f0e-8c57-6f2d1c3b4a99";
const CLIENT_STATE: &str = "f3b1c09e5a7d4412b6e80c53d7a9912f";

pub(super) fn measure(checkout: &Checkout, table: &mut FigureTable) -> Result<()> {
    apt::ensure_program("wrk", "wrk")?;
    apt::ensure_program("taskset", "util-linux")?;
    let cores = std::thread::available_parallelism()?.get();
    ensure!(cores >= 2, "the server and the load need a core each; this machine has {cores}");
    let folder = checkout.target.join("bench").join("webhook");
    checkout::remove(&folder)?;
    std::fs::create_dir_all(&folder)?;
    let body = folder.join("notification.json");
    std::fs::write(&body, notification())?;

    let start = |kind| BenchServer::start(checkout, &folder, kind);
    let servers = [start("bare")?, start("parsing")?, start("discarding")?, start("durable")?];
    for connections in CONNECTIONS {
        let mut rounds = [const { Vec::new() }; 4];
        for _ in 0..ROUNDS {
            for (server, rounds) in servers.iter().zip(&mut rounds) {
                rounds.push(server.load(checkout, &body, connections)?);
            }
        }
        add_rows(table, connections, &rounds.map(LoadSummary::of));
    }
    drop(servers);
    checkout::remove(&folder)
}

fn add_rows(table: &mut FigureTable, connections: u32, [bare, parsing, handler, durable]: &[LoadSummary; 4]) {
    let ratio = |summary: &LoadSummary| bare.microseconds / summary.microseconds;
    let measure = |what: &str| format!("webhook, {what}, {connections} connections");
    let peer = || "bare axum".to_owned();
    table.add(FigureRow { measure: measure("bare axum"), figure: bare.figure(1.0), ..FigureRow::default() });

    let (name, figure) = (measure("axum with Json"), parsing.figure(ratio(parsing)));
    table.add(FigureRow { measure: name, figure, peer: peer(), ..FigureRow::default() });

    let of_parsing = parsing.microseconds / handler.microseconds;
    let verdict = match connections >= GATED_FROM {
        true if ratio(handler) < GATE || of_parsing < PARSING_GATE => BudgetVerdict::GateFailed,
        true => BudgetVerdict::of(handler.p99_ms < HANDLER_P99_MS),
        false => BudgetVerdict::NoBudget,
    };
    let budget = format!(">= {GATE} of bare, >= {PARSING_GATE} of Json, p99 < {HANDLER_P99_MS} ms");
    let name = measure("queue forgets");
    let figure = format!("{}, {of_parsing:.2} of Json", handler.figure(ratio(handler)));
    table.add(FigureRow { measure: name, figure, budget, peer: peer(), verdict });

    let (budget, verdict) = if DURABLE_AT.contains(&connections) {
        let budget = format!(">= {DURABLE_GATE} of bare, p99 < {DURABLE_P99_MS} ms");
        let verdict = match ratio(durable) < DURABLE_GATE {
            true => BudgetVerdict::GateFailed,
            false => BudgetVerdict::of(durable.p99_ms < DURABLE_P99_MS),
        };
        (budget, verdict)
    } else {
        (String::new(), BudgetVerdict::NoBudget)
    };
    let (name, figure) = (measure("durable"), durable.figure(ratio(durable)));
    table.add(FigureRow { measure: name, figure, budget, peer: peer(), verdict });
}

/// One server, stopped when dropped.
struct BenchServer {
    child: Child,
    address: String,
}

impl BenchServer {
    fn start(checkout: &Checkout, folder: &Path, kind: &str) -> Result<Self> {
        let bench = program(checkout, "webhook_bench");
        let mut command = Command::new("taskset");
        command
            .args(["--cpu-list", SERVER_CORE])
            .arg(bench.get_program())
            .arg(kind)
            .arg("--dir")
            .arg(folder.join(kind));
        command.args(["--tenant", TENANT, "--client-state", CLIENT_STATE]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("taskset does not start")?;
        // A server from here on, so that it is stopped even if a later step fails.
        let mut server = Self { child, address: String::new() };
        let stdout = server.child.stdout.take().context("the server has no standard output")?;
        BufReader::new(stdout).read_line(&mut server.address)?;
        ensure!(!server.address.is_empty(), "the {kind} server ended before it listened");
        Ok(server)
    }

    fn load(&self, checkout: &Checkout, body: &Path, connections: u32) -> Result<LoadRound> {
        let mut wrk = Command::new("taskset");
        wrk.args(["--cpu-list", LOAD_CORE, "wrk", "--threads", "1", "--duration", SECONDS]);
        wrk.args(["--connections", &connections.to_string(), "--script"]);
        wrk.arg(checkout.xtask().join("bench/notification.lua"));
        wrk.arg(format!("http://{}/api/notifications", self.address.trim())).arg("--").arg(body);
        let before = processor::used(self.child.id())?;
        let output = process::output(&mut wrk)?;
        let used = processor::used(self.child.id())? - before;
        let line = output.lines().find_map(|line| line.strip_prefix("measured ")).context("wrk printed no figures")?;
        let figures: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [requests, microseconds, failed, p50, p99] = figures[..] else {
            bail!("wrk printed other figures than asked for: {line}")
        };
        ensure!(failed == 0.0, "{failed} of {requests} requests failed or were not answered 2xx");
        let per_second = requests / microseconds * 1e6;
        Ok(LoadRound { requests, used, per_second, p50_ms: p50 / 1000.0, p99_ms: p99 / 1000.0 })
    }
}

impl Drop for BenchServer {
    fn drop(&mut self) {
        // Nothing that it stored is needed. An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug, Clone, Copy)]
struct LoadRound {
    requests: f64,
    /// Seconds of the server's processor time.
    used: f64,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

#[derive(Debug)]
struct LoadSummary {
    /// Processor time of one answer.
    microseconds: f64,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl LoadSummary {
    fn of(rounds: Vec<LoadRound>) -> Self {
        let sum = |figure: fn(&LoadRound) -> f64| rounds.iter().map(figure).sum::<f64>();
        let fastest = rounds.iter().max_by(|a, b| a.per_second.total_cmp(&b.per_second));
        let none = LoadRound { requests: 0.0, used: 0.0, per_second: f64::NAN, p50_ms: f64::NAN, p99_ms: f64::NAN };
        let LoadRound { per_second, p50_ms, p99_ms, .. } = *fastest.unwrap_or(&none);
        Self { microseconds: sum(|round| round.used) * 1e6 / sum(|round| round.requests), per_second, p50_ms, p99_ms }
    }

    fn figure(&self, ratio: f64) -> String {
        format!(
            "{:.0}/s, p50 {:.2} ms, p99 {:.2} ms, {:.1} us = {ratio:.2}",
            self.per_second, self.p50_ms, self.p99_ms, self.microseconds
        )
    }
}

/// What Graph posts when one person changed.
fn notification() -> String {
    serde_json::json!({ "value": [{
        "subscriptionId": "b1a6f2c7-2b2e-4f39-a4a4-3e5d5a3f6c11",
        "clientState": CLIENT_STATE,
        "changeType": "updated",
        "resource": format!("Users/{PERSON}"),
        "subscriptionExpirationDateTime": "2030-01-01T00:00:00.0000000Z",
        "resourceData": {
            "@odata.type": "#Microsoft.Graph.User",
            "@odata.id": format!("Users/{PERSON}"),
            "id": PERSON,
            "organizationId": TENANT,
            "sequenceNumber": 638_500_000_000_000_000_u64,
        },
        "tenantId": TENANT,
    }]})
    .to_string()
}
