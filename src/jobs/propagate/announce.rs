//! Step 7: a write-back message to every target that serves the user.

use photorelay_core::audit::Committed;

use super::context::Reconciliation;
use super::journal::Step;
use super::outcome::ReconcileError;
use crate::jobs::announce;

pub(super) async fn announce(cx: &mut Reconciliation<'_>, committed: &Committed) -> Result<(), ReconcileError> {
    let targets = announce::announce(cx.queues(), &cx.settings.targets, committed).await?;
    cx.journal.note(Step::Announce, || match targets.as_slice() {
        [] => "no target needs this entry".to_owned(),
        targets => format!("announced to {}", targets.join(", ")),
    });
    Ok(())
}
