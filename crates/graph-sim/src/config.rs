//! What a simulator is started with: the tenant's size and apps, and the switches that can be changed while it runs.
//!
//! Everything random follows from `seed`. The secrets here are made up; they guard nothing, yet stay out of `Debug`.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use crate::settings::Settings;

/// Application permissions as they appear in a token (`roles`).
pub mod roles {
    pub const USER_READ: &str = "User.Read.All";
    pub const USER_WRITE: &str = "User.ReadWrite.All";
    pub const PEOPLE_SETTINGS_READ: &str = "PeopleSettings.Read.All";
    pub const PEOPLE_SETTINGS_WRITE: &str = "PeopleSettings.ReadWrite.All";
    pub const PHOTO_READ: &str = "ProfilePhoto.Read.All";
    pub const GROUP_MEMBERS_READ: &str = "GroupMember.Read.All";
    pub const PHOTO_WRITE: &str = "ProfilePhoto.ReadWrite.All";
}

/// How a simulator starts. `Config::default()` suits tests: 20 people, generated pictures, instant notifications.
#[derive(Debug, Clone)]
pub struct Config {
    /// Only loopback addresses are accepted; port 0 picks a free one.
    pub listen: SocketAddr,
    pub seed: u64,
    /// Synchronised members.
    pub users: usize,
    pub guests: usize,
    /// Members that never came from the on-premises directory.
    pub cloud_only: usize,
    /// Share of the people who have a photo at the start, 0.0 to 1.0.
    pub with_photo: f64,
    /// Folder with source pictures; `None` draws them.
    pub photos: Option<PathBuf>,
    pub tenant_id: Uuid,
    /// The app under test.
    pub app: App,
    /// A second app that may write, for changing photos through Graph itself.
    pub people_app: App,
    /// Value that `X-IDENTITY-HEADER` must carry at `/msi/token`; tokens given there are for `app`.
    pub identity_header: String,
    pub token_lifetime: Duration,
    pub settings: Settings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: 1,
            users: 20,
            guests: 0,
            cloud_only: 0,
            with_photo: 1.0,
            photos: None,
            tenant_id: Uuid::from_u128(0x5c1e_0a7e_7e11_4a11_8a11_c0ff_ee00_0001),
            app: App {
                client_id: Uuid::from_u128(0xa991_1ca7_1000_4a11_8a11_c0ff_ee00_0002),
                secret: "simulator~secret+with/odd=characters".into(),
                roles: vec![roles::USER_READ.into(), roles::PHOTO_READ.into()],
                certificate_thumbprints: Vec::new(),
                federated: None,
            },
            people_app: App {
                client_id: Uuid::from_u128(0xa991_1ca7_1000_4a11_8a11_c0ff_ee00_0003),
                secret: "people-may-write".into(),
                roles: vec![roles::USER_READ.into(), roles::PHOTO_WRITE.into()],
                certificate_thumbprints: Vec::new(),
                federated: None,
            },
            identity_header: "simulated-identity-header".into(),
            token_lifetime: Duration::from_secs(3599),
            settings: Settings::default(),
        }
    }
}

/// An app registration of the simulated tenant.
#[derive(Clone)]
pub struct App {
    pub client_id: Uuid,
    pub secret: String,
    /// Application permissions granted to the app; see [`roles`].
    pub roles: Vec<String>,
    /// Accepted `x5t#S256` or `x5t` values of a certificate assertion; empty accepts any. Signatures are not checked.
    pub certificate_thumbprints: Vec<String>,
    /// Accepted issuer and subject of a federated credential.
    pub federated: Option<(String, String)>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("client_id", &self.client_id).field("roles", &self.roles).finish_non_exhaustive()
    }
}
