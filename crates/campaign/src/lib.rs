//! What a campaign finds when everything is quiet again: whether each promise held for each user.
//!
//! It reads the trail, the receipts and the target by itself and never asks photorelay for its opinion. It only counts:
//! a campaign runs to its end and reports, whatever it found.

pub mod post;
pub mod roles_front;

use std::collections::BTreeSet;

use graph_sim::ShownPhoto;
use photorelay_core::audit::Committed;
use photorelay_core::contract::EntryKind;
use photorelay_core::id::{Digest, UserId};
use serde::Serialize;
use testkit::world::{World, guid};

/// How many users or entries broke a promise, in the order of severity.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Findings {
    /// Users whose target does not show the rendition of their newest entry.
    pub wrong: u64,
    /// Users whose newest entry is not what Graph shows.
    pub lost: u64,
    /// Users whose trail does not follow the order in which Graph showed their photos.
    pub out_of_order: u64,
    /// Entries that record the same photo as the entry before.
    pub doubled: u64,
    /// Entries of a good photo that say it was refused.
    pub refused: u64,
    /// Users whose newest entry has no receipt.
    pub without_receipt: u64,
    /// What `audit verify` finds.
    pub trail: u64,
}

impl Findings {
    pub fn is_clean(&self) -> bool {
        let Self { wrong, lost, out_of_order, doubled, refused, without_receipt, trail } = self;
        [wrong, lost, out_of_order, doubled, refused, without_receipt, trail].iter().all(|count| **count == 0)
    }
}

/// Compares one user's trail with what Graph showed, and with what the target shows now. Returns how many entries there
/// are.
pub async fn inspect(world: &World, user: UserId, target: Option<Digest>, findings: &mut Findings) -> u64 {
    let trail = world.trail(user).await;
    findings.refused += count(&trail, |committed| committed.entry.kind != EntryKind::Captured);
    let captured: Vec<&Committed> =
        trail.iter().filter(|committed| committed.entry.kind == EntryKind::Captured).collect();
    let seen: Vec<String> =
        captured.iter().filter_map(|committed| committed.entry.seen.sha256).map(|sha256| sha256.to_string()).collect();
    findings.doubled += seen.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
    let history: Vec<String> = world.sim.tenant().history(guid(user)).iter().filter_map(ShownPhoto::sha256).collect();
    findings.lost += u64::from(seen.last() != history.last());
    let mut later = history.iter();
    findings.out_of_order += u64::from(!seen.iter().all(|saw| later.any(|was| was == saw)));
    let newest = captured.last().and_then(|committed| committed.entry.renditions.first());
    findings.wrong += u64::from(newest.map(|rendition| rendition.sha256) != target);
    if let Some(newest) = trail.last() {
        findings.without_receipt += u64::from(world.receipt(user, newest.entry.seq).await.is_none());
    }
    trail.len() as u64
}

fn count(trail: &[Committed], is_one: impl Fn(&Committed) -> bool) -> u64 {
    trail.iter().filter(|committed| is_one(committed)).count() as u64
}

/// Files of the world's folder that show no user.
pub fn stray_files(world: &World, users: &[UserId]) -> u64 {
    let accounts: BTreeSet<String> = users
        .iter()
        .filter_map(|user| world.sim.tenant().user(guid(*user))?.on_premises_sam_account_name)
        .map(|account| format!("{}.jpg", account.to_lowercase()))
        .collect();
    let Ok(files) = std::fs::read_dir(world.dir().join("written")) else { return 0 };
    let names = files.flatten().map(|file| file.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".jpg") && !accounts.contains(name)).count() as u64
}
