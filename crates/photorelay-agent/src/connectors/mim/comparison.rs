//! Compares a connector space with the published feed: what a full import of the feed would change there. It changes
//! neither.

use std::collections::HashMap;
use std::path::Path;

use photorelay_core::id::{Digest, UserId};

use super::FeedError;
use super::connector_space::{SpaceNames, SpacePhoto, check_names, read_connector_space};
use super::line::{LineState, PersonLine};
use super::reader::FeedReader;

/// The objects of a connector space by their keys, which are compared without regard to the case of ASCII letters.
#[derive(Debug, Default)]
pub struct ExportedSpace {
    objects: HashMap<String, SpaceEntry>,
    with_photo: u64,
    /// Objects whose key another object has, too: only the first counts.
    repeated: u64,
}

#[derive(Debug)]
struct SpaceEntry {
    id: String,
    has_photo: bool,
    photo: Option<Digest>,
    checksum: Option<String>,
}

/// What a full import would do with an object that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportStep {
    Add,
    Update,
    Delete,
}

/// An object that the feed and the connector space do not have alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectDifference {
    pub step: ImportStep,
    pub key: String,
    /// What the synchronization service knows it by; none for one that it does not have.
    pub object: Option<String>,
    /// None for one that the feed does not have.
    pub user: Option<UserId>,
    pub has_photo_in_space: bool,
    pub in_space: (Option<Digest>, Option<String>),
    pub in_feed: (Option<Digest>, Option<String>),
}

/// What a full import would change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportPlan {
    /// In the connector space.
    pub objects: u64,
    pub objects_with_photo: u64,
    pub repeated: u64,
    /// In the feed.
    pub people: u64,
    pub photos: u64,
    pub adds: u64,
    pub updates: u64,
    /// Of the updates: other bytes, and only another checksum, and a photo that goes.
    pub new_photos: u64,
    pub new_checksums: u64,
    pub cleared: u64,
    pub deletes: u64,
    pub deletes_with_photo: u64,
    pub unchanged: u64,
    /// Of the photos that are added or changed.
    pub bytes: u64,
}

impl ExportedSpace {
    /// Reads the output of csexport.
    pub fn read(path: &Path, max_bytes: u64, names: &SpaceNames) -> Result<Self, FeedError> {
        let mut space = Self::default();
        let objects = read_connector_space(path, max_bytes, names, |object| {
            let has_photo = object.photo.is_some();
            let photo = match object.photo {
                Some(SpacePhoto::Bytes(photo)) => Some(Digest::of(&photo)),
                _ => None,
            };
            let key = object.key.to_ascii_lowercase();
            if space.objects.contains_key(&key) {
                space.repeated += 1;
                return Ok(());
            }
            space.with_photo += u64::from(has_photo);
            space.objects.insert(key, SpaceEntry { id: object.id, has_photo, photo, checksum: object.checksum });
            Ok(())
        })?;
        check_names(path, objects, space.with_photo, names)?;
        Ok(space)
    }

    /// What a full import of this publication would change, object by object.
    pub fn compare(
        mut self,
        feed: &FeedReader,
        mut each: impl FnMut(ObjectDifference) -> Result<(), FeedError>,
    ) -> Result<ImportPlan, FeedError> {
        let mut plan = ImportPlan {
            objects: self.objects.len() as u64,
            objects_with_photo: self.with_photo,
            repeated: self.repeated,
            ..ImportPlan::default()
        };
        feed.for_each(|line| {
            if line.state == LineState::Gone {
                return Ok(());
            }
            let object = self.objects.remove(&line.key.to_ascii_lowercase());
            match plan.add(&line, object) {
                Some(difference) => each(difference),
                None => Ok(()),
            }
        })?;
        for (key, object) in self.objects {
            plan.deletes += 1;
            plan.deletes_with_photo += u64::from(object.has_photo);
            each(ObjectDifference {
                step: ImportStep::Delete,
                key,
                object: Some(object.id),
                user: None,
                has_photo_in_space: object.has_photo,
                in_space: (object.photo, object.checksum),
                in_feed: (None, None),
            })?;
        }
        Ok(plan)
    }
}

impl ImportPlan {
    /// Whether objects that are there would change or go.
    pub fn changes_objects(&self) -> bool {
        self.updates + self.deletes > 0
    }

    fn add(&mut self, line: &PersonLine, object: Option<SpaceEntry>) -> Option<ObjectDifference> {
        self.people += 1;
        self.photos += u64::from(line.photo.is_some());
        let bytes = line.photo.as_ref().map_or(0, |photo| photo.bytes);
        let in_feed = line.photo.as_ref().map(|photo| (photo.digest, photo.checksum.clone())).unzip();
        let difference = |step, object: Option<SpaceEntry>| {
            let has_photo_in_space = object.as_ref().is_some_and(|object| object.has_photo);
            let (object, in_space) = match object {
                Some(SpaceEntry { id, photo, checksum, .. }) => (Some(id), (photo, checksum)),
                None => (None, (None, None)),
            };
            let (key, user) = (line.key.clone(), Some(line.user));
            ObjectDifference { step, key, object, user, has_photo_in_space, in_space, in_feed: in_feed.clone() }
        };
        let Some(object) = object else {
            self.adds += 1;
            self.bytes += bytes;
            return Some(difference(ImportStep::Add, None));
        };
        let is_same_photo = object.photo == in_feed.0 && object.has_photo == line.photo.is_some();
        if is_same_photo && object.checksum == in_feed.1 {
            self.unchanged += 1;
            return None;
        }
        self.updates += 1;
        match (is_same_photo, line.photo.is_some()) {
            (true, _) => self.new_checksums += 1,
            (false, false) => self.cleared += 1,
            (false, true) => {
                self.new_photos += 1;
                self.bytes += bytes;
            }
        }
        Some(difference(ImportStep::Update, Some(object)))
    }
}
