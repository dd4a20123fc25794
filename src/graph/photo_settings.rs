//! `photoUpdateSettings`: whether the tenant's photos are changed in the cloud or come from on premises.
//!
//! Exists in the beta version only, and only operators read it: nothing that photorelay does depends on it.
//! <https://learn.microsoft.com/graph/api/resources/photoupdatesettings>

use reqwest::Method;
use serde::Deserialize;

use super::client::Graph;
use super::error::GraphError;
use super::log_text::token_like;
use super::request::Request;

const NEEDS: &str = "PeopleSettings.Read.All";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhotoSource {
    Cloud,
    OnPremises,
    /// The tenant never chose.
    Unset,
    /// A value that this version does not know.
    Other(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoUpdateSettings {
    pub source: PhotoSource,
}

#[derive(Deserialize)]
struct Wire {
    source: Option<String>,
}

impl Graph {
    pub async fn photo_update_settings(&self) -> Result<PhotoUpdateSettings, GraphError> {
        let url = self.transport.beta_url(&["admin", "people", "photoUpdateSettings"]);
        let answer =
            self.transport.send(Request::new("read the photo update settings", NEEDS, Method::GET, url)).await?;
        if answer.status.as_u16() == 404 && answer.is_from_graph() {
            return Ok(PhotoUpdateSettings { source: PhotoSource::Unset });
        }
        let source = match answer.json::<Wire>()?.source.as_deref() {
            None | Some("") => PhotoSource::Unset,
            Some(source) if source.eq_ignore_ascii_case("cloud") => PhotoSource::Cloud,
            Some(source) if source.eq_ignore_ascii_case("onPremises") => PhotoSource::OnPremises,
            Some(other) => PhotoSource::Other(token_like(other)),
        };
        Ok(PhotoUpdateSettings { source })
    }
}
