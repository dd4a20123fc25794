//! What the host makes of the outputs in a response: which bytes end in a queue, and what an HTTP caller gets.

use anyhow::{Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The member of an object by its name in any case.
pub(crate) fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The messages that an output value becomes.
pub(crate) fn messages(output: &Value, binary: bool) -> Vec<Vec<u8>> {
    match output {
        Value::Null => Vec::new(),
        // Elements that are strings go out as they are.
        Value::Array(elements) => elements
            .iter()
            .map(|element| match element {
                Value::String(text) => text.clone().into_bytes(),
                other => indented(other),
            })
            .collect(),
        Value::String(text) => match (STANDARD.decode(text), serde_json::from_str::<Value>(text)) {
            // A string that happens to be base64 is decoded, which makes garbage of `Test`.
            (Ok(bytes), _) if !binary => vec![bytes],
            (_, Ok(Value::Array(elements))) => messages(&Value::Array(elements), binary),
            (_, Ok(object @ Value::Object(_))) => vec![indented(&object)],
            _ => vec![text.clone().into_bytes()],
        },
        other => vec![indented(other)],
    }
}

fn indented(value: &Value) -> Vec<u8> {
    serde_json::to_vec_pretty(value).unwrap_or_default()
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HttpOutput {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// What the caller gets for this reply: without any outputs an empty body, and an empty object without the one that is
/// named so.
pub(crate) fn http_output(reply: &Value, name: &str) -> Result<HttpOutput> {
    let without = |body: &str| HttpOutput { status: 200, headers: Vec::new(), body: body.to_owned() };
    if name == "$return" {
        return member(reply, "ReturnValue").map_or_else(|| Ok(without("")), http);
    }
    match member(reply, "Outputs") {
        None | Some(Value::Null) => Ok(without("")),
        Some(outputs) => member(outputs, name).map_or_else(|| Ok(without("{}")), http),
    }
}

/// `status` is ignored: only `statusCode` counts.
fn http(output: &Value) -> Result<HttpOutput> {
    if !output.is_object() {
        bail!("the HTTP output is not an object");
    }
    let status = match member(output, "statusCode") {
        Some(Value::Number(number)) => number.as_u64().and_then(|status| u16::try_from(status).ok()),
        Some(Value::String(text)) => text.parse().ok(),
        _ => Some(200),
    };
    let Some(status) = status else { bail!("statusCode is not a status") };
    let mut headers = Vec::new();
    for (name, value) in member(output, "headers").and_then(Value::as_object).into_iter().flatten() {
        match value {
            Value::Null => bail!("the header {name} is null"),
            Value::String(text) => headers.push((name.clone(), text.clone())),
            other => headers.push((name.clone(), other.to_string())),
        }
    }
    let body = match member(output, "body") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    Ok(HttpOutput { status, headers, body })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(output: &Value, binary: bool) -> Vec<String> {
        messages(output, binary).iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    #[test]
    fn strings_in_an_array_go_out_verbatim() {
        assert_eq!(text(&json!(["Test", "{\"a\":1}"]), false), ["Test", "{\"a\":1}"]);
    }

    #[test]
    fn a_bare_string_that_is_base64_is_decoded_unless_the_binding_is_binary() {
        assert_eq!(messages(&json!("Test"), false), [STANDARD.decode("Test").unwrap()]);
        assert_eq!(text(&json!("Test"), true), ["Test"]);
    }

    #[test]
    fn objects_are_written_anew_with_indentation() {
        assert_eq!(text(&json!({ "a": 1 }), false), ["{\n  \"a\": 1\n}"]);
        assert_eq!(text(&json!("{\"a\":1}"), false), ["{\n  \"a\": 1\n}"]);
    }

    #[test]
    fn a_bare_string_that_holds_an_array_is_split() {
        assert_eq!(text(&json!("[\"a b\",\"c d\"]"), false), ["a b", "c d"]);
    }

    #[test]
    fn only_status_code_counts() {
        assert_eq!(http(&json!({ "status": 404, "body": null })).unwrap().status, 200);
        assert_eq!(http(&json!({ "STATUSCODE": "404" })).unwrap().status, 404);
        assert!(http(&json!("text")).is_err());
        assert!(http(&json!({ "headers": { "x": null } })).is_err());
    }

    #[test]
    fn no_outputs_are_an_empty_body_and_outputs_without_this_one_an_empty_object() {
        let body = |reply: Value| http_output(&reply, "res").unwrap().body;
        assert_eq!([body(json!({})), body(json!({ "Outputs": null }))], ["", ""]);
        assert_eq!([body(json!({ "Outputs": {} })), body(json!({ "outputs": { "other": 1 } }))], ["{}", "{}"]);
        assert_eq!(body(json!({ "Outputs": { "RES": { "body": "tea" } } })), "tea");
    }

    /// `HttpScriptInvocationResultExtensionsTests.GetHttpOutputBindingResponse_ReturnsExpected` of the real host.
    #[test]
    fn the_hosts_own_vectors_of_http_outputs_hold() {
        let plain = |status, body: &str| HttpOutput { status, headers: Vec::new(), body: body.to_owned() };
        let of = |output: Value| http(&output).unwrap();
        assert_eq!(of(json!({ "statusCode": "204" })), plain(204, ""));
        assert_eq!(of(json!({})), plain(200, ""));
        assert_eq!(of(json!({ "body": "hello" })), plain(200, "hello"));
        assert_eq!(of(json!({ "body": "hello", "statusCode": "300" })), plain(300, "hello"));
        let headers = json!({ "header1": "header1Value", "header2": "header2Value" });
        let moved = of(json!({ "body": "foobar", "statusCode": "301", "headers": headers }));
        let named = |name: &str| (name.to_owned(), format!("{name}Value"));
        assert_eq!(moved, HttpOutput { headers: vec![named("header1"), named("header2")], ..plain(301, "foobar") });
        assert!(http(&json!("SomeBlah")).is_err());
    }
}
