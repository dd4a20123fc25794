//! `/_sim/`: what only a simulator has, as JSON. Needs no token; the README lists it.
//!
//! Every path does what a function of the library does, so that a test in another process can do the same.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::directory::{Shown, hex};
use crate::faults::{Pattern, Rule};
use crate::holds::Point;
use crate::inner::Inner;
use crate::no_photo::NoPhoto;
use crate::people::User;
use crate::settings::Settings;
use crate::tenant::Tenant;
use crate::wire::{Answer, Call};
use crate::{lifecycle, locked, sim};

const LIST_LIMIT: usize = 100;

pub(crate) async fn answered(inner: &Arc<Inner>, call: &Call) -> Answer {
    match controlled(inner, call).await {
        Ok(body) => Answer::json(200, body),
        Err(Refused::Answer(answer)) => answer,
        Err(Refused::Wrong(problem)) => Answer::json(400, json!({ "error": format!("{problem:#}") })),
        Err(Refused::Unknown) => Answer::json(
            404,
            json!({ "error": format!("{} {} is not a control of the simulator", call.method, call.path) }),
        ),
    }
}

/// Why a control did not answer with JSON and 200.
enum Refused {
    /// Not a refusal: an answer that is not JSON.
    Answer(Answer),
    Wrong(anyhow::Error),
    Unknown,
}

impl<E: Into<anyhow::Error>> From<E> for Refused {
    fn from(problem: E) -> Self {
        Self::Wrong(problem.into())
    }
}

async fn controlled(inner: &Arc<Inner>, call: &Call) -> Result<Value, Refused> {
    let parts: Vec<&str> = call.segments.iter().skip(1).map(String::as_str).collect();
    let done = json!({ "done": true });
    Ok(match (call.method.clone(), parts.as_slice()) {
        (Method::GET, []) => about(inner),
        (Method::GET, ["answers"]) => json!(inner.answers),
        (Method::GET, ["settings"]) => json!(inner.settings()),
        (Method::PATCH, ["settings"]) => {
            let changes: serde_json::Map<String, Value> = body(call)?;
            let mut merged = json!(inner.settings());
            for (name, value) in changes {
                merged[name.as_str()] = value;
            }
            let merged: Settings = serde_json::from_value(merged)?;
            *locked(&inner.settings) = merged.clone();
            inner.outbox_changed.notify_one();
            json!(merged)
        }
        (_, ["users", rest @ ..]) => people(inner, call, rest)?,
        (Method::POST, ["change"]) => {
            let count = option(call, "count").map_or(Ok(1), |count| count.parse::<usize>())?;
            let tenant = Tenant::new(inner.clone());
            let ids = tenant.user_ids();
            let mut changed = Vec::new();
            for _ in 0..count.min(100_000) {
                let picked = locked(&inner.dice).choice(&ids).copied();
                let id = picked.ok_or_else(|| anyhow::anyhow!("the tenant has no people"))?;
                tenant.change_photo(id)?;
                changed.push(id);
            }
            json!({ "changed": changed })
        }
        (Method::GET, ["subscriptions"]) => {
            let list: Vec<_> = locked(&inner.subscriptions).live(inner.now()).values().cloned().collect();
            json!({ "subscriptions": list })
        }
        (Method::DELETE, ["subscriptions", id]) => {
            let id: Uuid = id.parse()?;
            let removed = locked(&inner.subscriptions).live(inner.now()).remove(&id).is_some();
            json!({ "removed": removed })
        }
        (_, ["notifications", rest @ ..]) => notifications(inner, call, rest).await?,
        (Method::GET, ["requests"]) => {
            let requests = locked(&inner.journal).requests();
            let take = option(call, "last").map_or(Ok(LIST_LIMIT), |last| last.parse::<usize>())?;
            let from = requests.entries.len().saturating_sub(take);
            json!({
                "counters": requests.counters, "mostAtOnce": requests.most_at_once, "kept": requests.entries.len(),
                "requests": requests.entries[from..],
            })
        }
        (Method::DELETE, ["requests"]) => {
            locked(&inner.journal).clear_requests();
            done
        }
        (Method::GET, ["violations"]) => json!({ "violations": locked(&inner.journal).violations() }),
        (Method::DELETE, ["violations"]) => {
            locked(&inner.journal).clear_violations();
            done
        }
        (Method::GET, ["faults"]) => {
            let rules = locked(&inner.faults).rules();
            json!({ "faults": rules.into_iter().map(|(id, rule)| json!({ "id": id, "rule": rule })).collect::<Vec<_>>() })
        }
        (Method::POST, ["faults"]) => {
            let rule: Rule = body(call)?;
            if let crate::faults::Fault::Answer { name } = &rule.fault
                && !inner.answers.has_error(name)
            {
                return Err(anyhow::anyhow!("no answer is named '{name}'").into());
            }
            json!({ "id": locked(&inner.faults).add(rule) })
        }
        (Method::DELETE, ["faults"]) => {
            locked(&inner.faults).clear();
            done
        }
        (Method::DELETE, ["faults", id]) => json!({ "removed": locked(&inner.faults).remove(id.parse()?) }),
        (_, ["holds", rest @ ..]) => holds(inner, call, rest).await?,
        (Method::POST, ["clock", "advance"]) => {
            let wanted: Advance = body(call)?;
            inner.advance(Duration::from_secs(wanted.seconds));
            json!({ "now": inner.now() })
        }
        (Method::PUT, ["clock"]) => {
            let wanted: SetClock = body(call)?;
            inner.set_now(wanted.now);
            json!({ "now": inner.now() })
        }
        (Method::GET, ["photo-update-settings"]) => json!(*locked(&inner.photo_settings)),
        (Method::PUT, ["photo-update-settings"]) => {
            *locked(&inner.photo_settings) = body(call)?;
            done
        }
        (Method::POST, ["tokens", "revoke"]) => {
            locked(&inner.tokens).revoke_all();
            lifecycle::revoked(inner);
            done
        }
        _ => return Err(Refused::Unknown),
    })
}

