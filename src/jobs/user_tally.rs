//! What the watchdog needs of a listing of all users, counted as they pass: a sweep counts them beside its comparison,
//! so that nothing is listed twice. Pure, and small however many users there are.

use photorelay_core::id::UserId;
use photorelay_core::target::Targets;

use super::state_listing::UserRecord;

/// The most users whose entries are read to find out for how long they have waited; beyond that, all wait for the same
/// reason.
const MOST_WAITING: usize = 500;

/// All users of one listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct UserTally {
    /// Users who have a trail.
    pub(super) people: u64,
    pub(super) unsettled: u64,
    pub(super) out_of_scope: u64,
    pub(super) forgotten: Vec<UserId>,
    /// The first [`MOST_WAITING`] users whose newest entry lacks a receipt of some target.
    pub(super) waiting: Vec<(UserId, UserRecord)>,
    /// There are more of these.
    pub(super) is_more: bool,
}

impl UserTally {
    pub(super) fn add(&mut self, targets: &Targets, user: UserId, record: &UserRecord) {
        self.people += u64::from(record.trail > 0);
        if record.is_forgotten() {
            self.forgotten.push(user);
            return;
        }
        if let Some(head) = &record.head {
            self.out_of_scope += u64::from(head.out_of_scope);
            self.unsettled += u64::from(!head.settled && head.etag.is_some() && !head.out_of_scope);
        }
        if record.is_acknowledged(targets) {
            return;
        }
        if self.waiting.len() == MOST_WAITING {
            self.is_more = true;
        } else {
            self.waiting.push((user, record.clone()));
        }
    }
}
