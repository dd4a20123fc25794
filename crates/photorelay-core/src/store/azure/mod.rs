//! Blobs in an Azure storage account, or in Azurite, through the official SDK.
//!
//! Every call is one storage transaction, unless the service fails and the SDK retries it. This module must never
//! expose a SAS or a URL query in an error, a log line or `Debug` output. It owns the failure "the response was lost":
//! a retried create then reports `AlreadyExists`, which callers must expect anyway.

mod connection;
mod failure;
mod list;
mod page;

use std::fmt;
use std::num::NonZero;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_core::http::{Body, NoFormat, RequestContent, Transport};
use azure_storage_blob::models::{BlobClientDownloadOptions, BlobClientUploadOptions};
use azure_storage_blob::{BlobClient, BlobServiceClient, BlobServiceClientOptions};
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use url::Url;

use super::rules::{check_metadata, check_name, check_prefix};
use super::{BlobStore, Creation, Listing, Metadata, Page, StoreError};
use crate::names::Container;
use list::ListRequests;

pub use connection::transport;
pub(crate) use connection::{Service, client_options, within_time};
pub(crate) use failure::{classify, error_code, status};

/// The bytes of one download request; a blob up to this size is one transaction.
const DOWNLOAD_PART: NonZero<usize> = NonZero::new(4 * 1024 * 1024).expect("not zero");
/// Larger than anything that photorelay stores, so every upload is one transaction.
const UPLOAD_PART: NonZero<u64> = NonZero::new(256 * 1024 * 1024).expect("not zero");

/// The blob store in an Azure storage account.
pub struct AzureBlobs {
    service: Service,
    client: BlobServiceClient,
    list_requests: ListRequests,
}

impl AzureBlobs {
    /// Creates a client for a blob service URI, which needs a SAS or a credential. Sends nothing yet.
    pub fn connect(
        service_uri: &Url,
        credential: Option<Arc<dyn TokenCredential>>,
        transport: Transport,
    ) -> Result<Self, StoreError> {
        let service = Service::check("blob", service_uri, credential.is_some())?;
        let client_options = client_options(transport);
        let list_requests = ListRequests::new(service_uri, credential.clone(), client_options.clone());
        let options = BlobServiceClientOptions { client_options, ..Default::default() };
        let client = BlobServiceClient::new(service_uri.clone(), credential, Some(options))
            .map_err(|error| classify(error, || format!("connecting to {service}")))?;
        Ok(Self { service, client, list_requests })
    }

    fn blob(&self, container: Container, name: &str) -> Result<BlobClient, StoreError> {
        check_name(name)?;
        Ok(self.client.blob_client(container.as_str(), name))
    }
}

impl fmt::Debug for AzureBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureBlobs").field("service", &self.service).finish_non_exhaustive()
    }
}

#[async_trait]
impl BlobStore for AzureBlobs {
    async fn ensure_container(&self, container: Container) -> Result<(), StoreError> {
        let doing = || format!("creating the container `{container}`");
        let client = self.client.blob_container_client(container.as_str());
        let denied = match within_time(doing, client.create(None)).await? {
            Ok(_) => return Ok(()),
            Err(error) if error_code(&error) == Some("ContainerAlreadyExists") => return Ok(()),
            Err(error) if status(&error) == Some(403) => classify(error, doing),
            Err(error) => return Err(classify(error, doing)),
        };
        // A program that may not create containers can still use an existing one.
        match within_time(doing, client.get_properties(None)).await? {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(404) => {
                Err(StoreError::Missing { what: format!("the container `{container}`") })
            }
            Err(error) if status(&error) == Some(403) => Err(denied),
            Err(error) => Err(classify(error, || format!("finding the container `{container}`"))),
        }
    }

    async fn create(
        &self,
        container: Container,
        name: &str,
        content_type: &str,
        content: Bytes,
    ) -> Result<Creation, StoreError> {
        self.create_with_metadata(container, name, content_type, content, &Metadata::new()).await
    }

    async fn create_with_metadata(
        &self,
        container: Container,
        name: &str,
        content_type: &str,
        content: Bytes,
        metadata: &Metadata,
    ) -> Result<Creation, StoreError> {
        check_metadata(metadata)?;
        let doing = || format!("creating {container}/{name}");
        let options = upload_options(content_type, metadata).if_not_exists();
        let client = self.blob(container, name)?;
        match within_time(doing, client.upload(body(content), Some(options))).await? {
            Ok(_) => Ok(Creation::Created),
            Err(error) if says_exists(&error) => Ok(Creation::AlreadyExists),
            // A caller who may neither create nor overwrite is refused alike, and so is one of Azurite's who may only create.
            Err(error) if status(&error) == Some(403) => match within_time(doing, client.get_properties(None)).await? {
                Ok(_) => Ok(Creation::AlreadyExists),
                Err(_) => Err(classify(error, doing)),
            },
            Err(error) => Err(classify(error, doing)),
        }
    }