fn people(inner: &Arc<Inner>, call: &Call, parts: &[&str]) -> Result<Value, Refused> {
    let tenant = Tenant::new(inner.clone());
    let done = json!({ "done": true });
    let id = || -> anyhow::Result<Uuid> {
        let key = parts.first().copied().unwrap_or_default();
        let directory = locked(&inner.directory);
        let index = directory.find(key).ok_or_else(|| anyhow::anyhow!("nobody in the simulated tenant is '{key}'"))?;
        Ok(directory.people[index].user.id)
    };
    Ok(match (call.method.clone(), parts) {
        (Method::GET, []) => {
            let number = |name: &str, absent: usize| option(call, name).map_or(Ok(absent), str::parse::<usize>);
            let users = tenant.users();
            let page: Vec<User> =
                users.iter().skip(number("skip", 0)?).take(number("take", LIST_LIMIT)?).cloned().collect();
            json!({ "count": users.len(), "users": page })
        }
        (Method::POST, []) => {
            let add: AddUser = if call.body.is_empty() { AddUser::default() } else { body(call)? };
            let id = match add.kind {
                Kind::Synchronised => tenant.add_user(),
                Kind::Guest => tenant.add_guest(),
                Kind::CloudOnly => tenant.add_cloud_only(),
            };
            json!(tenant.user(id))
        }
        (Method::GET, [_]) => json!(tenant.user(id()?)),
        (Method::PUT, [_]) => {
            let user: User = body(call)?;
            tenant.put_user(user);
            done
        }
        (Method::PATCH, [_]) => {
            let id = id()?;
            let mut merged = json!(tenant.user(id));
            for (name, value) in body::<serde_json::Map<String, Value>>(call)? {
                merged[name.as_str()] = value;
            }
            let user: User = serde_json::from_value(merged)?;
            tenant.edit_user(id, |known| *known = user)?;
            done
        }
        (Method::DELETE, [_]) => {
            tenant.delete_user(id()?, option(call, "permanently") == Some("true"))?;
            done
        }
        (Method::POST, [id, "restore"]) => {
            tenant.restore_user(id.parse()?)?;
            done
        }
        (Method::POST, [_, "touch"]) => {
            tenant.touch(id()?)?;
            done
        }
        (Method::GET, [_, "photo"]) => {
            let shown = tenant.shown(id()?).and_then(|shown| shown.bytes());
            let bytes = shown.ok_or_else(|| anyhow::anyhow!("there is no photo"))?;
            return Err(Refused::Answer(Answer::media("image/jpeg", bytes)));
        }
        (Method::PUT, [_, "photo"]) if option(call, "raw") == Some("true") => {
            tenant.set_raw_photo(id()?, call.body.clone(), call.header("content-type").unwrap_or("image/jpeg"))?;
            done
        }
        (Method::PUT, [_, "photo"]) => {
            tenant.set_photo(id()?, &call.body)?;
            done
        }
        (Method::DELETE, [_, "photo"]) => {
            match option(call, "shape") {
                None => tenant.remove_photo(id()?)?,
                Some(shape) => tenant.remove_photo_as(id()?, serde_json::from_value::<NoPhoto>(json!(shape))?)?,
            }
            done
        }
        (Method::POST, [_, "photo", "next"]) => {
            tenant.change_photo(id()?)?;
            done
        }
        (Method::POST, [_, "photo", "again"]) => {
            tenant.upload_again(id()?)?;
            done
        }
        (Method::GET, [_, "history"]) => {
            let entries: Vec<Value> = tenant.history(id()?).iter().map(entry).collect();
            json!({ "history": entries })
        }
        _ => return Err(Refused::Unknown),
    })
}

