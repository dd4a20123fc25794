//! The listener of one timer: one run at a time, its times remembered, and one run for all that was missed.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::package::Function;
use crate::schedule::Schedule;
use crate::{Host, encode};

/// What a first run has for its last one: no offset, which parsers of RFC 3339 refuse.
const NEVER: &str = "0001-01-01T00:00:00";

#[derive(Debug, Serialize, Deserialize)]
struct Status {
    schedule: String,
    last: Option<Timestamp>,
    next: Timestamp,
}

pub(crate) struct Timer {
    function: Function,
    text: String,
    schedule: Schedule,
    monitored: bool,
    file: Option<PathBuf>,
}

impl Timer {
    pub(crate) fn new(host: &Host, function: Function) -> Result<Self> {
        let text = function.trigger["schedule"].as_str().context("a timer trigger has no schedule")?.to_owned();
        let schedule = Schedule::parse(&text).with_context(|| format!("the function {}", function.name))?;
        let monitored = function.trigger["useMonitor"].as_bool().unwrap_or(true) && !schedule.is_below_a_minute();
        let file = host.options.state.as_ref().map(|folder| folder.join(format!("{}.json", function.name)));
        Ok(Self { function, text, schedule, monitored, file: file.filter(|_| monitored) })
    }

    pub(crate) async fn run(self, host: Arc<Host>) {
        if let Err(error) = self.go(&host).await {
            host.say(format!("the timer {}: {error:#}", self.function.name));
        }
    }

    async fn go(&self, host: &Host) -> Result<()> {
        // Times of another schedule say nothing about this one.
        let known = self.remembered().filter(|status| status.schedule == self.text);
        let mut last = known.as_ref().and_then(|status| status.last);
        let mut from = Timestamp::now();
        match known {
            Some(status) if status.next < from => last = Some(self.fire(host, last, status.next, true).await),
            _ if self.function.trigger["runOnStartup"] == true => {
                let next = self.schedule.after(from)?;
                last = Some(self.fire(host, last, next, false).await);
            }
            _ => {}
        }
        loop {
            let next = self.schedule.after(last.unwrap_or(from))?;
            self.remember(&Status { schedule: self.text.clone(), last, next })?;
            let wait = next.duration_since(Timestamp::now());
            tokio::time::sleep(Duration::try_from(wait).unwrap_or_default()).await;
            // Computed from the start of this run: what passes meanwhile leads to one more run at once.
            from = self.fire(host, last, next, false).await;
            last = Some(from);
        }
    }

    /// Runs the function, whatever comes of it; the time at which it began.
    async fn fire(&self, host: &Host, last: Option<Timestamp>, next: Timestamp, past_due: bool) -> Timestamp {
        let began = Timestamp::now();
        let last = last.map_or_else(|| NEVER.to_owned(), offset);
        let status: Option<Value> =
            self.monitored.then(|| json!({ "Last": last, "Next": offset(next), "LastUpdated": last }));
        let envelope = encode::timer(&self.function, status, past_due, &host.options.faults);
        let _ = host.invoke_with_outputs(&self.function, envelope).await;
        began
    }

    fn remembered(&self) -> Option<Status> {
        serde_json::from_slice(&fs::read(self.file.as_ref()?).ok()?).ok()
    }

    fn remember(&self, status: &Status) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        Ok(fs::write(file, serde_json::to_vec(status)?)?)
    }
}

fn offset(time: Timestamp) -> String {
    time.to_string().replace('Z', "+00:00")
}
