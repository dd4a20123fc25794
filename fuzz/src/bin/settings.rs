//! Settings of the app and of the agent, as lines of `NAME=value`; with filters, URLs, lists and attributes in them.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use photorelay::config::{AppConfig, ConfigPurpose, OperatorConfig, read_storage};
use photorelay_agent::config::AgentConfig;
use photorelay_core::settings::{Environment, Problems};
use photorelay_fuzz::{Limits, SECRET, assert_tells_no_secret, guard, watch_panics};

const LIMITS: Limits = Limits { memory: 32 << 20, processor_time: Duration::from_secs(2) };
const SECRETS: [&str; 4] = [
    "PHOTORELAY_CLIENT_SECRET",
    "PHOTORELAY_CLIENT_CERTIFICATE",
    "PHOTORELAY_CLIENT_STATE",
    "PHOTORELAY_CLIENT_STATE_PREVIOUS",
];
/// Their queries carry a key.
const URIS: [&str; 3] = ["PhotoStorage__blobServiceUri", "PhotoStorage__queueServiceUri", "PHOTORELAY_PUBLIC_URL"];

fuzz_target!(init: watch_panics(), |input: &[u8]| {
    guard(input, LIMITS, |input| {
        let Ok(text) = str::from_utf8(input) else { return };
        let environment: Environment =
            text.lines().filter_map(|line| line.split_once('=')).filter_map(setting).collect();
        judge(AppConfig::read(&environment, ConfigPurpose::Notifications));
        judge(AppConfig::read(&environment, ConfigPurpose::Command));
        judge(AgentConfig::read(&environment));
        judge(read_storage(&environment));
        judge(OperatorConfig::read(&environment));
    });
});

/// None for what names a file of this machine, and for the word itself where it is no secret, such as in a name.
fn setting((name, value): (&str, &str)) -> Option<(String, String)> {
    if name.ends_with("_FILE") && name != "PHOTORELAY_LDAP_PASSWORD_FILE"
        || [name, value].iter().any(|text| text.contains(SECRET))
    {
        return None;
    }
    let value = match name {
        "PHOTORELAY_LDAP_PASSWORD_FILE" => "/dev/null".to_owned(),
        name if SECRETS.contains(&name) => format!("{SECRET}{value}"),
        name if URIS.contains(&name) => format!("{value}?sv=1&sig={SECRET}"),
        _ => value.to_owned(),
    };
    Some((name.to_owned(), value))
}

/// Neither the problems nor the configuration itself show a secret.
fn judge<T: std::fmt::Debug>(read: Result<T, Problems>) {
    match read {
        Ok(config) => assert_tells_no_secret(&format!("{config:?}")),
        Err(problems) => assert_tells_no_secret(&problems.to_string()),
    }
}
