//! Puts back what a target showed before we replaced it. An operator's deed: the agent never does this by itself.
//!
//! It writes down first that the operator wants this value kept, so that no agent replaces it again at once, and then
//! replaces exactly what it read. What somebody else wrote since is left as it is.

use std::collections::BTreeSet;

use jiff::Timestamp;
use photorelay_core::audit;
use photorelay_core::contract::{ApprovalReason, EntryKind, NoteKind, Outcome, PendingApproval, Receipt, V1, Verdict};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::store::{Listed, Listing, StoreError, list_all};

use super::{WriteBackError, WriteBacks};
use crate::connectors::Replacement;
use crate::documents;
use crate::operate::approvals::record;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    PutBack(Digest),
    /// In a dry run.
    Would(Digest),
    Nothing(&'static str),
}

impl WriteBacks {
    /// Everybody of whom a value was kept.
    pub async fn with_kept_values(&self) -> Result<BTreeSet<UserId>, StoreError> {
        let mut people = BTreeSet::new();
        let mut continuation: Option<String> = None;
        loop {
            let listing = Listing { continuation: continuation.as_deref(), ..Listing::of("") };
            let page = self.storage.blobs.list(Container::Receipts, listing).await?;
            people
                .extend(page.blobs.iter().filter_map(|blob| names::parse_kept_value(&blob.name)).map(|(user, _)| user));
            match page.next {
                Some(next) => continuation = Some(next),
                None => return Ok(people),
            }
        }
    }

    /// Puts back the value that we replaced last and that is kept.
    pub async fn undo(&self, user: UserId) -> Result<Undone, WriteBackError> {
        let blobs = &*self.storage.blobs;
        let receipts = documents::receipts(blobs, user, &self.settings.target).await?;
        let Some(value) = self.replaced_last(user, &receipts).await? else {
            return Ok(Undone::Nothing("no value was replaced that is kept"));
        };
        let sequence = audit::sequence_numbers(blobs, user).await?;
        let Some(newest) = audit::newest_not_refused(blobs, user, &sequence).await? else {
            return Ok(Undone::Nothing("the audit trail has no entry that says who this is"));
        };
        if !self.settings.dry_run {
            self.acquire_write().await?;
        }
        let (place, present) = self.target.find(user, &newest.entry.identity).await?;
        let shows = present.as_deref().map(Digest::of);
        if shows == Some(value) {
            return Ok(Undone::Nothing("the target shows that value already"));
        }
        if shows.is_some() && !receipts.iter().any(|receipt| receipt.after == shows) {
            return Ok(Undone::Nothing("somebody else has written since: their value stays"));
        }
        if self.settings.dry_run {
            return Ok(Undone::Would(value));
        }
        let name = names::kept_value(user, value);
        let bytes = blobs.get(Container::Receipts, &name, self.target.limit()).await?;
        let Some(bytes) = bytes.filter(|bytes| Digest::of(bytes) == value) else {
            return Err(WriteBackError::Hopeless(format!("receipts/{name} is not what its name says")));
        };
        let held = PendingApproval {
            v: V1,
            user_id: user,
            seq: newest.entry.seq,
            target: self.settings.target.clone(),
            held_for: if newest.entry.kind == EntryKind::Removed {
                ApprovalReason::Removal
            } else {
                ApprovalReason::Foreign
            },
            value,
            reason: "an operator put back what the target showed before".to_owned(),
            agent: self.settings.agent.clone(),
            at: Timestamp::now(),
        };
        record(&self.storage, &held, Verdict::Rejected).await?;
        match self.write(&place, present.as_ref(), Some(&bytes)).await? {
            Replacement::Done => {}
            Replacement::ChangedMeanwhile => {
                return Err(WriteBackError::Failed(format!(
                    "somebody wrote the photo of user {user} just now: try again"
                )));
            }
        }
        let name = names::held(user, held.seq, &held.target);
        documents::put(blobs, Container::Agents, &name, &held).await?;
        self.note(user, held.seq, NoteKind::Held, &held.reason).await?;
        Ok(Undone::PutBack(value))
    }

    /// A value of somebody else, or the photo that a removal took away if nothing was written since.
    async fn replaced_last(&self, user: UserId, receipts: &[Receipt]) -> Result<Option<Digest>, StoreError> {
        let listed = list_all(&*self.storage.blobs, Container::Receipts, &names::person_prefix(user)).await?;
        let kept: BTreeSet<Digest> =
            listed.iter().filter_map(|blob| names::parse_kept_value(&blob.name)).map(|(_, value)| value).collect();
        let writes: Vec<&Receipt> = receipts.iter().filter(|receipt| receipt.outcome == Outcome::Written).collect();
        let is_ours = |value: Digest| writes.iter().any(|write| write.after == Some(value));
        if let Some(value) = self.replaced_without_receipt(user, &listed, &kept).await?.filter(|value| !is_ours(*value))
        {
            return Ok(Some(value));
        }
        let newest_first = writes.iter().rev().enumerate();
        Ok(newest_first
            .filter_map(|(age, write)| Some((age, write.before?)))
            .find(|(age, value)| kept.contains(value) && (*age == 0 || !is_ours(*value)))
            .map(|(_, value)| value))
    }

    /// A receipt is left once for each entry. What was replaced after that is kept and in no receipt: it is the newest,
    /// if there is one such value. Of several, nobody knows which came last.
    async fn replaced_without_receipt(
        &self,
        user: UserId,
        listed: &[Listed],
        kept: &BTreeSet<Digest>,
    ) -> Result<Option<Digest>, StoreError> {
        let targets: BTreeSet<&str> =
            listed.iter().filter_map(|blob| names::parse_receipt(&blob.name)).map(|(_, _, target)| target).collect();
        let mut known = BTreeSet::new();
        for target in targets {
            let receipts = documents::receipts(&*self.storage.blobs, user, target).await?;
            known.extend(receipts.iter().filter_map(|receipt| receipt.before));
        }
        let mut unknown = kept.difference(&known);
        Ok(unknown.next().copied().filter(|_| unknown.next().is_none()))
    }
}
