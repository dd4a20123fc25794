//! `photoUpdateSettings` of the tenant: whether photos are changed in the cloud or come from on premises.
//!
//! <https://learn.microsoft.com/graph/api/resources/photoupdatesettings>

use serde::{Deserialize, Serialize};

/// The default, of a tenant that never set them, has no source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SimPhotoSettings {
    #[serde(default)]
    pub source: Option<SimPhotoSource>,
    /// Ids of role templates.
    #[serde(default)]
    pub allowed_roles: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SimPhotoSource {
    Cloud,
    OnPremises,
}
