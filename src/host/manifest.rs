//! `function.json` and `host.json`: the one manifest of every trigger, read by the router, the standalone pump and
//! the packaging alike, so that they cannot drift apart.
//!
//! Format: <https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers>. An unknown trigger type is
//! an error, because a trigger that no function serves would lose work silently.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The manifest that this program was built with.
const FUNCTION_JSON: &str = include_str!("../../function.json");
const HOST_JSON: &str = include_str!("../../host.json");

/// Every function and how the host runs queues.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub functions: Vec<Function>,
    pub queues: QueueSettings,
    /// What comes before every HTTP route, such as `api`.
    pub route_prefix: String,
}

#[derive(Debug, Clone)]
pub struct Function {
    pub name: String,
    pub trigger: Trigger,
    /// The name under which the trigger's data stands in an invocation.
    pub binding: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    Http {
        route: String,
    },
    Queue {
        queue: String,
    },
    /// Notifications that Graph delivers to an event hub or by Event Grid; only the Functions host reads those.
    Events,
    /// NCRONTAB with six fields, in UTC.
    Timer {
        schedule: String,
    },
}

/// `extensions.queues` of host.json.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueSettings {
    pub batch_size: u32,
    pub new_batch_threshold: u32,
    /// How often a message is delivered before it goes to the poison queue, the first time included.
    pub max_dequeue_count: u32,
    /// How long a message whose handling failed stays hidden.
    #[serde(deserialize_with = "time_span")]
    pub visibility_timeout: Duration,
    #[serde(deserialize_with = "time_span")]
    pub max_polling_interval: Duration,
}

impl Manifest {
    /// The manifest that this program was built with.
    pub fn built_in() -> Result<Self> {
        Self::parse(FUNCTION_JSON, HOST_JSON)
    }

    /// The manifest without these functions.
    pub fn without(mut self, disabled: &[String]) -> Self {
        self.functions.retain(|function| !disabled.contains(&function.name));
        self
    }

    pub fn parse(function_json: &str, host_json: &str) -> Result<Self> {
        let file: FunctionFile = serde_json::from_str(function_json).context("function.json")?;
        let host: HostFile = serde_json::from_str(host_json).context("host.json")?;
        let functions = file.functions.into_iter().map(|(name, entry)| function(name, entry)).collect::<Result<_>>()?;
        Ok(Self { functions, queues: host.extensions.queues, route_prefix: host.extensions.http.route_prefix })
    }
}

fn function(name: String, entry: FunctionEntry) -> Result<Function> {
    let mut triggers = entry.bindings.iter().filter(|binding| binding.kind.ends_with("Trigger"));
    let (Some(binding), None) = (triggers.next(), triggers.next()) else {
        bail!("function.json: `{name}` must have exactly one trigger");
    };
    let missing = |what| format!("function.json: `{name}` has a {} without {what}", binding.kind);
    let trigger = match binding.kind.as_str() {
        "httpTrigger" => Trigger::Http { route: binding.route.clone().unwrap_or_else(|| name.clone()) },
        "queueTrigger" => Trigger::Queue { queue: binding.queue_name.clone().with_context(|| missing("queueName"))? },
        "timerTrigger" => Trigger::Timer { schedule: binding.schedule.clone().with_context(|| missing("schedule"))? },
        "eventHubTrigger" | "eventGridTrigger" => Trigger::Events,
        other => bail!("function.json: `{name}` has an unknown trigger `{other}`"),
    };
    Ok(Function { trigger, binding: binding.name.clone(), name })
}

#[derive(Deserialize)]
struct FunctionFile {
    functions: BTreeMap<String, FunctionEntry>,
}

#[derive(Deserialize)]
struct FunctionEntry {
    bindings: Vec<Binding>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Binding {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    route: Option<String>,
    queue_name: Option<String>,
    schedule: Option<String>,
}

#[derive(Deserialize)]
struct HostFile {
    extensions: Extensions,
}

#[derive(Deserialize)]
struct Extensions {
    http: HttpSettings,
    queues: QueueSettings,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpSettings {
    route_prefix: String,
}

/// `hh:mm:ss`, as .NET writes a time span.
fn time_span<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let fields: Option<Vec<u64>> = text.split(':').map(|field| field.parse().ok()).collect();
    match fields.as_deref() {
        Some([hours, minutes, seconds]) => Ok(Duration::from_secs(hours * 3600 + minutes * 60 + seconds)),
        _ => Err(serde::de::Error::custom(format!("`{text}` is not hh:mm:ss"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_manifest_is_whole() {
        let manifest = Manifest::built_in().unwrap();
        let names: Vec<_> = manifest.functions.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["lifecycle", "notifications", "propagate", "renew", "subscribe", "sweep"]);
        assert_eq!(manifest.queues.max_dequeue_count, 5);
        assert_eq!(manifest.queues.visibility_timeout, Duration::from_secs(30));
    }

    #[test]
    fn an_unknown_trigger_is_an_error() {
        let unknown = r#"{"functions":{"x":{"bindings":[{"type":"blobTrigger","direction":"in","name":"b"}]}}}"#;
        let error = Manifest::parse(unknown, HOST_JSON).unwrap_err();
        assert!(error.to_string().contains("blobTrigger"), "{error}");
    }
}
