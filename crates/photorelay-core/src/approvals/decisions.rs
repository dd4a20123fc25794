//! What operators decided: documents that are created once, the later beside the earlier. The last one counts.

use crate::contract::Decision;
use crate::documents::{self, Document};
use crate::id::UserId;
use crate::names::{self, Container, DecisionName};
use crate::store::{BlobStore, Creation, StoreError, list_all};

/// The decision that counts; none as long as it is undecided. One that cannot be read says nothing, and neither does
/// what was decided before it.
pub async fn counting(blobs: &dyn BlobStore, first: DecisionName) -> Result<Option<Decision>, StoreError> {
    let mut counting = None;
    let mut name = first;
    loop {
        match documents::inspect(blobs, Container::Agents, &name.to_string()).await? {
            Document::Absent => return Ok(counting),
            Document::Valid(decision) => counting = Some(decision),
            Document::Unreadable(reason) => {
                tracing::warn!(blob = %format!("agents/{name}"), reason, "a decision that cannot be read is ignored");
                counting = None;
            }
        }
        name = name.next();
    }
}

/// Adds the decision after those that there are.
pub(super) async fn append(blobs: &dyn BlobStore, first: DecisionName, decision: &Decision) -> Result<(), StoreError> {
    let mut name = first;
    while documents::create(blobs, Container::Agents, &name.to_string(), decision).await? == Creation::AlreadyExists {
        // Perhaps created by this very request, whose answer was lost.
        if documents::read::<Decision>(blobs, Container::Agents, &name.to_string()).await?.as_ref() == Some(decision) {
            break;
        }
        name = name.next();
    }
    Ok(())
}

/// Every decision about this user: those about one subject in one target together, the last one last.
pub async fn of_user(blobs: &dyn BlobStore, user: UserId) -> Result<Vec<Decision>, StoreError> {
    let listed = list_all(blobs, Container::Agents, &names::decisions_prefix(user)).await?;
    let mut made: Vec<DecisionName> = listed.iter().filter_map(|blob| names::parse_decision(&blob.name)).collect();
    // A listing has another order, because it compares text.
    made.sort();
    let mut decisions = Vec::new();
    for name in made {
        decisions.extend(documents::read(blobs, Container::Agents, &name.to_string()).await?);
    }
    Ok(decisions)
}
