//! One invocation of a function by an envelope, and what counts as success.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use tokio::sync::watch;
use uuid::Uuid;

use crate::decode::member;
use crate::worker::State;
use crate::{Host, Invocation, VERSION, package::Function};

/// The host's own patience with a program that has not started: four times its limit for the start.
const STARTS: u32 = 4;

/// One that is under way, until it is dropped.
struct Counted<'a>(&'a watch::Sender<usize>);

impl<'a> Counted<'a> {
    fn one_more_of(all: &'a watch::Sender<usize>) -> Self {
        all.send_modify(|count| *count += 1);
        Self(all)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Host {
    /// Invokes the function and remembers what came of it.
    pub(crate) async fn invoke(&self, function: &Function, envelope: Value) -> Result<Value> {
        let id = Uuid::new_v4();
        let _counted = Counted::one_more_of(&self.in_flight);
        let limit = self.function_timeout();
        let result = match self.ready().await {
            Err(error) => Err(error),
            Ok(()) => match tokio::time::timeout(limit, self.call(function, &envelope, id)).await {
                Ok(result) => result,
                Err(_) => {
                    self.worker.kill();
                    Err(anyhow::anyhow!("timed out after {limit:?}: the process was killed, and all in flight with it"))
                }
            },
        };
        let error = result.as_ref().err().map(|error| format!("{error:#}"));
        let invocation = Invocation { id, function: function.name.clone(), request: envelope, error };
        if let Ok(reply) = &result {
            for line in member(reply, "Logs").and_then(Value::as_array).into_iter().flatten() {
                self.say(format!("Function.{}.User: {}", function.name, line.as_str().unwrap_or_default()));
            }
        }
        self.invocations.send_modify(|all| all.push(invocation));
        result
    }

    /// The same, and sends what the reply puts out.
    pub(crate) async fn invoke_with_outputs(&self, function: &Function, envelope: Value) -> Result<Value> {
        let reply = self.invoke(function, envelope).await?;
        self.outputs(function, &reply).await?;
        Ok(reply)
    }

    pub(crate) async fn ready(&self) -> Result<()> {
        let mut state = self.worker.state.subscribe();
        let settled = state.wait_for(|state| *state != State::Starting);
        let limit: Duration = self.app.initialization_timeout * STARTS;
        match tokio::time::timeout(limit, settled).await {
            Ok(Ok(state)) => match &*state {
                State::Down(why) => bail!("{why}"),
                _ => Ok(()),
            },
            _ => bail!("Initializing HttpWorker timed out."),
        }
    }

    async fn call(&self, function: &Function, envelope: &Value, id: Uuid) -> Result<Value> {
        let url = format!("http://127.0.0.1:{}/{}", self.worker.port, function.name);
        let mut request = self.client.post(url).header(CONTENT_TYPE, "application/json; charset=utf-8");
        request = request.header("X-Azure-Functions-InvocationId", id.to_string());
        request = request.header("X-Azure-Functions-HostVersion", VERSION);
        if !self.options.faults.no_traceparent {
            request = request.header("traceparent", format!("00-{}-{:016x}-01", id.simple(), fastrand::u64(1..)));
        }
        let reply = request.body(envelope.to_string()).send().await?;
        ensure!(reply.status().is_success(), "the handler answered {}", reply.status());
        let content_type = reply.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media = content_type.split(';').next().unwrap_or_default().trim().to_lowercase();
        let body = reply.bytes().await?;
        if body.is_empty() || &body[..] == b"null" {
            // The host waits for a result that never comes.
            ensure!(!self.options.faults.fail_fast, "an empty answer: the host hangs until functionTimeout");
            std::future::pending::<()>().await;
        }
        ensure!(["application/json", "text/json"].contains(&&*media), "UnsupportedMediaType: {media:?}");
        let reply: Value = serde_json::from_slice(&body)?;
        ensure!(reply.is_object(), "the answer is not a JSON object");
        Ok(reply)
    }
}
