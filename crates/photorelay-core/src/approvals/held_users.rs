//! The users of whom something is held, decided or not, in the order of their ids.

use crate::id::UserId;
use crate::names::{self, Container};
use crate::store::{BlobStore, Pager, StoreError};

/// Read from a listing as it comes: memory does not grow with their number.
#[derive(Debug)]
pub struct HeldUsers<'a> {
    listed: Pager<'a, UserId>,
    previous: Option<UserId>,
}

impl<'a> HeldUsers<'a> {
    pub fn new(blobs: &'a dyn BlobStore) -> Self {
        let listed = Pager::new(blobs, Container::Agents, names::HELD_PREFIX, |blob| {
            let (user, _) = blob.name.strip_prefix(names::HELD_PREFIX)?.split_once('/')?;
            user.parse().ok()
        });
        Self { listed, previous: None }
    }

    /// Each of them once.
    pub async fn next(&mut self) -> Result<Option<UserId>, StoreError> {
        while let Some(user) = self.listed.next().await? {
            if self.previous.replace(user) != Some(user) {
                return Ok(Some(user));
            }
        }
        Ok(None)
    }
}
