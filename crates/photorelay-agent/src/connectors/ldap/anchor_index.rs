//! How many users have each anchor: read in pages once an hour, where no index answers that for one anchor.
//!
//! It only decides whether the exact search is needed. A user who got an anchor since it was taken is not counted yet; the
//! user who is written has both the anchor and the SID in any case.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use super::attributes::USERS;
use super::search;
use super::session::Session;
use super::settings::LdapSettings;

/// Counted anew after this time.
const GOOD_FOR: Duration = Duration::from_secs(3600);

/// Hashes in place of the values, so that a hundred thousand users take a few megabytes; two values with one hash are
/// searched for exactly, like two users with one value.
#[derive(Debug)]
pub(super) struct AnchorIndex {
    taken: Instant,
    hasher: RandomState,
    once: HashSet<u64>,
    again: HashSet<u64>,
}

impl Default for AnchorIndex {
    fn default() -> Self {
        Self { taken: Instant::now(), hasher: RandomState::new(), once: HashSet::new(), again: HashSet::new() }
    }
}

impl AnchorIndex {
    pub(super) async fn take(session: &Session, settings: &LdapSettings) -> Result<Self, search::SearchError> {
        let text = settings.anchor_attribute.is_some();
        let attribute = settings.anchor();
        let mut anchor_index = Self::default();
        let filter = format!("(&{USERS}({attribute}=*))");
        search::every(session, &settings.base, &filter, &[attribute.to_owned()], |entry| {
            entry.values(attribute).iter().for_each(|value| anchor_index.count(&key(value, text)));
        })
        .await?;
        tracing::info!(
            attribute,
            anchors = anchor_index.once.len(),
            shared = anchor_index.again.len(),
            "anchors were counted"
        );
        Ok(anchor_index)
    }

    pub(super) fn is_old(&self) -> bool {
        self.taken.elapsed() >= GOOD_FOR
    }

    pub(super) fn count(&mut self, key: &[u8]) {
        let hash = self.hasher.hash_one(key);
        if !self.once.insert(hash) {
            self.again.insert(hash);
        }
    }

    /// None, one, or more than one as two.
    pub(super) fn holders(&self, key: &[u8]) -> usize {
        let hash = self.hasher.hash_one(key);
        usize::from(self.once.contains(&hash)) + usize::from(self.again.contains(&hash))
    }
}

/// What is the same for values that are the same: text is compared without its case.
pub(super) fn key(value: &[u8], text: bool) -> Vec<u8> {
    match str::from_utf8(value) {
        Ok(value) if text => value.to_lowercase().into_bytes(),
        _ => value.to_vec(),
    }
}
