//! Carries out an operator's request to undo that came through the queue, from a console that cannot reach the target.
//!
//! It does what `undo` does at the command line, for one user, if the entry that the operator saw is still the newest.
//! However many requests are sent, no more photos are cleared than the deletion threshold allows.

use photorelay_core::contract::{NoteKind, WriteBack};
use photorelay_core::id::UserId;
use photorelay_core::operator::OperatorSignature;

use super::error::WriteBackError;
use super::outcome::{Unwritten, WritebackOutcome};
use super::reconciler::Reconciler;
use super::undo::{ClearingLimit, UndoOutcome, UndoStep};

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
        if seq != message.data.seq {
            tracing::info!(user.id = %user, seq = message.data.seq, newest = seq, "a request to undo came too late");
            return Ok(WritebackOutcome::Noted(NoteKind::Held));
        }
        if let Some(reason) = self.excluded(user) {
            return Ok(self.writer.note(user, seq, Unwritten::because(NoteKind::OutOfScope, reason)).await?);
        }
        let note = match self.undo(user, &signature, ClearingLimit::Threshold).await? {
            UndoOutcome::Undone(_) => return Ok(WritebackOutcome::Noted(NoteKind::Held)),
            UndoOutcome::Would(UndoStep::Clear(_)) => Unwritten::because(NoteKind::DryRun, "would clear the photo"),
            UndoOutcome::Would(_) => Unwritten::because(NoteKind::DryRun, "would put back the earlier value"),
            // Notes are logged, and logs name no operator.
            UndoOutcome::Left(reason) => {
                let reason = format!("an operator asked to undo this, and nothing was changed: {reason}");
                Unwritten::because(NoteKind::Held, reason)
            }
        };
        Ok(self.writer.note(user, seq, note).await?)
    }
}

/// A message is untrusted: a name or reason that is not one line of text is none.
fn signature(message: &WriteBack) -> Result<OperatorSignature, WriteBackError> {
    let request = message.data.undo.as_ref();
    let request = request.ok_or_else(|| WriteBackError::Hopeless("the request names no operator".to_owned()))?;
    let reason = request.reason.as_ref().map(|reason| reason.parse()).transpose().map_err(WriteBackError::Hopeless)?;
    Ok(OperatorSignature { by: request.by.parse().map_err(WriteBackError::Hopeless)?, reason })
}
