//! A packaged app, read and refused as the host does: `host.json`, and a folder with a `function.json` for each function.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

#[derive(Debug, Clone)]
pub(crate) struct PackagedApp {
    pub(crate) root: PathBuf,
    pub(crate) executable: PathBuf,
    pub(crate) working_directory: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) proxying: bool,
    pub(crate) forwarding: bool,
    pub(crate) route_prefix: String,
    pub(crate) function_timeout: Duration,
    pub(crate) initialization_timeout: Duration,
    pub(crate) queues: QueueSection,
    pub(crate) functions: Vec<HostedFunction>,
}

/// `extensions.queues` of host.json.
#[derive(Debug, Clone)]
pub(crate) struct QueueSection {
    pub(crate) batch_size: usize,
    pub(crate) new_batch_threshold: usize,
    pub(crate) max_dequeue_count: i64,
    pub(crate) visibility_timeout: Duration,
    pub(crate) max_polling_interval: Duration,
    pub(crate) base64: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct HostedFunction {
    pub(crate) name: String,
    pub(crate) trigger: Value,
    pub(crate) outputs: Vec<Value>,
    bindings: usize,
}

impl HostedFunction {
    pub(crate) fn kind(&self) -> &str {
        self.trigger["type"].as_str().unwrap_or_default()
    }

    /// A request is proxied as it came only if there is nothing but an HTTP trigger and an HTTP output.
    pub(crate) fn is_plain_http(&self) -> bool {
        self.bindings == 2 && is(&self.trigger, "httpTrigger") && self.outputs.iter().any(|output| is(output, "http"))
    }

    pub(crate) fn binding_name(&self) -> &str {
        self.trigger["name"].as_str().unwrap_or_default()
    }

    pub(crate) fn route(&self) -> &str {
        self.trigger["route"].as_str().unwrap_or(&self.name)
    }
}

pub(crate) fn is(binding: &Value, kind: &str) -> bool {
    binding["type"].as_str().is_some_and(|found| found.eq_ignore_ascii_case(kind))
}

impl PackagedApp {
    /// `settings` are the app settings, which bindings may name.
    pub(crate) fn read(root: &Path, settings: &[(String, String)]) -> Result<Self> {
        let root = root.canonicalize().with_context(|| format!("{} is not there", root.display()))?;
        let host = json(&root.join("host.json"))?;
        ensure!(host["version"] == "2.0", "host.json: version must be \"2.0\"");
        let custom = &host["customHandler"];
        let description = &custom["description"];
        let path = description["defaultExecutablePath"].as_str().unwrap_or_default();
        ensure!(!path.is_empty(), "host.json: customHandler.description.defaultExecutablePath is required");
        let executable = root.join(path);
        let working_directory = root.join(description["workingDirectory"].as_str().unwrap_or_default());
        let arguments = description["arguments"].as_array().cloned().unwrap_or_default();
        // Joined with spaces and not quoted: an argument that contains a space is split.
        let arguments = arguments.iter().filter_map(Value::as_str).flat_map(str::split_whitespace);
        let mut functions = functions(&root)?;
        for function in &mut functions {
            let bindings = std::iter::once(&mut function.trigger).chain(&mut function.outputs);
            for binding in bindings {
                expand(binding, settings).with_context(|| format!("{}/function.json", function.name))?;
            }
        }
        ensure!(!functions.is_empty(), "there is no function: the host would never start the program");
        ensure!(
            custom["http"]["routes"].is_null(),
            "host.json: customHandler.http.routes cannot be used beside function.json"
        );
        Ok(Self {
            executable: if executable.is_file() { executable } else { PathBuf::from(path) },
            working_directory,
            arguments: arguments.map(str::to_owned).collect(),
            proxying: custom["enableProxyingHttpRequest"].as_bool().unwrap_or(false),
            forwarding: custom["enableForwardingHttpRequest"].as_bool().unwrap_or(false),
            route_prefix: host["extensions"]["http"]["routePrefix"].as_str().unwrap_or("api").to_owned(),
            function_timeout: span(&host["functionTimeout"], 1800.0)?,
            initialization_timeout: span(&custom["initializationTimeout"], 30.0)?,
            queues: QueueSection::read(&host["extensions"]["queues"])?,
            functions,
            root,
        })
    }
}

impl QueueSection {
    fn read(settings: &Value) -> Result<Self> {
        let batch_size = settings["batchSize"].as_u64().unwrap_or(16) as usize;
        ensure!((1..=32).contains(&batch_size), "host.json: queues.batchSize must be 1 to 32");
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threshold = settings["newBatchThreshold"].as_u64();
        let max_dequeue_count = settings["maxDequeueCount"].as_i64().unwrap_or(5);
        ensure!(max_dequeue_count >= 1, "host.json: queues.maxDequeueCount must be at least 1");
        let max_polling_interval = span(&settings["maxPollingInterval"], 60.0)?;
        ensure!(
            max_polling_interval >= Duration::from_millis(100),
            "host.json: queues.maxPollingInterval is too short"
        );
        let encoding = settings["messageEncoding"].as_str().unwrap_or("base64");
        ensure!(["base64", "none"].contains(&encoding), "host.json: queues.messageEncoding is base64 or none");
        Ok(Self {
            batch_size,
            new_batch_threshold: threshold.map_or(batch_size / 2 * processors, |threshold| threshold as usize),
            max_dequeue_count,
            visibility_timeout: span(&settings["visibilityTimeout"], 0.0)?,
            max_polling_interval,
            base64: encoding == "base64",
        })
    }
}

fn functions(root: &Path) -> Result<Vec<HostedFunction>> {
    let mut functions = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let file = entry.path().join("function.json");
        if file.is_file() {
            let name = entry.file_name().to_string_lossy().into_owned();
            functions.push(function(&name, &json(&file)?).with_context(|| format!("{name}/function.json"))?);
        }
    }
    functions.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(functions)
}

