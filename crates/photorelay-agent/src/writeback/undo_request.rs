//! Carries out an operator's request to undo that came through the queue, from a console that cannot reach the target.
//!
//! It does what `undo` does at the command line, for one user, if the entry that the operator saw is still the newest, and
//! was neither written nor undone since: a request that is delivered again never undoes what was approved after it. However
//! many requests are sent, no more values are cleared or put back than the deletion threshold allows. One that is not
//! obeyed leaves a note.

use jiff::Timestamp;
use photorelay_core::contract::{NoteKind, Receipt, WriteBack};
use photorelay_core::id::UserId;
use photorelay_core::operator::OperatorSignature;
use photorelay_core::store::StoreError;
use photorelay_core::undo::UndoStep;

use super::error::WriteBackError;
use super::outcome::{Unwritten, WritebackOutcome};
use super::reconciler::Reconciler;
use super::undo::{ClearingLimit, UndoOutcome};

impl Reconciler {
    /// Undoes the entry that the message names, while no other task of this process works on the same user.
    pub(crate) async fn undo_requested(
        &self,
        user: UserId,
        message: &WriteBack,
    ) -> Result<WritebackOutcome, WriteBackError> {
        let _alone = self.alone(user).await;
        let signature = signature(message)?;
        let newest = self.trail.newest(user, message).await?;
        let seq = newest.seq();
        if let Some(reason) = self.excluded(user) {
            return Ok(self.writer.note(user, seq, Unwritten::because(NoteKind::OutOfScope, reason)).await?);
        }
        if self.receipts.undone_at(user, message.data.seq).await?.is_some_and(|at| at >= asked_at(message)) {
            tracing::info!(user.id = %user, seq = message.data.seq, "a request to undo that was obeyed came again");
            return Ok(WritebackOutcome::Noted(NoteKind::Held));
        }
        let undone = match self.too_late(user, seq, message).await? {
            Some(why) => UndoOutcome::Left(why),
            None => self.undo(user, &signature, ClearingLimit::Requested).await?,
        };
        let note = match undone {
            UndoOutcome::Undone(_) => return Ok(WritebackOutcome::Noted(NoteKind::Held)),
            UndoOutcome::Would(UndoStep::Clear(_)) => Unwritten::because(NoteKind::DryRun, "would clear the photo"),
            UndoOutcome::Would(_) => Unwritten::because(NoteKind::DryRun, "would put back the earlier value"),
            // Notes are logged, and logs name no operator.
            UndoOutcome::Left(reason) => {
                let asked = message.data.seq;
                let reason = format!("an operator asked to undo entry {asked}, and nothing was changed: {reason}");
                Unwritten::because(NoteKind::Held, reason)
            }
        };
        Ok(self.writer.note(user, seq, note).await?)
    }

    /// Why the target does not show any more what the operator saw.
    async fn too_late(&self, user: UserId, newest: u32, message: &WriteBack) -> Result<Option<String>, StoreError> {
        if newest != message.data.seq {
            return Ok(Some(format!("entry {newest} is newer")));
        }
        let receipts = self.receipts.of_user(user).await?;
        let is_later = |receipt: &Receipt| receipt.seq == newest && receipt.at > asked_at(message);
        let was_shown = receipts.iter().any(|receipt| receipt.outcome.is_shown() && is_later(receipt));
        Ok(was_shown.then(|| "it was written after that".to_owned()))
    }
}

/// When the operator asked.
fn asked_at(message: &WriteBack) -> Timestamp {
    message.data.announced_at.unwrap_or(message.time)
}

/// A message is untrusted: a name or reason that is not one line of text is none.
fn signature(message: &WriteBack) -> Result<OperatorSignature, WriteBackError> {
    let request = message.data.undo.as_ref();
    let request = request.ok_or_else(|| WriteBackError::Hopeless("the request names no operator".to_owned()))?;
    let reason = request.reason.as_ref().map(|reason| reason.parse()).transpose().map_err(WriteBackError::Hopeless)?;
    Ok(OperatorSignature { by: request.by.parse().map_err(WriteBackError::Hopeless)?, reason })
}
