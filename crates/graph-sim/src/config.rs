//! What a simulator is started with: the tenant's size and apps, and the settings that can be changed while it runs.
//!
//! Everything random follows from `seed`. The secrets are made up and protect nothing, but `Debug` does not print them.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;
use uuid::Uuid;

use crate::settings::SimSettings;

/// Application permissions as they appear in a token (`roles`).
pub mod roles {
    pub const USER_READ: &str = "User.Read.All";
    pub const USER_WRITE: &str = "User.ReadWrite.All";
    pub const PEOPLE_SETTINGS_READ: &str = "PeopleSettings.Read.All";
    pub const PEOPLE_SETTINGS_WRITE: &str = "PeopleSettings.ReadWrite.All";
    pub const PHOTO_READ: &str = "ProfilePhoto.Read.All";
    pub const GROUP_MEMBERS_READ: &str = "GroupMember.Read.All";
    pub const PHOTO_WRITE: &str = "ProfilePhoto.ReadWrite.All";

    /// Any of them may read users.
    pub(crate) const READ_USERS: [&str; 2] = [USER_READ, USER_WRITE];
    /// Any of them may read the members of groups.
    pub(crate) const READ_GROUPS: [&str; 1] = [GROUP_MEMBERS_READ];
    /// Any of them may read photos.
    pub(crate) const READ_PHOTOS: [&str; 4] = [PHOTO_READ, USER_READ, PHOTO_WRITE, USER_WRITE];
    /// Any of them may write photos.
    pub(crate) const WRITE_PHOTOS: [&str; 2] = [PHOTO_WRITE, USER_WRITE];
}

/// How a simulator starts. `SimConfig::default()` suits tests: 20 people, generated pictures, instant notifications.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Only loopback addresses are accepted; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The address that clients use, if it is another one because a proxy ends TLS in front of the simulator. Links, the
    /// OpenID configuration and the scope of the simulator's own address have it.
    pub public_url: Option<Url>,
    pub seed: u64,
    /// Synchronized members who follow from their number and are not stored, for a large tenant. Their ids are in order.
    pub generated: usize,
    /// Synchronized members.
    pub users: usize,
    pub guests: usize,
    /// Members that were never synchronized.
    pub cloud_only: usize,
    /// Share of the people who have a photo at the start, 0.0 to 1.0.
    pub with_photo: f64,
    /// Folder with source pictures; `None` draws them.
    pub photos: Option<PathBuf>,
    pub tenant_id: Uuid,
    /// The app under test.
    pub app: SimApp,
    /// A second app that may write, for changing photos through Graph itself.
    pub people_app: SimApp,
    /// Value that `X-IDENTITY-HEADER` must carry at `/msi/token`; tokens given there are for `app`.
    pub identity_header: String,
    pub token_lifetime: Duration,
    pub settings: SimSettings,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            seed: 1,
            generated: 0,
            users: 20,
            guests: 0,
            cloud_only: 0,
            with_photo: 1.0,
            photos: None,
            tenant_id: Uuid::from_u128(0x5c1e_0a7e_7e11_4a11_8a11_c0ff_ee00_0001),
            app: SimApp {
                client_id: Uuid::from_u128(0xa991_1ca7_1000_4a11_8a11_c0ff_ee00_0002),
                secret: "simulator~secret+with/odd=characters".into(),
                roles: vec![roles::USER_READ.into(), roles::PHOTO_READ.into()],
                certificate_thumbprints: Vec::new(),
                federated: None,
            },
            people_app: SimApp {
                client_id: Uuid::from_u128(0xa991_1ca7_1000_4a11_8a11_c0ff_ee00_0003),
                secret: "people-may-write".into(),
                roles: vec![roles::USER_READ.into(), roles::PHOTO_WRITE.into()],
                certificate_thumbprints: Vec::new(),
                federated: None,
            },
            identity_header: "simulated-identity-header".into(),
            token_lifetime: Duration::from_secs(3599),
            settings: SimSettings::default(),
        }
    }
}

/// An app registration of the simulated tenant.
#[derive(Clone)]
pub struct SimApp {
    pub client_id: Uuid,
    pub secret: String,
    /// Application permissions granted to the app; see [`roles`].
    pub roles: Vec<String>,
    /// Accepted `x5t#S256` or `x5t` values of a certificate assertion; empty accepts any. Signatures are not checked.
    pub certificate_thumbprints: Vec<String>,
    /// Accepted issuer and subject of a federated credential.
    pub federated: Option<(String, String)>,
}

impl fmt::Debug for SimApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimApp").field("client_id", &self.client_id).field("roles", &self.roles).finish_non_exhaustive()
    }
}