fn function(name: &str, file: &Value) -> Result<HostedFunction> {
    let bindings = file["bindings"].as_array().context("there are no bindings")?;
    let mut names = HashSet::new();
    let (mut triggers, mut outputs) = (Vec::new(), Vec::new());
    for binding in bindings {
        let name = binding["name"].as_str().context("a binding has no name")?;
        ensure!(names.insert(name.to_lowercase()), "two bindings are named {name}");
        let kind = binding["type"].as_str().context("a binding has no type")?;
        match binding["direction"].as_str() {
            Some("in") if kind.to_lowercase().ends_with("trigger") => triggers.push(binding.clone()),
            Some("in") => {}
            Some("out") => outputs.push(binding.clone()),
            _ => bail!("the binding {name} has no direction"),
        }
    }
    ensure!(triggers.len() == 1, "there must be one trigger, not {}", triggers.len());
    // It has no effect on queue triggers, and here it would have none on any.
    ensure!(file["retry"].is_null(), "the stand-in does not simulate retry policies");
    Ok(HostedFunction { name: name.to_owned(), trigger: triggers.remove(0), outputs, bindings: bindings.len() })
}

/// Puts app settings where a binding names them as `%NAME%`.
fn expand(binding: &mut Value, settings: &[(String, String)]) -> Result<()> {
    for key in ["queueName", "schedule"] {
        let Some(text) = binding[key].as_str() else { continue };
        let mut expanded = String::new();
        for (at, part) in text.split('%').enumerate() {
            let is_name = at % 2 == 1;
            let setting = settings.iter().find(|(name, _)| name == part).map(|(_, value)| value.as_str());
            expanded += if is_name { setting.with_context(|| format!("%{part}% is no app setting"))? } else { part };
        }
        binding[key] = Value::String(expanded);
    }
    Ok(())
}

fn json(path: &Path) -> Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}

/// A .NET time span, `hh:mm:ss` with an optional fraction.
fn span(value: &Value, default: f64) -> Result<Duration> {
    let Some(text) = value.as_str() else { return Ok(Duration::from_secs_f64(default)) };
    let parts: Vec<f64> = text.split(':').map(str::parse).collect::<Result<_, _>>().with_context(|| text.to_owned())?;
    let [hours, minutes, seconds] = parts[..] else { bail!("{text} is not hh:mm:ss") };
    Ok(Duration::from_secs_f64(hours * 3600.0 + minutes * 60.0 + seconds))
}
