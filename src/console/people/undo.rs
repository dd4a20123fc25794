//! Undo: what it comes to, said beforehand, and the request for it.
//!
//! The console reaches no directory. It foretells with the rules of the agent and what the target showed last; the agent
//! decides by what it shows then. What is requested is what was confirmed: if that has changed, the operator is asked
//! again.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use photorelay_core::approvals::Approvals;
use photorelay_core::audit::{self, TrailUsers};
use photorelay_core::contract::EntryKind;
use photorelay_core::heartbeats::heartbeats;
use photorelay_core::id::UserId;
use photorelay_core::target::Target;
use photorelay_core::undo::{UndoStep, Undoable, is_ours};
use photorelay_core::{deletion_slots, history};
use serde::Deserialize;

use super::confirm::Confirmation;
use super::foreseen::{ForeseenTarget, taken_over, warnings};
use super::version::ShownPicture;
use super::{confirmed, no_such_user, signed};
use crate::console::query::PageQuery;
use crate::console::render::{PageError, PageResult, done};
use crate::console::security::FormFields;
use crate::console::state::ConsoleState;

#[derive(Debug, Deserialize)]
pub(crate) struct UndoAsked {
    target: String,
}

/// What undoing comes to now, as far as the storage says.
struct ForeseenUndo {
    /// The newest entry that concerns targets: an agent undoes no other.
    seq: u32,
    kind: EntryKind,
    account: Option<String>,
    step: UndoStep,
    target: ForeseenTarget,
    slots: TodaysSlots,
}

/// The deletion slots of the day in the target.
struct TodaysSlots {
    taken: u32,
    by_default: u32,
    /// Whether this user's entry has one.
    is_own: bool,
}

/// What will happen.
pub(crate) async fn ask(
    State(console): State<Arc<ConsoleState>>,
    Path(user): Path<String>,
    PageQuery(asked): PageQuery<UndoAsked>,
) -> PageResult {
    let user: UserId = user.parse().map_err(|_| no_such_user())?;
    let target = target(&console, &asked.target)?;
    let foreseen = ForeseenUndo::read(&console, user, target).await?;
    let warnings = warnings(&target.name, &heartbeats(&*console.storage.blobs).await?);
    foreseen.confirmation(user, &target.name, warnings).render(&console).await
}

fn target<'a>(console: &'a ConsoleState, name: &str) -> Result<&'a Target, PageError> {
    console.targets.by_name(name).ok_or_else(|| PageError::NotFound("There is no such target.".to_owned()))
}

/// Asks an agent to do what was confirmed.
pub(crate) async fn undo(
    State(console): State<Arc<ConsoleState>>,
    Path(user): Path<String>,
    form: FormFields,
) -> Result<Response, PageError> {
    let (user, signature) = signed(&console, &user, &form)?;
    let target = target(&console, confirmed(&form, "target")?)?;
    let foreseen = ForeseenUndo::read(&console, user, target).await?;
    if foreseen.to_string() != confirmed(&form, "plan")? {
        let again = format!("/people/{user}/undo?target={}", target.name);
        let problem = "What undoing would do has changed since you looked: look at it again.";
        return Ok(done(&console, &again, Err(problem.to_owned())));
    }
    let (person, seq) = (format!("/people/{user}"), foreseen.seq);
    if let UndoStep::Leave(reason) = &foreseen.step {
        return Ok(done(&console, &person, Err(format!("Nothing was requested: {reason}."))));
    }
    let approvals = Approvals::new(console.storage.clone(), target.name.clone(), target.queue.clone());
    let requested = console.workshop.run(async move || approvals.request_undo(user, seq, &signature).await).await?;
    let outcome = match requested {
        Ok(()) => {
            tracing::info!(user.id = %user, seq, target = target.name, "asked at the console to undo");
            Ok(format!("An agent of {} is asked to {}.", target.name, foreseen.in_words()))
        }
        Err(error) => Err(error.to_string()),
    };
    Ok(done(&console, &person, outcome))
}

impl ForeseenUndo {
    async fn read(console: &ConsoleState, user: UserId, target: &Target) -> Result<Self, PageError> {
        let blobs = &*console.storage.blobs;
        let sequence = audit::sequence_numbers(blobs, user).await?;
        let newest = audit::newest_not_refused(blobs, user, &sequence).await?.ok_or_else(no_such_user)?.entry;
        let foreseen = ForeseenTarget::read(console, user, &target.name).await?;
        let undoable = Undoable::read(blobs, user, foreseen.receipts.clone()).await?;
        let is_taken = taken_over(user, &target.name, &history::successions(blobs, user).await?);
        let step = match (newest.kind, is_taken) {
            (EntryKind::Forgotten, _) => UndoStep::Leave("the user was forgotten".to_owned()),
            (_, Some(reason)) => UndoStep::Leave(reason),
            _ => undoable.step(foreseen.value()),
        };
        let slots = TodaysSlots::read(console, user, newest.seq, &target.name).await?;
        let account = newest.identity.sam_account_name;
        Ok(Self { seq: newest.seq, kind: newest.kind, account, step, target: foreseen, slots })
    }