fn entry(shown: &Shown) -> Value {
    use sha2::{Digest as _, Sha256};
    let bytes = shown.bytes();
    json!({
        "at": shown.at, "mediaEtag": shown.media_etag, "fetched": shown.fetched, "photo": shown.is_photo(),
        "bytes": bytes.as_ref().map(bytes::Bytes::len), "sha256": bytes.map(|bytes| hex(&Sha256::digest(&bytes))),
    })
}

async fn notifications(inner: &Arc<Inner>, call: &Call, parts: &[&str]) -> Result<Value, Refused> {
    Ok(match (call.method.clone(), parts) {
        (Method::GET, []) => {
            let outbox = locked(&inner.outbox);
            let recent: Vec<_> = outbox.posts.iter().rev().take(LIST_LIMIT).rev().collect();
            let pending = outbox.pending();
            let endpoints = locked(&inner.endpoints).states(inner.now());
            json!({
                "tally": outbox.tally, "paused": outbox.paused, "pendingCount": pending.len(), "endpoints": endpoints,
                "pending": pending[..pending.len().min(LIST_LIMIT)], "posts": recent,
            })
        }
        (Method::POST, ["flush"]) => {
            sim::flush(inner).await;
            json!({ "tally": locked(&inner.outbox).tally })
        }
        (Method::POST, ["idle"]) => {
            crate::delivery::idle(inner).await;
            json!({ "tally": locked(&inner.outbox).tally })
        }
        (Method::POST, [switch @ ("pause" | "resume")]) => {
            locked(&inner.outbox).paused = *switch == "pause";
            inner.outbox_changed.notify_one();
            json!({ "done": true })
        }
        _ => return Err(Refused::Unknown),
    })
}

async fn holds(inner: &Arc<Inner>, call: &Call, parts: &[&str]) -> Result<Value, Refused> {
    let known = |id: &str| -> anyhow::Result<Arc<crate::holds::Hold>> {
        let hold = locked(&inner.remote_holds).get(&id.parse::<u64>()?).cloned();
        hold.ok_or_else(|| anyhow::anyhow!("there is no hold {id}"))
    };
    Ok(match (call.method.clone(), parts) {
        (Method::POST, []) => {
            let wanted: AddHold = body(call)?;
            let hold = Arc::new(locked(&inner.holds).add(wanted.calls, wanted.point));
            let mut holds = locked(&inner.remote_holds);
            let id = holds.keys().max().map_or(1, |last| last + 1);
            holds.insert(id, hold);
            json!({ "id": id })
        }
        (Method::GET, [id]) => {
            let hold = known(id)?;
            if let Some(wait) = option(call, "wait_ms") {
                let wait = Duration::from_millis(wait.parse::<u64>()?.min(60_000));
                // Running out of time is an answer too: not arrived.
                let _ = tokio::time::timeout(wait, hold.arrived()).await;
            }
            json!({ "arrived": hold.has_arrived() })
        }
        (Method::DELETE, [id]) => {
            known(id)?.release();
            locked(&inner.remote_holds).remove(&id.parse::<u64>()?);
            json!({ "done": true })
        }
        _ => return Err(Refused::Unknown),
    })
}

fn about(inner: &Inner) -> Value {
    let config = &inner.config;
    json!({
        "graph": format!("{}/v1.0", inner.url), "authority": inner.url,
        "tokenEndpoint": format!("{}/{}/oauth2/v2.0/token", inner.url, config.tenant_id),
        "identityEndpoint": format!("{}/msi/token", inner.url), "identityHeader": config.identity_header,
        "tenantId": config.tenant_id, "clientId": config.app.client_id, "clientSecret": config.app.secret,
        "peopleClientId": config.people_app.client_id, "peopleClientSecret": config.people_app.secret,
        "people": locked(&inner.directory).people.len(), "seed": config.seed, "now": inner.now(),
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddUser {
    #[serde(default)]
    kind: Kind,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Synchronised,
    Guest,
    CloudOnly,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddHold {
    calls: Pattern,
    #[serde(default)]
    point: Point,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetClock {
    now: jiff::Timestamp,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

fn body<T: serde::de::DeserializeOwned>(call: &Call) -> anyhow::Result<T> {
    Ok(serde_json::from_slice(&call.body)?)
}

fn option<'a>(call: &'a Call, wanted: &str) -> Option<&'a str> {
    call.query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}
