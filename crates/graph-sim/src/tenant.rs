//! The tenant as tests hold it: they edit it here and read here what Graph would answer.
//!
//! Edits act as if a person or an administrator had made them in another program: they raise notifications.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use crate::delivery::Notifier;
use crate::locked::locked;
use crate::model::{Deleted, NoPhoto, ShownPhoto, SimPhoto, SimUser, TenantModel};
use crate::pictures::Picture;

/// A handle on the tenant of one simulator. People are named by their object id; an unknown id is `None` or an error.
#[derive(Debug, Clone)]
pub struct Tenant {
    notifier: Arc<Notifier>,
}

/// The account that Entra ID made of a person in a directory, as far as its values are written back.
#[derive(Clone, PartialEq, Eq)]
pub struct ProvisionedAccount {
    pub distinguished_name: String,
    pub domain_name: String,
    pub sam_account_name: String,
    pub security_identifier: String,
    pub user_principal_name: String,
}

impl fmt::Debug for ProvisionedAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProvisionedAccount").finish_non_exhaustive()
    }
}

/// A conversion that is rolled back, and has to be synchronized to be over.
#[derive(Debug)]
#[must_use]
pub struct Rollback {
    tenant: Tenant,
    id: Uuid,
}

impl Rollback {
    pub fn synchronize(self) -> anyhow::Result<()> {
        self.tenant.edit_user(self.id, |user| user.on_premises_sync_enabled = Some(true))
    }
}

impl Tenant {
    pub(crate) fn new(notifier: Arc<Notifier>) -> Self {
        Self { notifier }
    }

    /// Everyone who is not deleted.
    pub fn users(&self) -> Vec<SimUser> {
        self.current(SimUser::clone)
    }

    pub fn user_ids(&self) -> Vec<Uuid> {
        self.current(|user| user.id)
    }

    pub fn user(&self, id: Uuid) -> Option<SimUser> {
        let directory = locked(&self.model().directory);
        directory.index_of(id).map(|index| directory.user(index))
    }

    /// Adds a synchronized member, with a photo according to `with_photo`.
    pub fn add_user(&self) -> Uuid {
        self.add(SimUser::synchronized)
    }

    pub fn add_guest(&self) -> Uuid {
        self.add(SimUser::guest)
    }

    pub fn add_cloud_only(&self) -> Uuid {
        self.add(SimUser::cloud_only)
    }

    /// A new group with these direct members, people or groups.
    pub fn add_group(&self, members: &[Uuid]) -> Uuid {
        let id = self.model().dice.guid();
        self.set_group(id, members);
        id
    }

    /// Replaces the members of a group.
    pub fn set_group(&self, id: Uuid, members: &[Uuid]) {
        locked(&self.model().groups).set(id, members);
    }

    /// Adds a person exactly as given, or replaces the person with that id.
    pub fn put_user(&self, user: SimUser) {
        let id = user.id;
        locked(&self.model().directory).put(user);
        self.notifier.user_changed(id, "updated");
    }

    /// Changes properties of a person; the id cannot change.
    pub fn edit_user(&self, id: Uuid, edit: impl FnOnce(&mut SimUser)) -> anyhow::Result<()> {
        let index = self.index(id)?;
        locked(&self.model().directory).edit(index, edit);
        self.notifier.user_changed(id, "updated");
        Ok(())
    }

    /// Moves the source of authority of a synchronized person to the cloud: `onPremisesSyncEnabled` becomes null, and the
    /// SID, the domain, the distinguished name and the account name stay.
    pub fn convert_to_cloud_managed(&self, id: Uuid) -> anyhow::Result<()> {
        let is_synchronized = self.user(id).is_some_and(|user| user.on_premises_sync_enabled == Some(true));
        anyhow::ensure!(is_synchronized, "only a synchronized user can be converted");
        self.edit_user(id, |user| user.on_premises_sync_enabled = None)
    }

    /// Gives the source of authority back, in two steps as in a tenant: until the next synchronization everything looks
    /// as before.
    pub fn roll_back_conversion(&self, id: Uuid) -> anyhow::Result<Rollback> {
        let is_converted =
            |user: SimUser| user.on_premises_sync_enabled.is_none() && user.on_premises_security_identifier.is_some();
        anyhow::ensure!(self.user(id).is_some_and(is_converted), "only a converted user can be rolled back");
        self.edit_user(id, |_| {})?;
        Ok(Rollback { tenant: self.clone(), id })
    }

    /// Has Entra ID provision a person who is managed in the cloud to a directory: what the account is called there is
    /// written back, and `onPremisesSyncEnabled` and the immutable ID stay as they are.
    pub fn provision(&self, id: Uuid, account: ProvisionedAccount) -> anyhow::Result<()> {
        let is_in_cloud = |user: SimUser| user.on_premises_sync_enabled.is_none();
        anyhow::ensure!(self.user(id).is_some_and(is_in_cloud), "a synchronized user is not provisioned");
        self.edit_user(id, |user| {
            user.on_premises_distinguished_name = Some(account.distinguished_name);
            user.on_premises_domain_name = Some(account.domain_name);
            user.on_premises_sam_account_name = Some(account.sam_account_name);
            user.on_premises_security_identifier = Some(account.security_identifier);
            user.on_premises_user_principal_name = Some(account.user_principal_name);
        })
    }

    /// Changes the job title: a notification that has nothing to do with photos.
    pub fn touch(&self, id: Uuid) -> anyhow::Result<()> {
        self.edit_user(id, |user| {
            let is_engineer = user.job_title.as_deref() == Some("Engineer");
            user.job_title = Some(if is_engineer { "Lead Engineer" } else { "Engineer" }.into());
        })
    }

