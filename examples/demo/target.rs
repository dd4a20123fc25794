//! What the demo writes to: a folder, or the Samba domain of the tests, where some users already have a photo that
//! photorelay did not write.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use graph_sim::{Sim, SimUser};
use photorelay_agent::connectors::folder::FolderConnector;
use photorelay_agent::writeback::{Reconciler, WritebackSettings};
use photorelay_core::id::TenantId;
use photorelay_core::storage::Storage;
use testkit::samba::{Account, Samba};
use testkit::world::fixture;
use uuid::Uuid;

/// Every so many users of the directory have a photo of another origin.
const FOREIGN_EVERY: usize = 4;
const FOREIGN: &str = "astronaut-240.jpg";

pub(crate) enum DemoTarget {
    Folder(PathBuf),
    Directory { samba: Box<Samba>, accounts: HashMap<Uuid, Account> },
}

impl DemoTarget {
    pub(crate) fn folder(path: &Path) -> Self {
        Self::Folder(path.to_owned())
    }

    /// The domain that `cargo xtask services start` provides, with an account for each simulated user.
    pub(crate) async fn directory(sim: &Sim) -> Result<Self> {
        let samba = Box::new(Samba::shared().await);
        let mut accounts = HashMap::new();
        for (at, user) in sim.tenant().users().into_iter().enumerate() {
            let account = samba.add(&format!("{} {at}", user.display_name)).await;
            if at % FOREIGN_EVERY == 0 {
                samba.set(&account, "thumbnailPhoto", &fixture(FOREIGN)).await;
            }
            sim.tenant().edit_user(user.id, |user| {
                user.on_premises_immutable_id = Some(account.anchor());
                user.on_premises_security_identifier = Some(account.sid.clone());
                user.on_premises_sam_account_name = Some(account.name.clone());
            })?;
            accounts.insert(user.id, account);
        }
        Ok(Self::Directory { samba, accounts })
    }

    pub(crate) fn reconciler(&self, storage: &Storage, tenant: TenantId) -> Result<Reconciler> {
        let settings = WritebackSettings {
            tenant,
            target: "ad".to_owned(),
            agent: "demo".to_owned(),
            dry_run: false,
            certificate_expires_at: None,
        };
        Ok(match self {
            Self::Folder(path) => {
                let folder = FolderConnector::open(path, "thumbnailPhoto", u64::from(u32::MAX));
                let folder = folder.with_context(|| format!("the folder {} cannot be opened", path.display()))?;
                Reconciler::new(storage, Arc::new(folder), settings)
            }
            Self::Directory { samba, .. } => Reconciler::new(storage, Arc::new(samba.target()), settings),
        })
    }

    /// The photo that the target shows for this user.
    pub(crate) async fn shows(&self, user: &SimUser) -> Result<Option<Vec<u8>>> {
        Ok(match self {
            Self::Folder(path) => {
                let account = user.on_premises_sam_account_name.as_deref().unwrap_or_default().to_lowercase();
                std::fs::read(path.join(format!("{account}.jpg"))).ok()
            }
            Self::Directory { samba, accounts } => match accounts.get(&user.id) {
                Some(account) => samba.photo(account).await,
                None => None,
            },
        })
    }

    /// The agent's settings for it.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Folder(path) => vec![("PHOTORELAY_FOLDER_PATH", path.display().to_string())],
            Self::Directory { samba, .. } => samba.variables(&samba.address),
        }
    }
}
