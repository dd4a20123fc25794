//! What an address asks of a page. One that makes no sense is answered by a page that says so.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::render::PageError;

/// The query of an address, as `T` reads it.
pub(super) struct PageQuery<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for PageQuery<T> {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        let asked = Query::<T>::from_request_parts(parts, state).await;
        let Query(asked) = asked.map_err(|_| PageError::Malformed("No page has such an address.".to_owned()))?;
        Ok(Self(asked))
    }
}
