//! Everything a tenant consists of.
//!
//! Each part has a lock of its own; no lock is held across an await, and none while another one is taken except that of
//! the dice.

use std::sync::{Arc, Mutex};

use uuid::Uuid;

use crate::pictures::Studio;

use super::clock::SimClock;
use super::dice::Dice;
use super::directory::Directory;
use super::group::Groups;
use super::photo_settings::SimPhotoSettings;
use super::subscription::Subscriptions;
use super::user::SimUser;

#[derive(Debug)]
pub(crate) struct TenantModel {
    pub(crate) id: Uuid,
    pub(crate) clock: SimClock,
    pub(crate) dice: Dice,
    pub(crate) studio: Arc<Studio>,
    pub(crate) directory: Mutex<Directory>,
    pub(crate) groups: Mutex<Groups>,
    pub(crate) photo_settings: Mutex<SimPhotoSettings>,
    pub(crate) subscriptions: Mutex<Subscriptions>,
}

/// The people of a new tenant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TenantSize {
    /// Synchronized people who are not stored.
    pub(crate) generated: usize,
    pub(crate) synchronized: usize,
    pub(crate) guests: usize,
    pub(crate) cloud_only: usize,
    /// Share of the people who have a photo at first.
    pub(crate) with_photo: f64,
}

impl TenantModel {
    pub(crate) fn new(id: Uuid, seed: u64, size: TenantSize, studio: Studio) -> Self {
        let studio = Arc::new(studio);
        let mut directory = Directory::new(seed, size.generated, size.with_photo, studio.clone());
        for _ in 0..size.synchronized {
            directory.add_with(SimUser::synchronized);
        }
        for _ in 0..size.guests {
            directory.add_with(SimUser::guest);
        }
        for _ in 0..size.cloud_only {
            directory.add_with(SimUser::cloud_only);
        }
        Self {
            id,
            clock: SimClock::default(),
            dice: Dice::with_seed(seed ^ 0x5eed),
            studio,
            directory: Mutex::new(directory),
            groups: Mutex::default(),
            photo_settings: Mutex::default(),
            subscriptions: Mutex::default(),
        }
    }
}
