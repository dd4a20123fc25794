//! The people of the tenant, what changed about them since which revision, and their photos.
//!
//! The first photo of a person is chosen when it is first asked for.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::pictures::{Picture, Studio};

use super::photo::{PhotoLog, PhotoRecord, SimPhoto};
use super::user::SimUser;

#[derive(Debug)]
pub(crate) struct DirectoryUser {
    pub(crate) user: SimUser,
    pub(crate) deleted: Option<Deleted>,
    /// The revision at which the person was added, deleted or restored.
    pub(crate) listed: u64,
    /// The revision at which a property was last changed, for those that ever were.
    pub(crate) edited: Vec<(&'static str, u64)>,
    /// The revision of the last write to the person.
    pub(crate) revision: u64,
    photos: Option<Box<PhotoLog>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deleted {
    /// An administrator can restore the person within 30 days.
    Restorable,
    Permanently,
}

#[derive(Debug)]
pub(crate) struct Directory {
    people: Vec<DirectoryUser>,
    by_id: HashMap<Uuid, usize>,
    by_name: HashMap<String, usize>,
    revision: u64,
    dice: fastrand::Rng,
    seed: u64,
    with_photo: f64,
    studio: Arc<Studio>,
}

impl Directory {
    /// An empty directory. `with_photo` is the share of the people who have a photo at first.
    pub(crate) fn new(seed: u64, with_photo: f64, studio: Arc<Studio>) -> Self {
        Self {
            people: Vec::new(),
            by_id: HashMap::new(),
            by_name: HashMap::new(),
            revision: 0,
            dice: fastrand::Rng::with_seed(seed),
            seed,
            with_photo,
            studio,
        }
    }

    /// Everyone who was ever added, also those who were deleted since.
    pub(crate) fn people(&self) -> &[DirectoryUser] {
        &self.people
    }

    pub(crate) fn user(&self, index: usize) -> &SimUser {
        &self.people[index].user
    }

    /// Counts every write so far.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn add_with(&mut self, make: fn(usize, &mut fastrand::Rng) -> SimUser) -> Uuid {
        let user = make(self.people.len(), &mut self.dice);
        let id = user.id;
        self.put(user);
        id
    }

    /// Adds a person, or replaces and restores the person with that id.
    pub(crate) fn put(&mut self, user: SimUser) {
        self.revision += 1;
        let revision = self.revision;
        let name = user.user_principal_name.to_lowercase();
        let index = self.by_id.get(&user.id).copied().unwrap_or(self.people.len());
        self.by_id.insert(user.id, index);
        if let Some(person) = self.people.get_mut(index) {
            self.by_name.retain(|_, at| *at != index);
            person.user = user;
            person.deleted = None;
            person.listed = revision;
            person.revision = revision;
        } else {
            let edited = Vec::new();
            self.people.push(DirectoryUser { user, deleted: None, listed: revision, edited, revision, photos: None });
        }
        self.by_name.insert(name, index);
    }

    /// Edits a person; the id stays what it is.
    pub(crate) fn edit(&mut self, index: usize, edit: impl FnOnce(&mut SimUser)) {
        let before = self.people[index].user.clone();
        let mut after = before.clone();
        edit(&mut after);
        after.id = before.id;
        if after.user_principal_name != before.user_principal_name {
            self.by_name.remove(&before.user_principal_name.to_lowercase());
            self.by_name.insert(after.user_principal_name.to_lowercase(), index);
        }
        let changed = before.changed_properties(&after);
        let person = self.written(index);
        person.user = after;
        person.edited.retain(|(name, _)| !changed.contains(name));
        person.edited.extend(changed.into_iter().map(|name| (name, person.revision)));
    }

    pub(crate) fn delete(&mut self, index: usize, how: Deleted) {
        let person = self.written(index);
        person.deleted = Some(how);
        person.listed = person.revision;
    }

    /// Restores a person who was deleted, but not permanently; otherwise does nothing and returns `false`.
    pub(crate) fn restore(&mut self, id: Uuid) -> bool {
        let index = self.by_id.get(&id).copied();
        let Some(index) = index.filter(|index| self.people[*index].deleted == Some(Deleted::Restorable)) else {
            return false;
        };
        let person = self.written(index);
        person.deleted = None;
        person.listed = person.revision;
        true
    }

    /// A person who is not deleted, by object id or user principal name.
    pub(crate) fn find(&self, key: &str) -> Option<usize> {
        match Uuid::try_parse(key) {
            Ok(id) => self.index_of(id),
            Err(_) => {
                self.by_name.get(&key.to_lowercase()).copied().filter(|index| self.people[*index].deleted.is_none())
            }
        }
    }

    pub(crate) fn index_of(&self, id: Uuid) -> Option<usize> {
        self.by_id.get(&id).copied().filter(|index| self.people[*index].deleted.is_none())
    }

    /// A person who is not deleted permanently.
    pub(crate) fn index_of_restorable(&self, id: Uuid) -> Option<usize> {
        self.by_id.get(&id).copied().filter(|index| self.people[*index].deleted != Some(Deleted::Permanently))
    }

    /// What the person shows now.
    pub(crate) fn photo(&mut self, index: usize) -> &mut PhotoRecord {
        self.photos(index).current()
    }

    pub(crate) fn photo_history(&mut self, index: usize) -> &[PhotoRecord] {
        self.photos(index).records()
    }

    /// The next picture of the library for this person, different from every one before.
    pub(crate) fn next_picture(&mut self, index: usize, noise: u64) -> Picture {
        let version = self.photos(index).next_version();
        self.studio.recipe(index as u64, version, noise)
    }

    /// Shows something else from now on. With `etags_return` the ETags follow from the content.
    pub(crate) fn set_photo(&mut self, index: usize, photo: SimPhoto, etags_return: bool) {
        let before = self.photo(index).tag;
        let (mut tag, mut header_seed) = (self.dice.u32(..), self.dice.u64(..));
        if tag == before {
            tag = tag.wrapping_add(1);
        }
        if let (true, SimPhoto::Present(content)) = (etags_return, &photo) {
            let identity = content.identity();
            tag = u32::from_le_bytes([identity[0], identity[1], identity[2], identity[3]]);
            header_seed = u64::from(tag);
        }
        self.photos(index).push(PhotoRecord { tag, header_seed, fetched: 0, photo });
        self.written(index);
    }

    fn written(&mut self, index: usize) -> &mut DirectoryUser {
        self.revision += 1;
        let person = &mut self.people[index];
        person.revision = self.revision;
        person
    }

    fn photos(&mut self, index: usize) -> &mut PhotoLog {
        let (seed, share, studio) = (self.seed, self.with_photo, &self.studio);
        self.people[index].photos.get_or_insert_with(|| {
            let mut dice = fastrand::Rng::with_seed(seed ^ (index as u64).wrapping_mul(0x2545_f491_4f6c_dd1d));
            let has_photo = dice.f64() < share;
            let photo = match has_photo {
                true => SimPhoto::Present(studio.recipe(index as u64, 0, 0)),
                false => SimPhoto::Absent(None),
            };
            let (tag, header_seed) = (dice.u32(..), dice.u64(..));
            Box::new(PhotoLog::new(PhotoRecord { tag, header_seed, fetched: 0, photo }))
        })
    }
}
