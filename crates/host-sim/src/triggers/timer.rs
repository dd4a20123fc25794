//! The listener of one timer: one run at a time, a status that is kept, and one run for all that were missed.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::encode;
use crate::host::Host;
use crate::ncrontab::Ncrontab;
use crate::package::HostedFunction;

/// The `Last` of a timer that has never run.
const NEVER: &str = "0001-01-01T00:00:00+00:00";

#[derive(Debug, Serialize, Deserialize)]
struct TimerStatus {
    schedule: String,
    last: Option<Timestamp>,
    next: Timestamp,
}

pub(crate) struct TimerListener {
    function: HostedFunction,
    text: String,
    schedule: Ncrontab,
    monitored: bool,
    file: Option<PathBuf>,
}

impl TimerListener {
    pub(crate) fn new(host: &Host, function: HostedFunction) -> Result<Self> {
        let text = function.trigger["schedule"].as_str().context("a timer trigger has no schedule")?.to_owned();
        let schedule = Ncrontab::parse(&text).with_context(|| format!("the function {}", function.name))?;
        let monitored = function.trigger["useMonitor"].as_bool().unwrap_or(true) && !schedule.is_below_a_minute();
        let file = host.options.timer_status.as_ref().map(|folder| folder.join(format!("{}.json", function.name)));
        Ok(Self { function, text, schedule, monitored, file: file.filter(|_| monitored) })
    }

    pub(crate) async fn run(self, host: Arc<Host>) {
        if let Err(error) = self.run_forever(&host).await {
            host.log(format!("the timer {}: {error:#}", self.function.name));
        }
    }

    async fn run_forever(&self, host: &Host) -> Result<()> {
        // The status of another schedule says nothing about this one.
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
            self.remember(&TimerStatus { schedule: self.text.clone(), last, next })?;
            let wait = next.duration_since(Timestamp::now());
            tokio::time::sleep(Duration::try_from(wait).unwrap_or_default()).await;
            // Computed from the start of this run: occurrences missed meanwhile lead to one more run at once.
            from = self.fire(host, last, next, false).await;
            last = Some(from);
        }
    }

    /// Runs the function, whether it succeeds or fails; the time at which it began.
    async fn fire(&self, host: &Host, last: Option<Timestamp>, next: Timestamp, past_due: bool) -> Timestamp {
        let began = Timestamp::now();
        let last = last.map_or_else(|| NEVER.to_owned(), offset);
        let status: Option<Value> =
            self.monitored.then(|| json!({ "Last": last, "Next": offset(next), "LastUpdated": last }));
        let envelope = encode::timer(&self.function, status, past_due, &host.options.faults);
        let _ = host.invoke_with_outputs(&self.function, envelope).await;
        began
    }

    fn remembered(&self) -> Option<TimerStatus> {
        serde_json::from_slice(&fs::read(self.file.as_ref()?).ok()?).ok()
    }

    fn remember(&self, status: &TimerStatus) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        Ok(fs::write(file, serde_json::to_vec(status)?)?)
    }
}

fn offset(time: Timestamp) -> String {
    time.to_string().replace('Z', "+00:00")
}
