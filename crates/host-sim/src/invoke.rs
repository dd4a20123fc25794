//! One invocation of a function by an envelope, and what counts as success.

use anyhow::{Result, anyhow, ensure};
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use tokio::sync::watch;
use uuid::Uuid;

use crate::decode::member;
use crate::host::{HOST_VERSION, Host, InvocationRecord};
use crate::package::HostedFunction;

/// Counts an invocation as in flight until it is dropped.
struct InFlight<'a>(&'a watch::Sender<usize>);

impl<'a> InFlight<'a> {
    fn enter(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Host {
    /// Invokes the function, sends its outputs, and returns the handler's response.
    pub(crate) async fn invoke_with_outputs(&self, function: &HostedFunction, envelope: Value) -> Result<Value> {
        let response = self.invoke(function, envelope).await?;
        self.send_outputs(function, &response).await?;
        Ok(response)
    }

    /// Invokes the function and records the result.
    async fn invoke(&self, function: &HostedFunction, envelope: Value) -> Result<Value> {
        let id = Uuid::new_v4();
        let _in_flight = InFlight::enter(&self.in_flight);
        let limit = self.function_timeout();
        let result = match self.ready().await {
            Err(error) => Err(error),
            Ok(()) => match tokio::time::timeout(limit, self.call(function, &envelope, id)).await {
                Ok(result) => result,
                Err(_) => {
                    self.worker.kill();
                    Err(anyhow!("timed out after {limit:?}: the process was killed, and all in flight with it"))
                }
            },
        };
        let error = result.as_ref().err().map(|error| format!("{error:#}"));
        if let Ok(response) = &result {
            for line in member(response, "Logs").and_then(Value::as_array).into_iter().flatten() {
                self.log(format!("Function.{}.User: {}", function.name, line.as_str().unwrap_or_default()));
            }
        }
        let record = InvocationRecord { id, function: function.name.clone(), request: envelope, error };
        self.invocations.send_modify(|all| all.push(record));
        result
    }

    async fn call(&self, function: &HostedFunction, envelope: &Value, id: Uuid) -> Result<Value> {
        let url = format!("http://127.0.0.1:{}/{}", self.worker.port, function.name);
        let mut request = self.client.post(url).header(CONTENT_TYPE, "application/json; charset=utf-8");
        request = request.header("X-Azure-Functions-InvocationId", id.to_string());
        request = request.header("X-Azure-Functions-HostVersion", HOST_VERSION);
        if !self.options.faults.no_traceparent {
            request = request.header("traceparent", format!("00-{}-{:016x}-01", id.simple(), fastrand::u64(1..)));
        }
        let response = request.body(envelope.to_string()).send().await?;
        ensure!(response.status().is_success(), "the handler answered {}", response.status());
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_lowercase();
        let body = response.bytes().await?;
        if body.is_empty() || &body[..] == b"null" {
            // The host waits for a result that never comes.
            ensure!(!self.options.faults.fail_fast, "an empty response: the host hangs until functionTimeout");
            std::future::pending::<()>().await;
        }
        ensure!(["application/json", "text/json"].contains(&&*media), "UnsupportedMediaType: {media:?}");
        let response: Value = serde_json::from_slice(&body)?;
        ensure!(response.is_object(), "the response is not a JSON object");
        Ok(response)
    }
}
