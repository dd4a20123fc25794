//! `photorelay status`: the status of the whole system, on one screen or as JSON.

use std::io::Write;

use anyhow::Result;
use jiff::Timestamp;

use crate::jobs::watch::Watch;

/// Prints the status and returns whether there is no alert.
pub async fn status(watch: &Watch, as_json: bool, out: &mut dyn Write) -> Result<bool> {
    let status = watch.status(Timestamp::now()).await?;
    match as_json {
        true => writeln!(out, "{}", serde_json::to_string_pretty(&status)?)?,
        false => writeln!(out, "{status}")?,
    }
    Ok(status.alerts.is_empty())
}
