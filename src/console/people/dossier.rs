//! Everything that the storage holds about one user, a page of versions at a time.
//!
//! It reads the user's own blobs and no other's: what a page costs does not depend on how many users there are.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt as _};
use photorelay_core::audit::{self, AuditError, Committed};
use photorelay_core::contract::{AuditEntry, CaptureStatus, EntryKind, Head, Receipt, Succession};
use photorelay_core::documents::Document;
use photorelay_core::history;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container, ReceiptName};
use photorelay_core::store::BlobStore;
use photorelay_core::{heads, receipts};

use super::act::{self, ActView};
use super::records::UserRecords;
use super::target_view::{self, TargetView};
use super::version::{Album, Version};
use super::way::ways;
use crate::console::render::{Moment, PageError};
use crate::console::state::ConsoleState;

/// Versions on a page.
const PER_PAGE: usize = 8;
/// More receipts than the entries of a page have, unless a container was filled by others.
const MAX_RECEIPTS: usize = 400;
/// Blobs that are read at once.
const AT_ONCE: usize = 8;

#[derive(Debug)]
pub(super) struct Dossier {
    pub(super) user: UserId,
    /// The sAMAccountName in the newest entry.
    pub(super) account: Option<String>,
    pub(super) domain: Option<String>,
    /// Entries of the trail.
    pub(super) entries: usize,
    /// Newest first.
    pub(super) versions: Vec<Version>,
    /// Entries, receipts and a head that cannot be read, with the reason.
    pub(super) unreadable: Vec<String>,
    /// Where the next page of versions begins.
    pub(super) older: Option<u32>,
    pub(super) is_newest_page: bool,
    pub(super) head: Option<HeadView>,
    pub(super) targets: Vec<TargetView>,
    /// What agents noted and operators decided, newest first.
    pub(super) acts: Vec<ActView>,
    /// Users who are the same object in a target.
    pub(super) successions: Vec<Succession>,
}

#[derive(Debug)]
pub(super) struct HeadView {
    pub(super) seq: u32,
    pub(super) is_settled: bool,
    pub(super) is_checked: bool,
    pub(super) status: String,
    pub(super) absent_since: Option<Moment>,
    pub(super) echo: Option<(u32, Moment)>,
}

impl Dossier {
    pub(super) fn is_empty(&self) -> bool {
        self.entries == 0 && self.head.is_none()
    }

    /// Versions before this entry, or the newest ones.
    pub(super) async fn read(console: &ConsoleState, user: UserId, before: Option<u32>) -> Result<Self, PageError> {
        let blobs = &*console.storage.blobs;
        let (sequence, head, names) = tokio::try_join!(
            async { audit::sequence_numbers(blobs, user).await.map_err(PageError::from) },
            async { heads::inspect(blobs, user).await.map_err(PageError::from) },
            async { receipts::names_of(blobs, user).await.map_err(PageError::from) },
        )?;
        let wanted: Vec<u32> =
            sequence.iter().rev().copied().filter(|seq| before.is_none_or(|end| *seq < end)).collect();
        // One more than is shown: what a target showed before the oldest of them is mostly the picture of that one.
        let read: Vec<u32> = wanted.iter().copied().take(PER_PAGE + 1).collect();
        let (committed, mut unreadable) = read_entries(blobs, user, &read).await?;
        let entries: Vec<AuditEntry> = committed.iter().map(|committed| committed.entry.clone()).collect();
        let newest_page = before.is_none();
        let wanted_receipts = receipts_of(names, &read, newest_page);
        let identity = entries.first().map(|entry| entry.identity.clone()).unwrap_or_default();
        let serving = console.targets.serving(identity.domain.as_deref()).map(|target| target.name.clone());
        let serving: BTreeSet<String> = serving.collect();
        let records = UserRecords::read(blobs, user, wanted_receipts, serving.iter().cloned()).await?;
        let receipts = records.receipts();
        unreadable.extend(records.unreadable);
        if let (Document::Unreadable(why), true) = (&head, newest_page) {
            unreadable.push(format!("{}/{} cannot be read: {why}", Container::State, names::head(user)));
        }
        let head = head.valid();
        let album = Album::of(user, &entries);
        let current = if newest_page { entries.iter().find(|entry| entry.kind != EntryKind::Refused) } else { None };
        let current = current.map(|entry| entry.seq);
        let on_page = &committed[..committed.len().min(PER_PAGE)];
        let versions = on_page.iter().map(|committed| {
            let entry = &committed.entry;
            let own: Vec<Receipt> = receipts.iter().filter(|receipt| receipt.seq == entry.seq).cloned().collect();
            let version = Version::of(entry, &own, &album, current == Some(entry.seq));
            Version { ways: ways(&records.hops.of_entry(committed, &[])), ..version }
        });
        let versions = versions.collect();
        let (targets, acts) = match newest_page {
            true => {
                let known = serving.into_iter().chain(receipts.iter().map(|receipt| receipt.target.clone())).collect();
                let targets = target_view::of_targets(known, &receipts, &records.hops.notes, &album);
                (targets, act::read(blobs, user).await?)
            }
            false => (Vec::new(), Vec::new()),
        };
        Ok(Self {
            user,
            account: identity.sam_account_name,
            domain: identity.domain,
            entries: sequence.len(),
            versions,
            unreadable,
            older: wanted.get(PER_PAGE).map(|seq| seq + 1),
            is_newest_page: newest_page,
            head: head.as_ref().map(HeadView::of),
            targets,
            acts,
            successions: history::successions(blobs, user).await?,
        })
    }
}

/// The receipts of the entries that are read; on the newest page also those of entries that cannot be read.
fn receipts_of(names: Vec<ReceiptName>, read: &[u32], newest_page: bool) -> Vec<ReceiptName> {
    let oldest = read.last().copied().unwrap_or(0);
    let is_wanted = |name: &ReceiptName| name.seq >= oldest && (newest_page || read.contains(&name.seq));
    let mut wanted: Vec<ReceiptName> = names.into_iter().filter(is_wanted).collect();
    // Those that count come last.
    wanted.drain(..wanted.len().saturating_sub(MAX_RECEIPTS));
    wanted
}

/// Newest first, with the reasons for those that are not whole.
async fn read_entries(
    blobs: &dyn BlobStore,
    user: UserId,
    wanted: &[u32],
) -> Result<(Vec<Committed>, Vec<String>), PageError> {
    let found: Vec<Result<_, AuditError>> =
        stream::iter(wanted.to_vec()).map(|seq| audit::read(blobs, user, seq)).buffered(AT_ONCE).collect().await;
    let (mut entries, mut unreadable) = (Vec::new(), Vec::new());
    for entry in found {
        match entry {
            Ok(committed) => entries.extend(committed),
            Err(AuditError::Store(error)) => return Err(error.into()),
            Err(error) => unreadable.push(error.to_string()),
        }
    }
    Ok((entries, unreadable))
}

impl HeadView {
    fn of(head: &Head) -> Self {
        let status = match &head.capture_status {
            CaptureStatus::Active => "captured".to_owned(),
            CaptureStatus::OutOfScope { reason } => format!("out of scope: {reason}"),
            CaptureStatus::Parked { until } => format!("put off until {until}"),
            CaptureStatus::Forgotten => "forgotten".to_owned(),
        };
        Self {
            seq: head.seq,
            is_settled: head.settled,
            is_checked: head.media_etag.is_some() || head.absent_since.is_some(),
            status,
            absent_since: head.absent_since.map(Moment),
            echo: head.echo.as_ref().map(|echo| (echo.of_seq, Moment(echo.seen_at))),
        }
    }
}
