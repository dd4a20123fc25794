//! `photorelay status`: the status of the whole system, on one screen or as JSON.

use std::io::Write;

use anyhow::Result;
use jiff::Timestamp;
use photorelay_core::answer;
use photorelay_core::storage::Storage;
use photorelay_core::wording::counted;

use crate::jobs::watch::Watch;

/// Prints the status and returns whether there is no alert.
pub async fn status(watch: &Watch, as_json: bool, out: &mut dyn Write) -> Result<bool> {
    let status = watch.status(Timestamp::now()).await?;
    answer::print(out, &status, as_json)?;
    Ok(status.alerts.is_empty())
}

/// Lists the users whose newest photo was refused, with the reason. Needs no Graph.
pub async fn refused(storage: &Storage, as_json: bool, out: &mut dyn Write) -> Result<()> {
    let refused = Watch::refused(storage).await?;
    if as_json {
        return Ok(answer::print_json(out, &refused)?);
    }
    for photo in &refused {
        let at = Timestamp::from_second(photo.at.as_second()).unwrap_or(photo.at);
        writeln!(out, "{}  entry {}  {at}  {}", photo.user_id, photo.seq, photo.reason)?;
    }
    writeln!(
        out,
        "{} whose newest photo was refused; targets show the one before it",
        counted(refused.len() as u64, "person", "people")
    )?;
    Ok(())
}