    /// Soft deletion is reported as `updated`, permanent deletion, which may follow it, as `deleted`.
    pub fn delete_user(&self, id: Uuid, permanently: bool) -> anyhow::Result<()> {
        {
            let mut directory = locked(&self.model().directory);
            let known = if permanently { directory.index_of_restorable(id) } else { directory.index_of(id) };
            let index = known.ok_or_else(|| unknown(id))?;
            directory.delete(index, if permanently { Deleted::Permanently } else { Deleted::Restorable });
        }
        self.notifier.user_changed(id, if permanently { "deleted" } else { "updated" });
        Ok(())
    }

    /// Restores a person who was deleted, but not permanently.
    pub fn restore_user(&self, id: Uuid) -> anyhow::Result<()> {
        let is_restored = locked(&self.model().directory).restore(id);
        anyhow::ensure!(is_restored, "the simulated tenant has no deleted user {id} that can be restored");
        self.notifier.user_changed(id, "updated");
        Ok(())
    }

    /// The person uploads a photo: it is re-encoded as Graph does, or refused if it cannot be decoded.
    pub fn set_photo(&self, id: Uuid, bytes: &[u8]) -> anyhow::Result<()> {
        let index = self.index(id)?;
        let content = self.model().studio.upload(bytes, self.upload_noise())?;
        self.show(index, SimPhoto::Present(content));
        Ok(())
    }

    /// The person picks another picture that was never shown before. Cheap: it is made when it is first read.
    pub fn change_photo(&self, id: Uuid) -> anyhow::Result<()> {
        let index = self.index(id)?;
        let noise = self.upload_noise();
        let content = locked(&self.model().directory).next_picture(index, noise);
        self.show(index, SimPhoto::Present(content));
        Ok(())
    }

    /// Shows these bytes untouched with this content type, whatever they are.
    pub fn set_raw_photo(&self, id: Uuid, bytes: impl Into<Bytes>, content_type: &str) -> anyhow::Result<()> {
        let index = self.index(id)?;
        self.show(index, SimPhoto::Present(Picture::raw(bytes.into(), content_type)));
        Ok(())
    }

    /// The person uploads the photo shown now once more: the same picture with new ETags.
    pub fn upload_again(&self, id: Uuid) -> anyhow::Result<()> {
        let index = self.index(id)?;
        let photo = locked(&self.model().directory).photo(index).photo;
        self.show(index, photo);
        Ok(())
    }

    pub fn remove_photo(&self, id: Uuid) -> anyhow::Result<()> {
        let index = self.index(id)?;
        self.show(index, SimPhoto::Absent(None));
        Ok(())
    }

    /// Removes the photo and answers with this shape of absence from then on.
    pub fn remove_photo_as(&self, id: Uuid, shape: NoPhoto) -> anyhow::Result<()> {
        let index = self.index(id)?;
        self.show(index, SimPhoto::Absent(Some(shape)));
        Ok(())
    }

    /// What is shown now; the last entry of [`Self::history`].
    pub fn shown(&self, id: Uuid) -> Option<ShownPhoto> {
        let index = self.index(id).ok()?;
        let shown = locked(&self.model().directory).photo(index);
        Some(ShownPhoto::new(&shown, &self.model().studio))
    }

    /// Those of the next `count` people, in the order in which they were added, who are not deleted, and the ETags that
    /// they show. Shows a large tenant page by page.
    pub fn media_etags(&self, start: usize, count: usize) -> Vec<(Uuid, String)> {
        let directory = locked(&self.model().directory);
        let people = directory.people_from(start).take(count).filter(|(_, person)| person.deleted.is_none());
        people.map(|(index, person)| (person.user.id, directory.photo(index).media_etag())).collect()
    }

    /// What `GET photo/$value` answers now, or `None` for no photo.
    pub fn photo(&self, id: Uuid) -> Option<Bytes> {
        self.shown(id)?.bytes()
    }

    /// Everything that was ever shown for a person, oldest first; removals are entries without a photo.
    pub fn history(&self, id: Uuid) -> Vec<ShownPhoto> {
        let Ok(index) = self.index(id) else { return Vec::new() };
        let mut directory = locked(&self.model().directory);
        let records = directory.photo_history(index).iter();
        records.map(|record| ShownPhoto::new(record, &self.model().studio)).collect()
    }

    /// Shows something else from now on and raises the notification that the settings ask for.
    pub(crate) fn show(&self, index: usize, photo: SimPhoto) {
        let etags_return = self.notifier.settings.get().etags_return;
        let id = {
            let mut directory = locked(&self.model().directory);
            directory.set_photo(index, photo, etags_return);
            directory.user(index).id
        };
        self.notifier.photo_changed(id);
    }

    /// Zero unless uploads are to be re-encoded differently every time.
    pub(crate) fn upload_noise(&self) -> u64 {
        if self.notifier.settings.get().reencode_noise { self.model().dice.between([1, u64::MAX]) } else { 0 }
    }

    fn model(&self) -> &TenantModel {
        &self.notifier.tenant
    }

    fn current<T>(&self, of: impl Fn(&SimUser) -> T) -> Vec<T> {
        let directory = locked(&self.model().directory);
        let people = directory.people_from(0).filter(|(_, person)| person.deleted.is_none());
        people.map(|(_, person)| of(&person.user)).collect()
    }

    fn add(&self, make: fn(usize, &mut fastrand::Rng) -> SimUser) -> Uuid {
        let id = locked(&self.model().directory).add_with(make);
        self.notifier.user_changed(id, "updated");
        id
    }

    fn index(&self, id: Uuid) -> anyhow::Result<usize> {
        locked(&self.model().directory).index_of(id).ok_or_else(|| unknown(id))
    }
}

fn unknown(id: Uuid) -> anyhow::Error {
    anyhow::anyhow!("the simulated tenant has no user {id}")
}
