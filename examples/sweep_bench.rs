//! What a sweep costs. The real program, as an operator starts it, against a simulated Graph; prints one JSON object.
//!
//! `unchanged` sweeps people who are all settled and show what they showed before. Their heads, entries and receipts
//! are not stored anywhere but made up as they are listed, in the wire format of Azure, by a storage service that counts
//! what it is asked for: a hundred thousand people cost no disk, and the program reads what it would read in production.
//!
//! `fill` lets `photorelay sweep --first` fill an empty embedded store.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use clap::{Parser, Subcommand};
use graph_sim::{Notify, Sim};
use photorelay_core::heads::etag_metadata;
use photorelay_core::id::UserId;
use photorelay_core::names;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

const PAGE: usize = 5_000;

#[derive(Parser)]
struct Cli {
    /// `photorelay`, built.
    #[arg(long)]
    program: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Unchanged {
        #[arg(long)]
        people: usize,
    },
    Fill {
        #[arg(long)]
        people: usize,
        #[arg(long)]
        photos: usize,
        /// Of every call to Graph.
        #[arg(long)]
        latency_ms: u64,
        /// Empty folder for the store.
        #[arg(long)]
        dir: PathBuf,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    let answer = match cli.what {
        What::Unchanged { people } => unchanged(&cli.program, people).await?,
        What::Fill { people, photos, latency_ms, dir } => fill(&cli.program, people, photos, latency_ms, dir).await?,
    };
    println!("{answer}");
    Ok(())
}

async fn unchanged(program: &PathBuf, people: usize) -> Result<Value> {
    let sim = Sim::start(graph_sim::Config { users: people, ..graph_sim::Config::default() }).await?;
    sim.set(|settings| (settings.notify, settings.delta_page) = (Notify::Never, 200));
    let tenant = sim.tenant();
    let mut records: Vec<(UserId, String)> = tenant
        .user_ids()
        .into_iter()
        .filter_map(|id| Some((UserId::from_uuid(id), tenant.shown(id)?.media_etag)))
        .collect();
    records.sort_unstable();
    let storage = Storage { records: Arc::new(records), ..Storage::default() };
    let tasks = TaskTracker::new();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let service = format!("http://{}/?sv=2021-12-02&sig=bench", listener.local_addr()?);
    let router = Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(storage.clone());
    tasks.spawn(axum::serve(listener, router).into_future());
    let settings = [("PhotoStorage__blobServiceUri", service.clone()), ("PhotoStorage__queueServiceUri", service)];

    // The first one lists the tenant, which later ones do not.
    run(program, &["sweep"], &sim, &settings)?;
    sim.clear_requests();
    storage.reset();
    let run = run(program, &["sweep"], &sim, &settings)?;
    // Of a large tenant somebody's bytes may be due in the seconds between the two sweeps.
    let settled = run.printed.contains("checks sent     0") || run.printed.contains("bytes due");
    ensure!(settled && !run.printed.contains("changed"), "somebody was not settled:\n{}", run.printed);
    let mut answer = told(&sim, &run);
    answer["people"] = json!(people);
    answer["storage"] = json!(storage.counts());
    finish(&sim).await?;
    Ok(answer)
}

async fn fill(program: &PathBuf, people: usize, photos: usize, latency_ms: u64, dir: PathBuf) -> Result<Value> {
    let sim = Sim::start(graph_sim::Config { users: people, with_photo: 0.0, ..graph_sim::Config::default() }).await?;
    sim.set(|settings| (settings.notify, settings.latency_ms) = (Notify::Never, [latency_ms, latency_ms]));
    let tenant = sim.tenant();
    let everybody = tenant.user_ids();
    let chosen: Vec<_> = (0..photos).map(|at| everybody[at * people / photos]).collect();
    for id in &chosen {
        tenant.change_photo(*id)?;
        // Drawn now, so that the simulator's own work is not in the figure.
        ensure!(tenant.photo(*id).is_some());
    }
    let settings = [("PhotoStorage__path", dir.display().to_string())];
    let run = run(program, &["sweep", "--first"], &sim, &settings)?;
    // Beside people, the checkpoints live there.
    let is_person =
        |entry: &std::fs::DirEntry| entry.file_name().to_str().is_some_and(|name| name.parse::<UserId>().is_ok());
    let committed = std::fs::read_dir(dir.join("audit"))?.filter_map(Result::ok).filter(is_person).count();
    ensure!(committed == photos, "{committed} people have a trail, not {photos}:\n{}", run.printed);
    let mut answer = told(&sim, &run);
    answer["people"] = json!(people);
    answer["photos"] = json!(photos);
    answer["forecast"] = json!(run.printed.lines().next());
    finish(&sim).await?;
    Ok(answer)
}

fn told(sim: &Sim, run: &Run) -> Value {
    let requests = sim.requests();
    let graph: u64 = requests.counters.iter().filter(|(call, _)| !call.starts_with("batch ")).map(|(_, n)| n).sum();
    let throttled: usize = requests
        .entries
        .iter()
        .map(|request| {
            usize::from(request.status == 429) + request.items.iter().filter(|item| item.status == 429).count()
        })
        .sum();
    json!({
        "graph": graph,
        "calls": requests.counters,
        "throttled": throttled,
        "seconds": run.took.as_secs_f64(),
        "cpu_seconds": run.cpu_seconds,
        "peak_mib": run.peak_mib,
    })
}

async fn finish(sim: &Sim) -> Result<()> {
    ensure!(sim.violations().is_empty(), "the simulator saw calls that Graph would refuse: {:?}", sim.violations());
    sim.shutdown().await;
    Ok(())
}

struct Run {
    printed: String,
    took: Duration,
    cpu_seconds: f64,
    peak_mib: f64,
}

/// Runs the program to its end; its memory is read until then.
fn run(program: &PathBuf, arguments: &[&str], sim: &Sim, settings: &[(&str, String)]) -> Result<Run> {
    let before = children_cpu()?;
    let started = Instant::now();
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(settings.iter().map(|(name, value)| (name, value)));
    command.env("PHOTORELAY_TENANT_ID", sim.tenant_id().to_string());
    command.env("PHOTORELAY_CLIENT_ID", sim.client_id().to_string());
    command.env("PHOTORELAY_CLIENT_SECRET", sim.client_secret());
    command.env("PHOTORELAY_CLIENT_STATE", "0123456789abcdef0123456789abcdef");
    command.env("PHOTORELAY_GRAPH_URL", sim.graph_url()).env("PHOTORELAY_AUTHORITY_URL", sim.authority_url());
    let mut child = command.stdout(Stdio::piped()).spawn().context("the program does not start")?;
    let mut peak_mib = 0.0_f64;
    tokio::task::block_in_place(|| {
        while child.try_wait()?.is_none() {
            peak_mib = peak_mib.max(peak(child.id()).unwrap_or_default());
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok::<_, std::io::Error>(())
    })?;
    let took = started.elapsed();
    let output = child.wait_with_output()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "the program ended with {}:\n{printed}", output.status);
    Ok(Run { printed, took, cpu_seconds: children_cpu()? - before, peak_mib })
}

/// Peak resident memory of a process, from proc_pid_status(5).
fn peak(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}

/// Processor time of the children that have ended, in seconds, from proc_pid_stat(5): ticks of 10 ms everywhere.
fn children_cpu() -> Result<f64> {
    const CUTIME_AND_CSTIME: [usize; 2] = [13, 14];
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, behind_name) = stat.rsplit_once(')').context("/proc/self/stat has no program name")?;
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    let ticks: f64 = CUTIME_AND_CSTIME.iter().filter_map(|at| fields.get(*at)?.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}

/// A storage account in which everybody has a settled head, one entry and one receipt.
#[derive(Clone, Default)]
struct Storage {
    /// In the order of ids, with ETags.
    records: Arc<Vec<(UserId, String)>>,
    written: Arc<Mutex<BTreeMap<String, Bytes>>>,
    counts: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Storage {
    fn reset(&self) {
        lock(&self.counts).clear();
    }

    fn counts(&self) -> BTreeMap<String, u64> {
        lock(&self.counts).clone()
    }

    fn count(&self, operation: &str) {
        *lock(&self.counts).entry(operation.to_owned()).or_default() += 1;
    }

    fn list(&self, container: &str, query: &HashMap<String, String>) -> String {
        let prefix = query.get("prefix").map_or("", String::as_str);
        let start: usize = query.get("marker").and_then(|marker| marker.parse().ok()).unwrap_or_default();
        let mut blobs = String::new();
        let mut next = String::new();
        let made_up = match container {
            "state" if prefix == names::HEADS_PREFIX => true,
            "audit" | "receipts" => true,
            _ => false,
        };
        if made_up {
            let page = self.records.iter().skip(start).take(PAGE);
            for (user, etag) in page {
                let (name, metadata) = match container {
                    "state" => (
                        names::head(*user),
                        format!(
                            "<Metadata><etag>{}</etag><seq>1</seq><settled>true</settled></Metadata>",
                            escaped(&etag_metadata(etag))
                        ),
                    ),
                    "audit" => (names::audit_entry(*user, 1), String::new()),
                    _ => (names::receipt(*user, 1, "ad"), String::new()),
                };
                push(&mut blobs, &name, &metadata);
            }
            if start + PAGE < self.records.len() {
                next = (start + PAGE).to_string();
            }
        } else {
            let full = format!("/{container}/");
            for name in lock(&self.written).keys().filter_map(|path| path.strip_prefix(&full)) {
                if name.starts_with(prefix) {
                    push(&mut blobs, name, "");
                }
            }
        }
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"http://localhost/\" \
             ContainerName=\"{container}\"><Blobs>{blobs}</Blobs><NextMarker>{next}</NextMarker></EnumerationResults>"
        )
    }
}

/// With the properties that Azure sends, because parsing them is part of the cost.
fn push(blobs: &mut String, name: &str, metadata: &str) {
    let _ = write!(
        blobs,
        "<Blob><Name>{name}</Name><Properties><Creation-Time>Sun, 24 May 2026 22:24:31 GMT</Creation-Time>\
         <Last-Modified>Sun, 24 May 2026 22:24:31 GMT</Last-Modified><Etag>0x8DCB6F1B2C3D4E5</Etag>\
         <Content-Length>612</Content-Length><Content-Type>application/json</Content-Type><Content-Encoding />\
         <Content-Language /><Content-CRC64 /><Content-MD5>rL0Y20zC+Fzt72VPzMSk2A==</Content-MD5><Cache-Control />\
         <Content-Disposition /><BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier>\
         <AccessTierInferred>true</AccessTierInferred><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>\
         <ServerEncrypted>true</ServerEncrypted></Properties>{metadata}<OrMetadata /></Blob>"
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

async fn answer(
    State(storage): State<Storage>,
    method: Method,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let container = path.trim_start_matches('/').split('/').next().unwrap_or_default().to_owned();
    match (method, query.get("comp").map(String::as_str)) {
        (Method::GET, Some("list")) => {
            storage.count("list");
            ([("content-type", "application/xml")], storage.list(&container, &query)).into_response()
        }
        (Method::PUT, _) if query.contains_key("restype") || !path.trim_start_matches('/').contains('/') => {
            storage.count("create container or queue");
            StatusCode::CREATED.into_response()
        }
        (Method::PUT, _) => {
            storage.count("write");
            lock(&storage.written).insert(path, body);
            (StatusCode::CREATED, [("etag", "\"0x1\"")]).into_response()
        }
        (Method::DELETE, _) => {
            storage.count("delete");
            lock(&storage.written).remove(&path);
            StatusCode::ACCEPTED.into_response()
        }
        (Method::GET, _) => {
            storage.count("read");
            match lock(&storage.written).get(&path).cloned() {
                Some(bytes) if bytes.is_empty() => StatusCode::OK.into_response(),
                Some(bytes) => {
                    let range = format!("bytes 0-{}/{}", bytes.len() - 1, bytes.len());
                    let headers = [("content-range", range), ("etag", "\"0x1\"".to_owned())];
                    (StatusCode::PARTIAL_CONTENT, headers, Body::from(bytes)).into_response()
                }
                None => (StatusCode::NOT_FOUND, [("x-ms-error-code", "BlobNotFound")]).into_response(),
            }
        }
        (Method::POST, _) => {
            storage.count("send");
            (StatusCode::CREATED, [("content-type", "application/xml")], SENT).into_response()
        }
        (method, _) => {
            storage.count(&format!("unexpected {method}"));
            StatusCode::NOT_IMPLEMENTED.into_response()
        }
    }
}

const SENT: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><QueueMessagesList><QueueMessage>\
    <MessageId>5974b586-0df3-4e2d-ad0c-18e3892bfca2</MessageId><InsertionTime>Sun, 24 May 2026 22:24:31 GMT</InsertionTime>\
    <ExpirationTime>Fri, 31 Dec 9999 23:59:59 GMT</ExpirationTime><PopReceipt>AgAAAAMAAAA=</PopReceipt>\
    <TimeNextVisible>Sun, 24 May 2026 22:24:31 GMT</TimeNextVisible></QueueMessage></QueueMessagesList>";

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