    /// Completes a sentence that begins with "An agent is asked to".
    fn in_words(&self) -> &'static str {
        match self.step {
            UndoStep::PutBack(_) => "put back what was there before photorelay wrote",
            UndoStep::Clear(_) => "clear the photo, because there was none before photorelay wrote",
            UndoStep::Leave(_) => "change nothing",
        }
    }

    fn confirmation(self, user: UserId, target: &str, warnings: Vec<String>) -> Confirmation {
        let fields = vec![("target", target.to_owned()), ("plan", self.to_string())];
        let (then, effect, afterwards) = self.outcome(target);
        let mut confirmation = Confirmation {
            user,
            account: self.account,
            title: format!("Undo in {target}"),
            nothing: None,
            warnings,
            changes: Vec::new(),
            certain: Vec::new(),
            left_to_agent: left_to_agent(target, self.seq),
            action: "undo",
            fields,
            button: format!("Undo in {target}"),
        };
        match self.step {
            UndoStep::Leave(reason) => confirmation.nothing = Some(reason),
            UndoStep::PutBack(_) | UndoStep::Clear(_) => {
                confirmation.changes.push(self.target.change(then, "cleared", effect));
                confirmation.certain = certain(target, self.slots.in_words(target), afterwards);
            }
        }
        confirmation
    }

    /// The picture that will be there, how it comes, and how long it stays.
    fn outcome(&self, target: &str) -> (Option<ShownPicture>, String, &'static str) {
        match &self.step {
            UndoStep::PutBack(value) if is_ours(&self.target.receipts, *value) => (
                Some(self.target.picture(*value)),
                format!("This picture is put back: {target} showed it before it was removed."),
                "The picture that is put back stays until the user sets a new photo.",
            ),
            UndoStep::PutBack(value) => (
                Some(self.target.picture(*value)),
                format!("This picture is put back: {target} showed it before photorelay wrote there."),
                match self.kind {
                    // What the agent is kept from then is the removal, and no photo after it.
                    EntryKind::Removed => "The picture that is put back stays until the user sets a new photo.",
                    _ => {
                        "The picture that is put back stays, also when the user sets a new photo, until that is approved."
                    }
                },
            ),
            UndoStep::Clear(_) => {
                let instead = match self.seq {
                    1 => "",
                    _ => " To have an earlier photo of the user there, restore its version instead.",
                };
                let effect = format!("The photo is cleared: {target} had none before photorelay wrote there.{instead}");
                (None, effect, "The place stays empty until the user sets a new photo, or this one is approved.")
            }
            UndoStep::Leave(_) => (None, String::new(), ""),
        }
    }
}

fn certain(target: &str, threshold: String, afterwards: &str) -> Vec<(&'static str, String)> {
    let by = format!("An agent of {target}, which a message asks for it: this console reaches no directory.");
    let approval =
        "It needs none. It is recorded as rejected, and can be approved again: Approvals, rejected or undone.";
    vec![
        ("whom it concerns", format!("1 person, in the target {target}. The audit trail stays as it is.")),
        ("who does it", by),
        ("deletion threshold", threshold),
        ("approval", approval.to_owned()),
        ("afterwards", afterwards.to_owned()),
    ]
}

fn left_to_agent(target: &str, seq: u32) -> Vec<String> {
    vec![
        format!("It reads {target} first. A picture that another writer has put there since stays."),
        format!("It changes nothing if an entry after {seq} is there by then, or {seq} was written once more."),
        "Its own settings count: dry run, pilot, scope, PHOTORELAY_REMOVALS_PER_DAY and the stop switch.".to_owned(),
        "Whatever it does, or why it does nothing, is noted on the page of the person.".to_owned(),
    ]
}

/// What a form confirms: the entry, what is there, and what becomes of it.
impl fmt::Display for ForeseenUndo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shows = self.target.value().map_or_else(|| "nothing".to_owned(), |value| value.to_string());
        write!(f, "{} {shows} ", self.seq)?;
        match &self.step {
            UndoStep::PutBack(value) => write!(f, "put-back {value}"),
            UndoStep::Clear(value) => write!(f, "clear {value}"),
            UndoStep::Leave(_) => f.write_str("leave"),
        }
    }
}

impl TodaysSlots {
    async fn read(console: &ConsoleState, user: UserId, seq: u32, target: &str) -> Result<Self, PageError> {
        let blobs = &*console.storage.blobs;
        let taken = deletion_slots::taken(blobs, deletion_slots::today(), target).await?;
        let is_own = taken.iter().flatten().any(|slot| (slot.user_id, slot.seq) == (user, seq));
        let users = deletion_slots::count_users(TrailUsers::after(blobs, None)).await?;
        let by_default = deletion_slots::by_default(users);
        Ok(Self { taken: u32::try_from(taken.len()).unwrap_or(u32::MAX), by_default, is_own })
    }

    fn in_words(&self, target: &str) -> String {
        let Self { taken, by_default, is_own } = self;
        if *is_own {
            return format!("This entry has one of today's deletion slots of {target} already, and takes no other.");
        }
        match taken < by_default {
            true => format!(
                "It passes, unless PHOTORELAY_REMOVALS_PER_DAY is set to less: it takes one of today's {by_default} \
                 deletion slots of {target}, of which {taken} are taken."
            ),
            false => format!(
                "It does not pass today, unless PHOTORELAY_REMOVALS_PER_DAY allows more: {taken} of {by_default} \
                 deletion slots of {target} are taken, and the agent would change nothing. Ask again after midnight UTC, \
                 or run `photorelay-agent undo` on the agent's machine."
            ),
        }
    }
}
