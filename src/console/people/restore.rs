//! Restore: what it will do in each target, said beforehand, and the entry that does it.
//!
//! The entry is made here; what becomes of it in a target is the agent's to decide. What is restored is what was confirmed:
//! if the trail has gone on since, the operator is asked again.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use photorelay_core::approvals::ApprovalStore;
use photorelay_core::audit;
use photorelay_core::contract::{AuditEntry, Decision, EntryKind, Verdict};
use photorelay_core::heartbeats::heartbeats;
use photorelay_core::history;
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{DecisionName, DecisionSubject};
use photorelay_core::store::BlobStore;
use photorelay_core::undo::is_ours;
use serde::Deserialize;

use super::confirm::{Confirmation, TargetChange};
use super::foreseen::{ForeseenTarget, taken_over, warnings};
use super::version::ShownPicture;
use super::{confirmed, no_such_user, signed};
use crate::console::pictures::rendition_path;
use crate::console::query::PageQuery;
use crate::console::render::{PageError, PageResult, count_of, done};
use crate::console::security::FormFields;
use crate::console::state::ConsoleState;
use crate::operate::restore::{self, Restore};

#[derive(Debug, Deserialize)]
pub(crate) struct RestoreAsked {
    seq: u32,
}

/// What will happen.
pub(crate) async fn ask(
    State(console): State<Arc<ConsoleState>>,
    Path(user): Path<String>,
    PageQuery(asked): PageQuery<RestoreAsked>,
) -> PageResult {
    let user: UserId = user.parse().map_err(|_| no_such_user())?;
    let seq = asked.seq;
    let newest = newest(&console, user).await?;
    let examined = match newest.kind {
        EntryKind::Forgotten => Err("the user was forgotten".to_owned()),
        _ => restore::examine(&console.storage, user, seq).await.map_err(|error| format!("{error:#}")),
    };
    let (mut changes, mut warned) = (Vec::new(), Vec::new());
    if let Ok(entry) = &examined {
        let heartbeats = heartbeats(&*console.storage.blobs).await?;
        for target in console.targets.serving(newest.identity.domain.as_deref()) {
            changes.push(change_in(&console, entry, &target.name).await?);
            warned.extend(warnings(&target.name, &heartbeats));
        }
    }
    let nothing = examined.err();
    let certain = if nothing.is_some() { Vec::new() } else { certain(seq, newest.seq, changes.len()) };
    let confirmation = Confirmation {
        user,
        account: newest.identity.sam_account_name,
        title: format!("Restore entry {seq}"),
        nothing,
        warnings: warned,
        changes,
        certain,
        left_to_agent: left_to_agent(),
        action: "restore",
        fields: vec![("seq", seq.to_string()), ("newest", newest.seq.to_string())],
        button: format!("Restore entry {seq}"),
    };
    confirmation.render(&console).await
}

fn certain(seq: u32, newest: u32, targets: usize) -> Vec<(&'static str, String)> {
    let made = format!(
        "The photo of entry {seq} becomes a new entry of the audit trail, after entry {newest}. The photo and its \
         renditions are in the storage, unchanged."
    );
    vec![
        ("whom it concerns", format!("1 person, in {}.", count_of(targets as u64, "target", "targets"))),
        ("what is made", made),
        ("deletion threshold", "It does not count: no photo is removed.".to_owned()),
        ("afterwards", "The photo stays until the user sets another one.".to_owned()),
    ]
}

fn left_to_agent() -> Vec<String> {
    vec![
        "It reads the target first, and goes by what it shows then.".to_owned(),
        "Its own settings count: dry run, pilot, scope, PHOTORELAY_FOREIGN, write quota and the stop switch."
            .to_owned(),
        "Whatever it does, or why it does nothing, is on the page of the person, as a receipt or a note.".to_owned(),
    ]
}

/// The newest entry of the trail, whatever it says.
async fn newest(console: &ConsoleState, user: UserId) -> Result<AuditEntry, PageError> {
    let blobs = &*console.storage.blobs;
    let sequence = audit::sequence_numbers(blobs, user).await?;
    let last = sequence.last().copied().ok_or_else(no_such_user)?;
    Ok(audit::read(blobs, user, last).await?.ok_or_else(no_such_user)?.entry)
}

