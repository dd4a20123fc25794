//! `photorelay support-bundle FILE`: one JSON file for a support case: versions, configuration, `doctor` and `status`.
//!
//! It must never hold a secret or personal data: no name, address, account or photo. Ids stand in it as hashes that are
//! the same for the same id of a tenant, so that lines can be compared. It owns the failure "something does not answer":
//! what could not be found out is an error in words, and the rest is there all the same.

use jiff::Timestamp;
use photorelay_core::id::Digest;
use serde_json::{Value, json};

use super::doctor::{self, DoctorContext};
use crate::jobs::watch::Status;

/// Of the hash of an id; enough that two ids of a tenant do not meet.
const HASH_CHARS: usize = 12;
/// Hexadecimal digits of the groups of a GUID.
const GUID: [usize; 5] = [8, 4, 4, 4, 12];

/// Collects everything. `status` is an error in words if the storage does not answer.
pub async fn collect(context: &DoctorContext, status: Result<Status, String>, now: Timestamp) -> Value {
    let diagnosis = doctor::run_checks(context, None).await;
    let configuration: Vec<String> = format!("{:#?}", context.config).lines().map(str::to_owned).collect();
    let bundle = json!({
        "v": 1,
        "at": now,
        "program": "photorelay",
        "version": env!("CARGO_PKG_VERSION"),
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "configuration": configuration,
        "doctor": diagnosis.0,
        "status": status.map_or_else(|error| json!({ "error": error }), |status| json!(status)),
    });
    without_ids(bundle, &context.config.graph.tenant_id.to_string())
}

/// The same with a hash in place of each id and each address.
fn without_ids(value: Value, salt: &str) -> Value {
    match value {
        Value::String(text) => Value::String(hide(&text, salt)),
        Value::Array(values) => values.into_iter().map(|value| without_ids(value, salt)).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, without_ids(value, salt))).collect(),
        other => other,
    }
}

/// Words are what a GUID or an address can consist of; all else stays as it is.
fn hide(text: &str, salt: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '@' | '.' | '\'' | '_' | '+' | '#');
    let mut hidden = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        if is_address(word) || word.split('.').any(is_guid) {
            let hash = Digest::of(format!("{salt} {}", word.to_lowercase()).as_bytes()).to_string();
            hidden += &format!("id:{}", &hash[..HASH_CHARS]);
        } else {
            hidden += word;
        }
        rest = &rest[word.len()..];
        let other = rest.find(is_part).unwrap_or(rest.len());
        hidden += &rest[..other];
        rest = &rest[other..];
    }
    hidden
}

fn is_address(word: &str) -> bool {
    word.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.'))
}

pub(super) fn is_guid(word: &str) -> bool {
    let groups: Vec<&str> = word.split('-').collect();
    let is_hex = |group: &str| group.chars().all(|c| c.is_ascii_hexdigit());
    groups.len() == GUID.len() && groups.iter().zip(GUID).all(|(group, len)| group.len() == len && is_hex(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_addresses_become_hashes_and_all_else_stays() {
        let id = "7a35954c-c4e5-44c7-89a6-37227d617a02";
        let hidden = hide(&format!("user {id}: 2 of {id}, b.muller1@contoso.test at 2026-11-30T16:39:47Z"), "tenant");
        let hash = hidden.split_whitespace().nth(1).unwrap().trim_end_matches(':');
        assert_eq!(hidden.matches(hash).count(), 2, "{hidden}");
        assert!(!hidden.contains("7a35") && !hidden.contains("contoso"), "{hidden}");
        assert!(hidden.ends_with("at 2026-11-30T16:39:47Z"), "{hidden}");
        assert_ne!(hide(id, "tenant"), hide(id, "another tenant"));
    }
}
