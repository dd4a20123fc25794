//! A first fill checks users while the tenant is still being listed, because a list of many pages takes as long as the
//! checks themselves.
//!
//! Only where nothing is stored about any user and every listed user is in scope: then each would be checked in any case.
//! A check too many costs one request and changes nothing.

use photorelay_core::contract::FetchPolicy;
use photorelay_core::id::UserId;
use photorelay_core::queue::QueueStore;
use photorelay_core::store::{BlobStore, StoreError};
use photorelay_core::trace::TraceContext;
use tokio::sync::mpsc::UnboundedReceiver;

use super::checks::PendingChecks;
use crate::jobs::scope::Scope;
use crate::jobs::state_listing::StateListing;
use crate::jobs::unreadable;

pub(super) async fn are_wanted(scope: &Scope, blobs: &dyn BlobStore) -> Result<bool, StoreError> {
    Ok(scope.is_open()
        && StateListing::open(blobs).peek().await?.is_none()
        && unreadable::list(blobs).await?.is_empty())
}

/// Sends a check of every user as the pages of the list come. Returns the users, in the order of ids.
pub(super) async fn send(
    mut listed: UnboundedReceiver<Vec<UserId>>,
    queues: &dyn QueueStore,
    trace: &TraceContext,
) -> Result<Vec<UserId>, StoreError> {
    let (mut checks, mut checked) = (PendingChecks::default(), Vec::new());
    while let Some(users) = listed.recv().await {
        users.iter().for_each(|user| checks.add(*user, FetchPolicy::IfChanged));
        checked.extend(users);
        checks.send_full(queues, trace).await?;
    }
    checks.send_all(queues, trace).await?;
    checked.sort_unstable();
    Ok(checked)
}
