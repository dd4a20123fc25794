//! `photorelay trace <user>`: the way of an entry from what announced it to each target, hop by hop.
//!
//! Reads the storage alone. What a target shows now is known to its agent: `photorelay-agent trace` adds it.

use std::io::Write;

use anyhow::Result;
use photorelay_core::answer::print_json;
use photorelay_core::contract::AuditEntry;
use photorelay_core::hops::{self, TracedEntries};
use photorelay_core::id::UserId;
use photorelay_core::storage::Storage;
use photorelay_core::target::Targets;

/// Prints the way of each entry, the newest last, or all of them as a JSON array.
pub async fn trace(
    storage: &Storage,
    targets: &Targets,
    user: UserId,
    which: TracedEntries,
    is_json: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let serving = |entry: &AuditEntry| {
        targets.serving(entry.identity.domain.as_deref()).map(|target| target.name.as_str()).collect()
    };
    let traced = hops::of_user(&*storage.blobs, user, which, serving).await?;
    if is_json {
        return Ok(print_json(out, &traced)?);
    }
    for entry in &traced {
        for line in entry.to_string().lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    Ok(())
}
