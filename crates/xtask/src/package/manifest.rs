//! `function.json` and `host.json` as the package needs them, and what else has to agree with them.
//!
//! The host wants one folder for each function; the repository keeps one file for all.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use xtask::bicep::BicepFile;

use crate::infra;

pub(super) struct PackageManifest {
    functions: Map<String, Value>,
    host: String,
    executable: String,
    route_prefix: String,
}

impl PackageManifest {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let text = |name: &str| fs::read_to_string(root.join(name)).context(name.to_owned());
        let parse = |name: &str, text: &str| serde_json::from_str::<Value>(text).context(name.to_owned());
        let functions = parse("function.json", &text("function.json")?)?["functions"]
            .as_object()
            .cloned()
            .context("function.json has no `functions`")?;
        ensure!(!functions.is_empty(), "function.json names no function");
        let host = text("host.json")?;
        let parsed = parse("host.json", &host)?;
        let description = &parsed["customHandler"]["description"];
        let string = |value: &Value, what: &str| {
            value.as_str().map(str::to_owned).with_context(|| format!("host.json has no {what}"))
        };
        let executable =
            string(&description["defaultExecutablePath"], "customHandler.description.defaultExecutablePath")?;
        ensure!(description["arguments"] == json!(["serve"]), "host.json must start the program with `serve`");
        let route_prefix = string(&parsed["extensions"]["http"]["routePrefix"], "extensions.http.routePrefix")?;
        Ok(Self { functions, host, executable, route_prefix })
    }

    pub(super) fn host_json(&self) -> &str {
        &self.host
    }

    /// The program's name in the package.
    pub(super) fn executable(&self) -> &str {
        &self.executable
    }

    /// Each function and the text of its own function.json.
    pub(super) fn functions(&self) -> Result<Vec<(&str, String)>> {
        let text = |function: &Value| -> Result<String> { Ok(serde_json::to_string_pretty(function)? + "\n") };
        self.functions.iter().map(|(name, function)| Ok((name.as_str(), text(function)?))).collect()
    }

    /// Each function and the path at which the host calls the program for it.
    pub(super) fn routes(&self) -> Result<Vec<(&str, String)>> {
        let path = |name: &str, function: &Value| -> Result<String> {
            let trigger = self.bindings(name, function)?.iter().find(|binding| binding["type"] == "httpTrigger");
            Ok(match trigger {
                // Proxied as it came; everything else is an invocation.
                Some(binding) => {
                    let route = binding["route"].as_str().unwrap_or(name);
                    format!("/{}/{route}", self.route_prefix)
                }
                None => format!("/{name}"),
            })
        };
        self.functions.iter().map(|(name, function)| Ok((name.as_str(), path(name, function)?))).collect()
    }

    /// Fails unless infra/ makes every queue that a function listens on, and sets what every connection needs.
    pub(super) fn agrees_with_infra(&self, infra: &Path) -> Result<()> {
        let files = infra::files_with(infra, &["bicep"])?;
        let files: Vec<BicepFile> = files.iter().map(|path| BicepFile::read(path)).collect::<Result<_>>()?;
        let strings: BTreeSet<&str> = files.iter().flat_map(BicepFile::strings).collect();
        let settings: BTreeSet<&str> = files.iter().flat_map(BicepFile::properties).map(|(name, _)| name).collect();
        for (name, function) in &self.functions {
            for binding in self.bindings(name, function)? {
                if let Some(queue) = binding["queueName"].as_str() {
                    ensure!(
                        strings.contains(queue),
                        "function.json lets `{name}` listen on the queue {queue}, which nothing in infra/ makes"
                    );
                }
                if let Some(connection) = binding["connection"].as_str() {
                    let setting = format!("{connection}__queueServiceUri");
                    ensure!(
                        settings.contains(setting.as_str()),
                        "function.json gives `{name}` the connection {connection}, but nothing in infra/ sets {setting}"
                    );
                }
            }
        }
        Ok(())
    }

    fn bindings<'a>(&self, name: &str, function: &'a Value) -> Result<&'a Vec<Value>> {
        function["bindings"].as_array().with_context(|| format!("function.json: `{name}` has no bindings"))
    }
}
