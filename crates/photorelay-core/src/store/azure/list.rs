//! The request for one page of a listing.
//!
//! The SDK's own call parses every page to find the next marker before it hands the page on, which would cost a sweep as
//! much as reading it. This sends the same request by the same kind of pipeline, and nothing else.

use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::error::CheckSuccessOptions;
use azure_core::http::policies::Policy;
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{ClientOptions, Context, Method, Pipeline, PipelineSendOptions, Request};
use azure_storage_blob::BlobServiceClientOptions;
use url::Url;

use super::page;
use crate::names::Container;
use crate::store::{Listing, Page};

const STORAGE_SCOPE: &str = "https://storage.azure.com/.default";
const MOST_BLOBS: u32 = 5_000;

pub(super) struct ListRequests {
    service_uri: Url,
    version: String,
    pipeline: Pipeline,
}

impl ListRequests {
    /// The URI has been checked: a credential comes with https only.
    pub(super) fn new(service_uri: &Url, credential: Option<Arc<dyn TokenCredential>>, options: ClientOptions) -> Self {
        let bearer = |credential| {
            Arc::new(BearerTokenAuthorizationPolicy::new(credential, vec![STORAGE_SCOPE])) as Arc<dyn Policy>
        };
        let (name, version) = (option_env!("CARGO_PKG_NAME"), option_env!("CARGO_PKG_VERSION"));
        let per_try = credential.map(bearer).into_iter().collect();
        Self {
            service_uri: service_uri.clone(),
            version: BlobServiceClientOptions::default().version,
            pipeline: Pipeline::new(name, version, options, Vec::new(), per_try, None),
        }
    }

    pub(super) async fn page(&self, container: Container, listing: Listing<'_>) -> azure_core::Result<Page> {
        let mut request = Request::new(self.url(container, listing), Method::Get);
        request.insert_header("accept", "application/xml");
        request.insert_header("x-ms-version", self.version.clone());
        let check_success = CheckSuccessOptions { success_codes: &[200] };
        let options = PipelineSendOptions { check_success, ..PipelineSendOptions::default() };
        let response = self.pipeline.send(&Context::default(), &mut request, Some(options)).await?;
        page::parse(response.into_body().as_ref())
    }

    fn url(&self, container: Container, listing: Listing<'_>) -> Url {
        let mut url = self.service_uri.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(container.as_str());
        }
        let mut query = url.query_pairs_mut();
        query.append_pair("comp", "list").append_pair("restype", "container");
        query.append_pair("maxresults", &listing.page_size.clamp(1, MOST_BLOBS).to_string());
        if listing.with_metadata {
            query.append_pair("include", "metadata");
        }
        if let Some(marker) = listing.continuation {
            query.append_pair("marker", marker);
        }
        if !listing.prefix.is_empty() {
            query.append_pair("prefix", listing.prefix);
        }
        drop(query);
        url
    }
}
