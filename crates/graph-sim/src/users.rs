//! `GET /users` and `GET /users/{id}`: only what was asked for, in pages.

use serde_json::{Map, Value, json};

use crate::auth::{Caller, READ_USERS};
use crate::inner::Inner;
use crate::locked;
use crate::people::{DEFAULT_PROJECTION, User};
use crate::wire::{Answer, Call};

const DEFAULT_PAGE: usize = 100;
const LARGEST_PAGE: usize = 999;

pub(crate) fn get(inner: &Inner, call: &Call, caller: &Caller, key: &str) -> Result<Answer, Answer> {
    caller.require(inner, &READ_USERS)?;
    let select = selected(inner, call)?;
    let directory = locked(&inner.directory);
    let index = directory.find(key).ok_or_else(|| inner.error("user_unknown", &[("key", key)]))?;
    let mut body = projected(&directory.people[index].user, select.as_deref());
    body.insert("@odata.context".into(), json!(context(inner, select.as_deref(), "/$entity")));
    Ok(Answer::json(200, Value::Object(body)).with("x-ms-resource-unit", "1"))
}

pub(crate) fn list(inner: &Inner, call: &Call, caller: &Caller) -> Result<Answer, Answer> {
    caller.require(inner, &READ_USERS)?;
    let select = selected(inner, call)?;
    let top = match option(call, "$top") {
        None => DEFAULT_PAGE,
        Some(text) => match text.parse() {
            Ok(top) if (1..=LARGEST_PAGE).contains(&top) => top,
            _ => return Err(inner.refuse(call, "query_option_invalid", &[("value", text)])),
        },
    };
    let start = match option(call, "$skiptoken") {
        None => 0,
        Some(token) => skip_of(token).ok_or_else(|| inner.refuse(call, "skiptoken_invalid", &[]))?,
    };
    let directory = locked(&inner.directory);
    let mut rest =
        directory.people.iter().enumerate().skip(start).filter(|(_, person)| person.deleted.is_none()).peekable();
    let page: Vec<Value> =
        rest.by_ref().take(top).map(|(_, person)| Value::Object(projected(&person.user, select.as_deref()))).collect();
    let mut body = json!({ "@odata.context": context(inner, select.as_deref(), "") });
    if let Some((next, _)) = rest.peek() {
        let mut link = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in call.query.iter().filter(|(name, _)| name != "$skiptoken") {
            link.append_pair(name, value);
        }
        link.append_pair("$skiptoken", &format!("RFNwdAoAAQ{next:x}"));
        body["@odata.nextLink"] = json!(format!("{}/v1.0/users?{}", inner.url, link.finish()));
    }
    body["value"] = Value::Array(page);
    let units = if select.is_some() || top < 20 { "1" } else { "2" };
    Ok(Answer::json(200, body).with("x-ms-resource-unit", units))
}

fn skip_of(token: &str) -> Option<usize> {
    usize::from_str_radix(token.strip_prefix("RFNwdAoAAQ")?, 16).ok()
}

pub(crate) fn option<'a>(call: &'a Call, wanted: &str) -> Option<&'a str> {
    call.query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}

pub(crate) fn selected(inner: &Inner, call: &Call) -> Result<Option<Vec<String>>, Answer> {
    let Some(text) = option(call, "$select") else { return Ok(None) };
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    // Any person will do: whether a property is known does not depend on the person.
    let probe = User::cloud_only(0, &mut fastrand::Rng::with_seed(0));
    match names.iter().find(|name| probe.property(name).is_none()) {
        Some(unknown) => Err(inner.refuse(call, "property_unknown", &[("property", unknown)])),
        None => Ok(Some(names)),
    }
}

pub(crate) fn projected(user: &User, select: Option<&[String]>) -> Map<String, Value> {
    let take = |name: &str| Some((name.to_owned(), user.property(name)?));
    match select {
        Some(names) => names.iter().filter_map(|name| take(name)).collect(),
        None => DEFAULT_PROJECTION.iter().filter_map(|name| take(name)).collect(),
    }
}

fn context(inner: &Inner, select: Option<&[String]>, suffix: &str) -> String {
    let select = select.map(|names| format!("({})", names.join(","))).unwrap_or_default();
    format!("{}/v1.0/$metadata#users{select}{suffix}", inner.url)
}
