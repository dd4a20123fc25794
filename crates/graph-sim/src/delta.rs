//! `GET /users/delta`: who came, changed or went since a link was given.
//!
//! Links are opaque and hold everything about their round, so nothing is kept here. What happens during a round shows
//! up in it or in the next one, sometimes in both. <https://learn.microsoft.com/graph/delta-query-overview>

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::auth::{Caller, READ_USERS};
use crate::directory::{Deleted, Directory, Person};
use crate::inner::Inner;
use crate::locked;
use crate::users::{option, projected, selected};
use crate::wire::{Answer, Call};

/// How long links live.
const LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a link stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Round {
    /// The revision that the caller knows; none in a first round.
    since: Option<u64>,
    /// The directory's revision when the round began: what the next round starts from.
    began: u64,
    /// Where the next page starts.
    at: usize,
    select: Option<Vec<String>>,
    issued: Timestamp,
    generation: u64,
}

pub(crate) fn page(inner: &Inner, call: &Call, caller: &Caller) -> Result<Answer, Answer> {
    caller.require(inner, &READ_USERS)?;
    let round = match asked(inner, call)? {
        Asked::Page(round) => round,
        Asked::Latest(select) => {
            let now = locked(&inner.directory).revision();
            let select = select.as_deref();
            let body = json!({ "@odata.context": context(inner, select), "value": [],
                "@odata.deltaLink": link(inner, "$deltatoken", &fresh(inner, Some(now), now, select)) });
            return Ok(Answer::json(200, body).with("x-ms-resource-unit", "1"));
        }
    };
    let settings = inner.settings();
    let select = round.select.as_deref();
    let mut body = json!({ "@odata.context": context(inner, select) });
    if inner.chance(settings.delta_empty_pages) {
        body["value"] = json!([]);
        body["@odata.nextLink"] = json!(link(inner, "$skiptoken", &issued_now(inner, round)));
        return Ok(Answer::json(200, body).with("x-ms-resource-unit", "1"));
    }
    let directory = locked(&inner.directory);
    let (mut value, mut repeated, mut next) = (Vec::new(), Vec::new(), None);
    for (index, person) in directory.people.iter().enumerate().skip(round.at) {
        let shown = shows(&round, person, settings.delta_shows_photo_changes)
            || (round.since.is_some() && person.deleted.is_none() && inner.chance(settings.delta_replays));
        if !shown {
            continue;
        }
        if value.len() == settings.delta_page.max(1) {
            next = Some(index);
            break;
        }
        let item = item(person, select);
        if inner.chance(settings.delta_replays) {
            repeated.push(item.clone());
        }
        value.push(item);
    }
    drop(directory);
    value.append(&mut repeated);
    body["value"] = Value::Array(value);
    match next {
        Some(at) => {
            body["@odata.nextLink"] = json!(link(inner, "$skiptoken", &issued_now(inner, Round { at, ..round })));
        }
        None => {
            let next_round = fresh(inner, Some(round.began), round.began, select);
            body["@odata.deltaLink"] = json!(link(inner, "$deltatoken", &next_round));
        }
    }
    Ok(Answer::json(200, body).with("x-ms-resource-unit", "1"))
}

enum Asked {
    Page(Round),
    Latest(Option<Vec<String>>),
}

/// A first round, or what the token stands for. A link is followed as it is: nothing may be added to it.
fn asked(inner: &Inner, call: &Call) -> Result<Asked, Answer> {
    let token = match (option(call, "$deltatoken"), option(call, "$skiptoken")) {
        (Some(_), Some(_)) => return Err(inner.refuse(call, "delta_token_invalid", &[])),
        (Some("latest"), None) => return Ok(Asked::Latest(selected(inner, call)?)),
        // Where a 410 leads: a full round.
        (None | Some(""), None) => {
            let select = selected(inner, call)?;
            let began = locked(&inner.directory).revision();
            return Ok(Asked::Page(Round { since: None, ..fresh(inner, None, began, select.as_deref()) }));
        }
        (Some(token), None) => (token, true),
        (None, Some(token)) => (token, false),
    };
    if call.query.len() > 1 {
        return Err(inner.refuse(call, "delta_option_repeated", &[]));
    }
    let (text, starts_round) = token;
    let round = decoded(text).ok_or_else(|| inner.refuse(call, "delta_token_invalid", &[]))?;
    let too_old = inner.now().duration_since(round.issued) > LIFETIME;
    if too_old || round.generation != inner.settings().delta_generation {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if let Some(select) = &round.select {
            query.append_pair("$select", &select.join(","));
        }
        query.append_pair("$deltatoken", "");
        let location = format!("{}/v1.0/users/delta?{}", inner.url, query.finish());
        return Err(inner.error("delta_resync", &[]).with("Location", location));
    }
    Ok(Asked::Page(if starts_round { Round { began: locked(&inner.directory).revision(), ..round } } else { round }))
}

/// Whether a person belongs into this round.
fn shows(round: &Round, person: &Person, with_photos: bool) -> bool {
    let Some(since) = round.since else {
        // Somebody who goes while the first round runs may already have been shown.
        return person.deleted.is_none() || person.listed > round.began;
    };
    let selected = |name: &str| round.select.as_ref().is_none_or(|names| names.iter().any(|wanted| wanted == name));
    person.listed > since
        || (with_photos && person.revision > since)
        || person.edited.iter().any(|(name, revision)| *revision > since && selected(name))
}

fn item(person: &Person, select: Option<&[String]>) -> Value {
    let reason = match person.deleted {
        None => {
            let mut item = projected(&person.user, select);
            item.insert("id".into(), json!(person.user.id));
            return Value::Object(item);
        }
        Some(Deleted::Restorable) => "changed",
        Some(Deleted::ForGood) => "deleted",
    };
    json!({ "id": person.user.id, "@removed": { "reason": reason } })
}

fn fresh(inner: &Inner, since: Option<u64>, began: u64, select: Option<&[String]>) -> Round {
    let select = select.map(<[String]>::to_vec);
    issued_now(inner, Round { since, began, at: 0, select, issued: Timestamp::UNIX_EPOCH, generation: 0 })
}

fn issued_now(inner: &Inner, round: Round) -> Round {
    Round { issued: inner.now(), generation: inner.settings().delta_generation, ..round }
}

fn link(inner: &Inner, name: &str, round: &Round) -> String {
    let token = URL_SAFE_NO_PAD.encode(json!(round).to_string());
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, &token).finish();
    format!("{}/v1.0/users/delta?{query}", inner.url)
}

fn decoded(token: &str) -> Option<Round> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

fn context(inner: &Inner, select: Option<&[String]>) -> String {
    let select = select.map(|names| format!("({})", names.join(","))).unwrap_or_default();
    format!("{}/v1.0/$metadata#users{select}", inner.url)
}

/// Which properties differ between two states of a person.
pub(crate) fn differing<'a>(
    before: &crate::people::User,
    after: &crate::people::User,
    names: impl Iterator<Item = &'a str>,
) -> Vec<&'a str> {
    names.filter(|name| before.property(name) != after.property(name)).collect()
}

impl Directory {
    /// Counts every write so far.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }
}
