//! The people of the tenant, what changed about them since which revision, and their photos.
//!
//! The first photo of a person is chosen when it is first asked for. People who are generated come first and are kept
//! only once something about them changes, so that a million of them cost nothing.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use uuid::Uuid;

use crate::pictures::{Picture, Studio};

use super::generated_people::GeneratedPeople;
use super::photo::{PhotoLog, PhotoRecord, SimPhoto};
use super::user::SimUser;

#[derive(Debug, Clone)]
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

impl DirectoryUser {
    fn generated(people: GeneratedPeople, index: usize) -> Self {
        let revision = index as u64 + 1;
        let user = people.user(index);
        Self { user, deleted: None, listed: revision, edited: Vec::new(), revision, photos: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deleted {
    /// An administrator can restore the person within 30 days.
    Restorable,
    Permanently,
}

#[derive(Debug)]
pub(crate) struct Directory {
    generated: GeneratedPeople,
    /// Everyone who was ever added, also those who were deleted since; generated people may be missing.
    people: BTreeMap<usize, DirectoryUser>,
    len: usize,
    by_id: HashMap<Uuid, usize>,
    by_name: HashMap<String, usize>,
    revision: u64,
    dice: fastrand::Rng,
    seed: u64,
    with_photo: f64,
    studio: Arc<Studio>,
}

impl Directory {
    /// A directory with so many generated people, and no others. `with_photo` is the share of all people who have a photo
    /// at first.
    pub(crate) fn new(seed: u64, generated: usize, with_photo: f64, studio: Arc<Studio>) -> Self {
        Self {
            generated: GeneratedPeople::new(generated, seed),
            people: BTreeMap::new(),
            len: generated,
            by_id: HashMap::new(),
            by_name: HashMap::new(),
            revision: generated as u64,
            dice: fastrand::Rng::with_seed(seed),
            seed,
            with_photo,
            studio,
        }
    }

    /// How many were ever added.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Everyone from this one on who was ever added, also those who were deleted since.
    pub(crate) fn people_from(&self, start: usize) -> impl Iterator<Item = (usize, Cow<'_, DirectoryUser>)> {
        (start..self.len).map(|index| (index, self.person(index)))
    }

    /// Those of them about whom something may have changed since the directory was new.
    pub(crate) fn kept_from(&self, start: usize) -> impl Iterator<Item = (usize, Cow<'_, DirectoryUser>)> {
        self.people.range(start..).map(|(index, person)| (*index, Cow::Borrowed(person)))
    }

    pub(crate) fn person(&self, index: usize) -> Cow<'_, DirectoryUser> {
        match self.people.get(&index) {
            Some(person) => Cow::Borrowed(person),
            None => Cow::Owned(DirectoryUser::generated(self.generated, index)),
        }
    }

    pub(crate) fn user(&self, index: usize) -> SimUser {
        self.person(index).into_owned().user
    }

    /// The person, kept from now on.
    fn kept(&mut self, index: usize) -> &mut DirectoryUser {
        let generated = self.generated;
        self.people.entry(index).or_insert_with(|| DirectoryUser::generated(generated, index))
    }

    fn position(&self, id: Uuid) -> Option<usize> {
        self.by_id.get(&id).copied().or_else(|| self.generated.number_of(id))
    }

    /// Counts every write so far.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn add_with(&mut self, make: fn(usize, &mut fastrand::Rng) -> SimUser) -> Uuid {
        let user = make(self.len, &mut self.dice);
        let id = user.id;
        self.put(user);
        id
    }

    /// Adds a person, or replaces and restores the person with that id.
    pub(crate) fn put(&mut self, user: SimUser) {
        self.revision += 1;
        let revision = self.revision;
        let name = user.user_principal_name.to_lowercase();
        let index = self.position(user.id).unwrap_or(self.len);
        self.by_id.insert(user.id, index);
        if index < self.len {
            self.by_name.retain(|_, at| *at != index);
            let person = self.kept(index);
            person.user = user;
            person.deleted = None;
            person.listed = revision;
            person.revision = revision;
        } else {
            let edited = Vec::new();
            let person = DirectoryUser { user, deleted: None, listed: revision, edited, revision, photos: None };
            self.people.insert(index, person);
            self.len += 1;
        }
        self.by_name.insert(name, index);
    }

    /// Edits a person; the id stays what it is.
    pub(crate) fn edit(&mut self, index: usize, edit: impl FnOnce(&mut SimUser)) {
        let before = self.user(index);
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
        let index = self.position(id);
        let Some(index) = index.filter(|index| self.person(*index).deleted == Some(Deleted::Restorable)) else {
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
                let name = key.to_lowercase();
                let generated = || {
                    let index = self.generated.number_of_name(&name)?;
                    // One that was renamed is not called this any more.
                    (self.user(index).user_principal_name.to_lowercase() == name).then_some(index)
                };
                let index = self.by_name.get(&name).copied().or_else(generated);
                index.filter(|index| self.person(*index).deleted.is_none())
            }
        }
    }

    pub(crate) fn index_of(&self, id: Uuid) -> Option<usize> {
        self.position(id).filter(|index| self.person(*index).deleted.is_none())
    }

    /// A person who is not deleted permanently.
    pub(crate) fn index_of_restorable(&self, id: Uuid) -> Option<usize> {
        self.position(id).filter(|index| self.person(*index).deleted != Some(Deleted::Permanently))
    }

    /// What the person shows now.
    pub(crate) fn photo(&self, index: usize) -> PhotoRecord {
        let kept = self.people.get(&index).and_then(|person| person.photos.as_ref());
        kept.map_or_else(|| self.first_photo(index), |photos| photos.current().clone())
    }

    /// What the person shows now was answered, if it is still this.
    pub(crate) fn count_fetch(&mut self, index: usize, of: &PhotoRecord) {
        let current = self.photos(index).current_mut();
        if current.header_seed == of.header_seed {
            current.fetched += 1;
        }
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
        let revision = self.revision;
        let person = self.kept(index);
        person.revision = revision;
        person
    }

    fn photos(&mut self, index: usize) -> &mut PhotoLog {
        let first = self.first_photo(index);
        self.kept(index).photos.get_or_insert_with(|| Box::new(PhotoLog::new(first)))
    }

    fn first_photo(&self, index: usize) -> PhotoRecord {
        let mut dice = fastrand::Rng::with_seed(self.seed ^ (index as u64).wrapping_mul(0x2545_f491_4f6c_dd1d));
        let has_photo = dice.f64() < self.with_photo;
        let photo = match has_photo {
            true => SimPhoto::Present(self.studio.recipe(index as u64, 0, 0)),
            false => SimPhoto::Absent(None),
        };
        let (tag, header_seed) = (dice.u32(..), dice.u64(..));
        PhotoRecord { tag, header_seed, fetched: 0, photo }
    }
}
