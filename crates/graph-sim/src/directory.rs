//! The tenant's people and what photo each of them shows, now and before.
//!
//! Photos are assigned on first use. Nothing here raises notifications or answers HTTP.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::config::Config;
use crate::delta;
use crate::no_photo::NoPhoto;
use crate::people::{PROPERTIES, User};
use crate::pictures::{Content, Studio};

#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) user: User,
    pub(crate) deleted: Option<Deleted>,
    /// The revision at which the person came, came back or went.
    pub(crate) listed: u64,
    /// The revision at which a property was last changed, for those that ever were.
    pub(crate) edited: Vec<(&'static str, u64)>,
    /// Counts every write to the person, for whoever wants to know what changed since when.
    pub(crate) revision: u64,
    log: Option<Box<PhotoLog>>,
}

/// How somebody went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deleted {
    /// An administrator can bring them back within 30 days.
    Restorable,
    ForGood,
}

#[derive(Debug)]
struct PhotoLog {
    /// Never empty; the last one is what is shown now.
    shown: Vec<Record>,
    library_version: u64,
}

/// What a person showed from a moment on.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) at: Timestamp,
    pub(crate) tag: u32,
    pub(crate) header_seed: u64,
    pub(crate) fetched: u32,
    /// `None` with the shape of the absence, if one was asked for.
    pub(crate) what: Result<Content, Option<NoPhoto>>,
}

impl Record {
    /// `@odata.mediaEtag`, which holds its own quotes.
    pub(crate) fn media_etag(&self) -> String {
        match self.what {
            Ok(_) => format!("\"{:08X}\"", self.tag),
            Err(_) => String::new(),
        }
    }

    /// The `ETag` header of `$value`: it looks like a SHA-256 and is none.
    pub(crate) fn header_etag(&self, edge: u32) -> String {
        let digest = Sha256::digest(format!("{} {edge}", self.header_seed));
        format!("W/\"{}\"", hex(&digest))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One entry of a person's photo history.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Since when it was shown.
    pub at: Timestamp,
    /// With its quotes; empty when there was no photo.
    pub media_etag: String,
    /// How often `$value` of it was answered.
    pub fetched: u32,
    content: Option<Content>,
    studio: Arc<Studio>,
}

impl Shown {
    pub(crate) fn new(record: &Record, studio: &Arc<Studio>) -> Self {
        Self {
            at: record.at,
            media_etag: record.media_etag(),
            fetched: record.fetched,
            content: record.what.as_ref().ok().cloned(),
            studio: studio.clone(),
        }
    }

    pub fn is_photo(&self) -> bool {
        self.content.is_some()
    }

    /// What `GET photo/$value` answered while this was shown; `None` for no photo.
    pub fn bytes(&self) -> Option<Bytes> {
        let content = self.content.as_ref()?;
        self.studio.bytes(content, self.studio.largest(content).0).ok()
    }

    /// SHA-256 of [`Self::bytes`] in lower-case hex.
    pub fn sha256(&self) -> Option<String> {
        Some(hex(&Sha256::digest(self.bytes()?)))
    }
}

#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) people: Vec<Person>,
    pub(crate) dice: fastrand::Rng,
    by_id: HashMap<Uuid, usize>,
    by_name: HashMap<String, usize>,
    seed: u64,
    with_photo: f64,
    pub(crate) revision: u64,
    started: Timestamp,
}

impl Directory {
    pub(crate) fn new(config: &Config) -> Self {
        let mut directory = Self {
            people: Vec::with_capacity(config.users + config.guests + config.cloud_only),
            dice: fastrand::Rng::with_seed(config.seed),
            by_id: HashMap::new(),
            by_name: HashMap::new(),
            seed: config.seed,
            with_photo: config.with_photo,
            revision: 0,
            started: Timestamp::now(),
        };
        for _ in 0..config.users {
            directory.add_with(User::synchronised);
        }
        for _ in 0..config.guests {
            directory.add_with(User::guest);
        }
        for _ in 0..config.cloud_only {
            directory.add_with(User::cloud_only);
        }
        directory
    }

    pub(crate) fn add_with(&mut self, make: fn(usize, &mut fastrand::Rng) -> User) -> Uuid {
        let user = make(self.people.len(), &mut self.dice);
        let id = user.id;
        self.add(user);
        id
    }

    /// Adds somebody, or replaces and revives the person with that id.
    pub(crate) fn add(&mut self, user: User) {
        self.revision += 1;
        let index = self.by_id.get(&user.id).copied().unwrap_or(self.people.len());
        self.by_id.insert(user.id, index);
        self.by_name.insert(user.user_principal_name.to_lowercase(), index);
        if let Some(person) = self.people.get_mut(index) {
            self.by_name.retain(|name, at| *at != index || *name == user.user_principal_name.to_lowercase());
            person.user = user;
            person.deleted = None;
            person.listed = self.revision;
            person.revision = self.revision;
        } else {
            let revision = self.revision;
            self.people.push(Person { user, deleted: None, listed: revision, edited: Vec::new(), revision, log: None });
        }
    }