    async fn put(
        &self,
        container: Container,
        name: &str,
        content_type: &str,
        content: Bytes,
        metadata: &Metadata,
    ) -> Result<(), StoreError> {
        check_metadata(metadata)?;
        let doing = || format!("writing {container}/{name}");
        let client = self.blob(container, name)?;
        let options = upload_options(content_type, metadata);
        match within_time(doing, client.upload(body(content), Some(options))).await? {
            Ok(_) => Ok(()),
            Err(error) => Err(classify(error, doing)),
        }
    }

    async fn get(&self, container: Container, name: &str, limit: u64) -> Result<Option<Bytes>, StoreError> {
        let doing = || format!("reading {container}/{name}");
        let client = self.blob(container, name)?;
        let too_large = |bytes| StoreError::TooLarge { what: format!("{container}/{name}"), bytes, limit };
        let download = async {
            // Of a longer blob, the SDK would plan all requests before it returns, however long the service says it is.
            let range = Some((..limit.saturating_add(1)).into());
            let partition_size = Some(DOWNLOAD_PART);
            let options = BlobClientDownloadOptions { range, partition_size, ..Default::default() };
            let mut result = match client.download(Some(options)).await {
                Ok(result) => result,
                Err(error) if error_code(&error) == Some("BlobNotFound") => return Ok(None),
                Err(error) => return Err(classify(error, doing)),
            };
            let bytes = full_length(&result.headers);
            if let Some(bytes) = bytes.filter(|bytes| *bytes > limit) {
                return Err(too_large(bytes));
            }
            let expected = bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
            let mut content = BytesMut::with_capacity(expected);
            while let Some(part) = result.body.try_next().await.map_err(|error| classify(error, doing))? {
                content.extend_from_slice(&part);
                if content.len() as u64 > limit {
                    return Err(too_large(content.len() as u64));
                }
            }
            Ok(Some(content.freeze()))
        };
        within_time(doing, download).await?
    }

    async fn list(&self, container: Container, listing: Listing<'_>) -> Result<Page, StoreError> {
        check_prefix(listing.prefix)?;
        let doing = || format!("listing the container `{container}`");
        let listed = within_time(doing, self.list_requests.page(container, listing)).await?;
        listed.map_err(|error| classify(error, doing))
    }

    async fn delete(&self, container: Container, name: &str) -> Result<(), StoreError> {
        let doing = || format!("deleting {container}/{name}");
        let client = self.blob(container, name)?;
        match within_time(doing, client.delete(None)).await? {
            Ok(_) => Ok(()),
            Err(error) if error_code(&error) == Some("BlobNotFound") => Ok(()),
            Err(error) => Err(classify(error, doing)),
        }
    }
}

fn body(content: Bytes) -> RequestContent<Bytes, NoFormat> {
    Body::from(content).into()
}

fn upload_options(content_type: &str, metadata: &Metadata) -> BlobClientUploadOptions<'static> {
    let metadata = (!metadata.is_empty()).then_some(metadata);
    BlobClientUploadOptions {
        blob_content_type: Some(content_type.to_owned()),
        metadata: metadata.map(|metadata| metadata.iter().map(|(k, v)| (k.clone(), v.clone())).collect()),
        partition_size: Some(UPLOAD_PART),
        ..Default::default()
    }
}

/// Whether a create was refused because the blob exists. The service may name what protects an existing blob instead: an
/// immutability policy, or that the caller may create blobs but not overwrite them.
fn says_exists(error: &azure_core::Error) -> bool {
    const EXISTS: [&str; 4] =
        ["BlobAlreadyExists", "BlobImmutableDueToPolicy", "BlobImmutableDueToLegalHold", "UnauthorizedBlobOverwrite"];
    status(error) == Some(412) || error_code(error).is_some_and(|code| EXISTS.contains(&code))
}

/// The length of the whole blob: from `bytes 0-99/1234` in a partial response, or the content length of a full one.
fn full_length(headers: &azure_core::http::headers::Headers) -> Option<u64> {
    let header = |name| headers.get_optional_string(&azure_core::http::headers::HeaderName::from_static(name));
    match header("content-range") {
        Some(range) => range.rsplit_once('/')?.1.parse().ok(),
        None => header("content-length")?.parse().ok(),
    }
}
