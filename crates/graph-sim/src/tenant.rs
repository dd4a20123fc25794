//! The plain model behind the HTTP surface: tests edit the tenant here and read here what Graph would answer.
//!
//! Edits act as if a person or an administrator had made them in another program: they raise notifications.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use crate::directory::{Deleted, Shown};
use crate::inner::Inner;
use crate::no_photo::NoPhoto;
use crate::people::User;
use crate::pictures::Studio;
use crate::{delivery, locked, photos};

/// A handle on the tenant of one simulator. People are named by their object id; an unknown id is `None` or an error.
#[derive(Debug, Clone)]
pub struct Tenant {
    inner: Arc<Inner>,
}

impl Tenant {
    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    /// Everybody who is not deleted.
    pub fn users(&self) -> Vec<User> {
        let directory = locked(&self.inner.directory);
        directory.people.iter().filter(|person| person.deleted.is_none()).map(|person| person.user.clone()).collect()
    }

    pub fn user_ids(&self) -> Vec<Uuid> {
        let directory = locked(&self.inner.directory);
        directory.people.iter().filter(|person| person.deleted.is_none()).map(|person| person.user.id).collect()
    }

    pub fn user(&self, id: Uuid) -> Option<User> {
        let directory = locked(&self.inner.directory);
        directory.index_of(id).map(|index| directory.people[index].user.clone())
    }

    /// One more synchronised member, with a photo according to `with_photo`.
    pub fn add_user(&self) -> Uuid {
        self.added(User::synchronised)
    }

    pub fn add_guest(&self) -> Uuid {
        self.added(User::guest)
    }

    pub fn add_cloud_only(&self) -> Uuid {
        self.added(User::cloud_only)
    }

    /// A new group with these direct members, people or groups.
    pub fn add_group(&self, members: &[Uuid]) -> Uuid {
        let id = self.inner.fresh_guid();
        self.set_group(id, members);
        id
    }

    /// Replaces who is in a group.
    pub fn set_group(&self, id: Uuid, members: &[Uuid]) {
        locked(&self.inner.groups).0.insert(id, members.to_vec());
    }

    fn added(&self, make: fn(usize, &mut fastrand::Rng) -> User) -> Uuid {
        let id = locked(&self.inner.directory).add_with(make);
        delivery::user_changed(&self.inner, id, "updated");
        id
    }

    /// Adds somebody exactly as given, or replaces the person with that id.
    pub fn put_user(&self, user: User) {
        let id = user.id;
        locked(&self.inner.directory).add(user);
        delivery::user_changed(&self.inner, id, "updated");
    }

    /// Changes properties of a person; the id cannot change.
    pub fn edit_user(&self, id: Uuid, edit: impl FnOnce(&mut User)) -> anyhow::Result<()> {
        let index = self.index(id)?;
        locked(&self.inner.directory).edit(index, edit);
        delivery::user_changed(&self.inner, id, "updated");
        Ok(())
    }

    /// Changes the job title: a notification that has nothing to do with photos.
    pub fn touch(&self, id: Uuid) -> anyhow::Result<()> {
        self.edit_user(id, |user| {
            user.job_title =
                Some(if user.job_title.as_deref() == Some("Engineer") { "Lead Engineer" } else { "Engineer" }.into());
        })
    }

    /// Soft deletion is reported as `updated`, permanent deletion, which may follow it, as `deleted`.
    pub fn delete_user(&self, id: Uuid, permanently: bool) -> anyhow::Result<()> {
        {
            let mut directory = locked(&self.inner.directory);
            let known = if permanently { directory.restorable(id) } else { directory.index_of(id) };
            let index = known.ok_or_else(|| anyhow::anyhow!("nobody in the simulated tenant has the id {id}"))?;
            directory.delete(index, if permanently { Deleted::ForGood } else { Deleted::Restorable });
        }
        delivery::user_changed(&self.inner, id, if permanently { "deleted" } else { "updated" });
        Ok(())
    }

    /// Brings back somebody who was deleted, but not permanently.
    pub fn restore_user(&self, id: Uuid) -> anyhow::Result<()> {
        let restored = locked(&self.inner.directory).restore(id);
        anyhow::ensure!(restored, "nobody in the simulated tenant with the id {id} can be restored");
        delivery::user_changed(&self.inner, id, "updated");
        Ok(())
    }

    /// The person uploads a photo: it is re-encoded as Graph does, or refused if it cannot be decoded.
    pub fn set_photo(&self, id: Uuid, bytes: &[u8]) -> anyhow::Result<()> {
        let index = self.index(id)?;
        let content = self.inner.studio.upload(bytes, photos::upload_noise(&self.inner))?;
        photos::change(&self.inner, index, Ok(content));
        Ok(())
    }

    /// The person picks another picture, one nobody has shown before. Cheap: it is made when it is first read.
    pub fn change_photo(&self, id: Uuid) -> anyhow::Result<()> {
        let index = self.index(id)?;
        let noise = photos::upload_noise(&self.inner);
        let content = locked(&self.inner.directory).next_picture(index, &self.inner.studio, noise);
        photos::change(&self.inner, index, Ok(content));
        Ok(())
    }

    /// Shows these bytes untouched with this content type, whatever they are.
    pub fn set_raw_photo(&self, id: Uuid, bytes: impl Into<Bytes>, content_type: &str) -> anyhow::Result<()> {
        let index = self.index(id)?;
        photos::change(&self.inner, index, Ok(Studio::raw(bytes.into(), content_type)));
        Ok(())
    }

    /// The person uploads the photo shown now once more: the same picture with new ETags.
    pub fn upload_again(&self, id: Uuid) -> anyhow::Result<()> {
        let index = self.index(id)?;
        let what = locked(&self.inner.directory).shown(index, &self.inner.studio).what.clone();
        photos::change(&self.inner, index, what);
        Ok(())
    }

    pub fn remove_photo(&self, id: Uuid) -> anyhow::Result<()> {
        let index = self.index(id)?;
        photos::change(&self.inner, index, Err(None));
        Ok(())
    }

    /// Removes the photo and answers with this shape of absence from then on.
    pub fn remove_photo_as(&self, id: Uuid, shape: NoPhoto) -> anyhow::Result<()> {
        let index = self.index(id)?;
        photos::change(&self.inner, index, Err(Some(shape)));
        Ok(())
    }

    /// What is shown now; the last entry of [`Self::history`].
    pub fn shown(&self, id: Uuid) -> Option<Shown> {
        let index = self.index(id).ok()?;
        let mut directory = locked(&self.inner.directory);
        Some(Shown::new(directory.shown(index, &self.inner.studio), &self.inner.studio))
    }

    /// What `GET photo/$value` answers now, or `None` for no photo.
    pub fn photo(&self, id: Uuid) -> Option<Bytes> {
        self.shown(id)?.bytes()
    }

    /// Everything that was ever shown for a person, oldest first; removals are entries without a photo.
    pub fn history(&self, id: Uuid) -> Vec<Shown> {
        let Ok(index) = self.index(id) else { return Vec::new() };
        let mut directory = locked(&self.inner.directory);
        let records = directory.history(index, &self.inner.studio);
        records.iter().map(|record| Shown::new(record, &self.inner.studio)).collect()
    }

    fn index(&self, id: Uuid) -> anyhow::Result<usize> {
        let index = locked(&self.inner.directory).index_of(id);
        index.ok_or_else(|| anyhow::anyhow!("nobody in the simulated tenant has the id {id}"))
    }
}
