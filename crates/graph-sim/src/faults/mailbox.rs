//! How many calls one mailbox serves at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::locked::locked;

const CONCURRENCY: usize = 4;

/// The calls that each mailbox is serving, by the person's index in the directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mailboxes(Arc<Mutex<HashMap<usize, usize>>>);

impl Mailboxes {
    /// `None` when the mailbox serves as many calls as it can.
    pub(crate) fn permit(&self, mailbox: usize) -> Option<MailboxPermit> {
        let mut taken = locked(&self.0);
        let taken = taken.entry(mailbox).or_default();
        if *taken >= CONCURRENCY {
            return None;
        }
        *taken += 1;
        Some(MailboxPermit { mailboxes: self.clone(), mailbox })
    }
}

/// A share of one mailbox's concurrency, given back when dropped.
#[derive(Debug)]
pub(crate) struct MailboxPermit {
    mailboxes: Mailboxes,
    mailbox: usize,
}

impl Drop for MailboxPermit {
    fn drop(&mut self) {
        let mut mailboxes = locked(&self.mailboxes.0);
        if let Some(taken) = mailboxes.get_mut(&self.mailbox) {
            *taken -= 1;
            if *taken == 0 {
                mailboxes.remove(&self.mailbox);
            }
        }
    }
}