    /// Edits a person; the id stays what it is.
    pub(crate) fn edit(&mut self, index: usize, edit: impl FnOnce(&mut User)) {
        let mut user = self.people[index].user.clone();
        let id = user.id;
        edit(&mut user);
        user.id = id;
        if user.user_principal_name != self.people[index].user.user_principal_name {
            self.by_name.remove(&self.people[index].user.user_principal_name.to_lowercase());
            self.by_name.insert(user.user_principal_name.to_lowercase(), index);
        }
        let changed = delta::differing(&self.people[index].user, &user, PROPERTIES.into_iter());
        self.people[index].user = user;
        self.wrote(index);
        let person = &mut self.people[index];
        person.edited.retain(|(name, _)| !changed.contains(name));
        person.edited.extend(changed.into_iter().map(|name| (name, person.revision)));
    }

    pub(crate) fn delete(&mut self, index: usize, how: Deleted) {
        self.wrote(index);
        let person = &mut self.people[index];
        person.deleted = Some(how);
        person.listed = person.revision;
    }

    /// Brings back somebody who was deleted, but not for good.
    pub(crate) fn restore(&mut self, id: Uuid) -> bool {
        let index = self.by_id.get(&id).copied();
        let Some(index) = index.filter(|index| self.people[*index].deleted == Some(Deleted::Restorable)) else {
            return false;
        };
        self.wrote(index);
        let person = &mut self.people[index];
        person.deleted = None;
        person.listed = person.revision;
        true
    }

    /// Somebody who is known and not gone for good.
    pub(crate) fn restorable(&self, id: Uuid) -> Option<usize> {
        self.by_id.get(&id).copied().filter(|index| self.people[*index].deleted != Some(Deleted::ForGood))
    }

    pub(crate) fn wrote(&mut self, index: usize) {
        self.revision += 1;
        self.people[index].revision = self.revision;
    }

    /// Somebody who is not deleted, by object id or user principal name.
    pub(crate) fn find(&self, key: &str) -> Option<usize> {
        let index = match Uuid::try_parse(key) {
            Ok(id) => self.by_id.get(&id),
            Err(_) => self.by_name.get(&key.to_lowercase()),
        };
        index.copied().filter(|index| self.people[*index].deleted.is_none())
    }

    pub(crate) fn index_of(&self, id: Uuid) -> Option<usize> {
        self.by_id.get(&id).copied().filter(|index| self.people[*index].deleted.is_none())
    }

    /// What the person shows now.
    pub(crate) fn shown(&mut self, index: usize, studio: &Studio) -> &mut Record {
        let log = self.log(index, studio);
        let last = log.shown.len() - 1;
        &mut log.shown[last]
    }

    pub(crate) fn history(&mut self, index: usize, studio: &Studio) -> &[Record] {
        &self.log(index, studio).shown
    }

    /// The next picture of the library for this person, other than every one before.
    pub(crate) fn next_picture(&mut self, index: usize, studio: &Studio, noise: u64) -> Content {
        let log = self.log(index, studio);
        log.library_version += 1;
        let version = log.library_version;
        studio.recipe(index as u64, version, noise)
    }

    /// Shows something else from now on. With `etags_return` the tags follow from the content.
    pub(crate) fn show(
        &mut self,
        index: usize,
        studio: &Studio,
        what: Result<Content, Option<NoPhoto>>,
        at: Timestamp,
        etags_return: bool,
    ) {
        let before = self.shown(index, studio).tag;
        let (mut tag, mut header_seed) = (self.dice.u32(..), self.dice.u64(..));
        if tag == before {
            tag = tag.wrapping_add(1);
        }
        if let (true, Ok(content)) = (etags_return, &what) {
            let identity = studio.identity(content);
            tag = u32::from_le_bytes([identity[0], identity[1], identity[2], identity[3]]);
            header_seed = u64::from(tag);
        }
        self.log(index, studio).shown.push(Record { at, tag, header_seed, fetched: 0, what });
        self.wrote(index);
    }

    fn log(&mut self, index: usize, studio: &Studio) -> &mut PhotoLog {
        let (seed, share, at) = (self.seed, self.with_photo, self.started);
        self.people[index].log.get_or_insert_with(|| {
            let mut dice = fastrand::Rng::with_seed(seed ^ (index as u64).wrapping_mul(0x2545_f491_4f6c_dd1d));
            let what = if dice.f64() < share { Ok(studio.recipe(index as u64, 0, 0)) } else { Err(None) };
            let first = Record { at, tag: dice.u32(..), header_seed: dice.u64(..), fetched: 0, what };
            Box::new(PhotoLog { shown: vec![first], library_version: 0 })
        })
    }
}