/// Puts the photo of an earlier entry back.
pub(crate) async fn restore(
    State(console): State<Arc<ConsoleState>>,
    Path(user): Path<String>,
    form: FormFields,
) -> Result<Response, PageError> {
    let (user, signature) = signed(&console, &user, &form)?;
    let seq = form.get("seq").and_then(|seq| seq.parse().ok());
    let seq: u32 = seq.ok_or_else(|| PageError::Malformed("The form names no entry.".to_owned()))?;
    let known = newest(&console, user).await?.seq;
    if known.to_string() != confirmed(&form, "newest")? {
        let problem = format!("Entry {known} was made since you looked: look at it again.");
        return Ok(done(&console, &format!("/people/{user}/restore?seq={seq}"), Err(problem)));
    }
    let wanted = Restore { user, seq, after: Some(known), signature };
    let (storage, targets) = (console.storage.clone(), console.targets.clone());
    let restored = console.workshop.run(async move || restore::restore(&storage, &targets, wanted).await).await?;
    let outcome = match restored {
        Ok(restored) => {
            tracing::info!(user.id = %user, of = restored.of, seq = restored.seq, "restored at the console");
            Ok(format!("The photo of entry {} is restored as entry {}. Targets follow.", restored.of, restored.seq))
        }
        Err(error) => Err(format!("{error:#}")),
    };
    Ok(done(&console, &format!("/people/{user}"), outcome))
}

/// What the restored photo will do in one target.
async fn change_in(console: &ConsoleState, entry: &AuditEntry, target: &str) -> Result<TargetChange, PageError> {
    let (user, blobs) = (entry.user_id, &*console.storage.blobs);
    let foreseen = ForeseenTarget::read(console, user, target).await?;
    let then = rendition_for(blobs, entry, &foreseen).await?;
    let wanted = then.as_ref().map(|picture| picture.sha256);
    let is_taken = taken_over(user, target, &history::successions(blobs, user).await?);
    let effect = match (&foreseen.last, foreseen.value(), is_taken) {
        (_, _, Some(reason)) => format!("The agent leaves it as it is: {reason}."),
        (None, ..) => "The agent reads it first. A picture that photorelay did not write waits for approval, unless \
                       PHOTORELAY_FOREIGN says otherwise."
            .to_owned(),
        (Some(_), None, _) => "The agent writes the photo where there is none. It needs no approval.".to_owned(),
        (Some(_), Some(shows), _) if wanted == Some(shows) => {
            "It shows this photo already: the agent writes nothing and leaves a receipt.".to_owned()
        }
        (Some(_), Some(shows), _) if is_ours(&foreseen.receipts, shows) => {
            "The agent replaces its own picture. It needs no approval.".to_owned()
        }
        (Some(_), Some(shows), _) => foreign(console, user, target, shows).await?.to_owned(),
    };
    Ok(foreseen.change(then, "by the agent's settings", effect))
}

/// What becomes of a value that photorelay did not write.
async fn foreign(console: &ConsoleState, user: UserId, target: &str, value: Digest) -> Result<&'static str, PageError> {
    let name = DecisionName::first(user, DecisionSubject::Value(value), target);
    let decision = ApprovalStore::new(&console.storage.blobs, target).decision(name).await?;
    Ok(match decision {
        Some(Decision { verdict: Verdict::Approved, .. }) => {
            "photorelay did not write what is there, and an operator approved that it goes: the agent backs it up and \
             replaces it."
        }
        Some(Decision { verdict: Verdict::Rejected, .. }) => {
            "photorelay did not write what is there, and an operator wants it kept: the photo waits for approval."
        }
        None => {
            "No receipt says that photorelay wrote what is there: the photo waits for approval, unless the agent finds it \
             in the trail of this user or of an earlier one, or its PHOTORELAY_FOREIGN says otherwise."
        }
    })
}

/// The rendition that the target takes: the only one, or the one that it took before.
async fn rendition_for(
    blobs: &dyn BlobStore,
    entry: &AuditEntry,
    target: &ForeseenTarget,
) -> Result<Option<ShownPicture>, PageError> {
    let Some(photo) = &entry.photo else { return Ok(None) };
    let rendition = match entry.renditions.as_slice() {
        [only] => Some(only),
        several => {
            let taken = target.receipts.iter().rfind(|receipt| receipt.outcome.is_shown() && receipt.after.is_some());
            let taken_of = match taken {
                Some(receipt) => audit::read(blobs, entry.user_id, receipt.seq).await?,
                None => None,
            };
            let of = taken_of.as_ref().map(|committed| committed.entry.renditions.as_slice()).unwrap_or_default();
            let name = of.iter().find(|known| Some(known.sha256) == taken.and_then(|receipt| receipt.after));
            several.iter().find(|own| name.is_some_and(|name| name.name == own.name))
        }
    };
    Ok(rendition.map(|rendition| ShownPicture {
        path: rendition_path(entry.user_id, photo.sha256, &rendition.name, rendition.sha256),
        alt: format!("the picture of entry {}", entry.seq),
        facts: String::new(),
        sha256: rendition.sha256,
    }))
}
