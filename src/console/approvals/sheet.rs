//! A page of what waits, from the names of what waits: only the users on the page are read.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt as _};
use photorelay_core::approvals::{Approvals, HeldUsers};
use photorelay_core::audit;
use photorelay_core::contract::Verdict;
use photorelay_core::id::UserId;

use super::filter::SheetFilter;
use super::item::HeldView;
use crate::console::render::PageError;
use crate::console::state::ConsoleState;

/// Items on a page.
const PER_PAGE: usize = 24;
/// Users that are read for a page, when a filter leaves most of them out.
const MAX_READ: usize = 240;
/// Names that are counted.
const MAX_COUNTED: u64 = 20_000;
const AT_ONCE: usize = 12;

pub(super) struct Sheet {
    pub(super) items: Vec<HeldView>,
    pub(super) waiting: HeldCount,
    /// The last user of this page, if there are others.
    pub(super) next: Option<UserId>,
}

/// How much is held, as far as that was counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum HeldCount {
    /// Everything was read: this much is undecided.
    Undecided(u64),
    /// Users of whom something is held, decided or not.
    Users(u64),
    /// Likewise; there are more.
    UsersOrMore(u64),
}

impl Sheet {
    pub(super) async fn read(console: &ConsoleState, filter: &SheetFilter) -> Result<Self, PageError> {
        let (users, waiting) = users(console, filter.after).await?;
        let mut sheet = Self { items: Vec::new(), waiting, next: None };
        let mut last = None;
        let mut left = users.as_slice();
        while !left.is_empty() && sheet.items.len() < PER_PAGE {
            let (some, rest) = left.split_at(left.len().min(AT_ONCE));
            left = rest;
            let mut found = stream::iter(some.to_vec())
                .map(|user| items_of(console, user, filter.is_of_rejected()))
                .buffered(AT_ONCE);
            while let Some(items) = found.next().await {
                sheet.items.extend(items?.into_iter().filter(|item| filter.admits(item)));
            }
            last = some.last().copied();
        }
        let is_unread = !left.is_empty() || users.len() == MAX_READ;
        sheet.next = last.filter(|_| is_unread);
        if sheet.next.is_none() && filter.after.is_none() && !filter.is_narrow() && filter.target.is_empty() {
            sheet.waiting = HeldCount::Undecided(sheet.items.len() as u64);
        }
        let people: Vec<UserId> = sheet.items.iter().map(|item| item.key.user).collect();
        let names = console.names.of(&people).await;
        for item in &mut sheet.items {
            if let Some(shown) = names.get(&item.key.user).and_then(|name| name.display_name.clone()) {
                item.called = shown;
            }
        }
        Ok(sheet)
    }
}

/// The next users of whom something is held, and how many there are in all.
async fn users(console: &ConsoleState, after: Option<UserId>) -> Result<(Vec<UserId>, HeldCount), PageError> {
    let mut held = HeldUsers::new(&*console.storage.blobs);
    let (mut next, mut counted) = (BTreeSet::new(), 0);
    while let Some(user) = held.next().await? {
        if after.is_none_or(|after| user > after) && next.len() < MAX_READ {
            next.insert(user);
        }
        counted += 1;
        if counted == MAX_COUNTED && next.len() == MAX_READ {
            return Ok((next.into_iter().collect(), HeldCount::UsersOrMore(counted)));
        }
    }
    Ok((next.into_iter().collect(), HeldCount::Users(counted)))
}

/// What of this user is undecided, or was rejected and can still be approved.
async fn items_of(console: &ConsoleState, user: UserId, rejected: bool) -> Result<Vec<HeldView>, PageError> {
    let wanted = rejected.then_some(Verdict::Rejected);
    let mut items = Vec::new();
    for target in console.targets.all() {
        let approvals = Approvals::new(console.storage.clone(), target.name.clone(), target.queue.clone());
        for item in approvals.pending(Some(user)).await?.into_iter().filter(|item| item.verdict == wanted) {
            let committed = audit::read(&*console.storage.blobs, user, item.held.seq).await.ok().flatten();
            items.push(HeldView::of(item, committed.as_ref().map(|committed| &committed.entry)));
        }
    }
    Ok(items)
}
