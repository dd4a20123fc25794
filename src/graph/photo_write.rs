//! Changing a photo in Graph. Only `photorelay probe` does it, for a test account that the operator names; the function
//! app does not have the role for it and must never call this.

use bytes::Bytes;
use photorelay_core::id::UserId;
use reqwest::Method;

use super::client::Graph;
use super::error::GraphError;
use super::request::Request;

const NEEDS: &str = "ProfilePhoto.ReadWrite.All";

impl Graph {
    /// Replaces the photo. Graph encodes it again, so what it shows afterwards has other bytes.
    pub async fn put_photo(&self, user: UserId, jpeg: Bytes) -> Result<(), GraphError> {
        let url = self.transport.url(&["users", &user.to_string(), "photo", "$value"]);
        let request = Request::new("change the photo", NEEDS, Method::PUT, url).about(user).content("image/jpeg", jpeg);
        let answer = self.transport.send(request).await?;
        if answer.status.is_success() { Ok(()) } else { Err(answer.into_error()) }
    }

    /// Removes the photo; a missing one is no error.
    pub async fn delete_photo(&self, user: UserId) -> Result<(), GraphError> {
        let url = self.transport.url(&["users", &user.to_string(), "photo", "$value"]);
        let answer =
            self.transport.send(Request::new("remove the photo", NEEDS, Method::DELETE, url).about(user)).await?;
        match answer.status.as_u16() {
            200..=299 => Ok(()),
            404 if answer.is_from_graph() => Ok(()),
            _ => Err(answer.into_error()),
        }
    }
}
