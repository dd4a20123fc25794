//! Parses one page of a listing. The SDK's own model has about sixty members for each blob, and a sweep lists all users
//! three times: parsing only the members it needs halves its CPU time.

use std::collections::BTreeMap;

use azure_core::xml;
use azure_storage_blob::models::BlobName;
use serde::Deserialize;

use crate::store::{Listed, Page};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WirePage {
    #[serde(default)]
    blobs: WireBlobs,
    next_marker: Option<String>,
}

#[derive(Default, Deserialize)]
struct WireBlobs {
    #[serde(rename = "Blob", default)]
    all: Vec<WireBlob>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireBlob {
    name: BlobName,
    properties: Option<WireProperties>,
    metadata: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct WireProperties {
    #[serde(rename = "Content-Length")]
    bytes: Option<u64>,
    #[serde(rename = "Content-Type")]
    content_type: Option<String>,
}

pub(super) fn parse(body: &[u8]) -> azure_core::Result<Page> {
    let page: WirePage = xml::from_xml(body)?;
    Ok(Page {
        blobs: page.blobs.all.into_iter().filter_map(listed).collect(),
        next: page.next_marker.filter(|marker| !marker.is_empty()),
    })
}

/// Returns `None` for a name that XML has to encode: photorelay does not use such names.
fn listed(blob: WireBlob) -> Option<Listed> {
    let name = blob.name.content.filter(|_| blob.name.encoded != Some(true))?;
    let (bytes, content_type) = blob.properties.map(|known| (known.bytes, known.content_type)).unwrap_or_default();
    let content_type = content_type.filter(|content_type| !content_type.is_empty());
    Some(Listed { name, bytes: bytes.unwrap_or_default(), content_type, metadata: blob.metadata.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(blobs: &str, next: &str) -> Page {
        let xml = format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"https://st/\" \
             ContainerName=\"state\"><Prefix>users/</Prefix>{blobs}{next}</EnumerationResults>"
        );
        parse(xml.as_bytes()).unwrap()
    }

    #[test]
    fn names_sizes_and_metadata_are_read_and_the_rest_is_not() {
        let blob = "<Blob><Name>users/a.json</Name><Properties><Content-Length>612</Content-Length><Content-Type>image/jpeg</Content-Type><Etag>0x8</Etag>\
                    </Properties><Metadata><etag>&quot;A&amp;B&quot;</etag><seq>1</seq></Metadata><OrMetadata /></Blob>";
        let encoded = "<Blob><Name Encoded=\"true\">users%EF%BF%BF</Name><Properties /></Blob>";
        let bare = "<Blob><Name>users/b.json</Name><Properties><Content-Length>0</Content-Length></Properties>\
                    <Metadata /></Blob>";
        let page = page(&format!("<Blobs>{blob}{encoded}{bare}</Blobs>"), "<NextMarker>2!80!x</NextMarker>");
        let metadata = [("etag", "\"A&B\""), ("seq", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let content_type = Some("image/jpeg".to_owned());
        let first = Listed { name: "users/a.json".to_owned(), bytes: 612, content_type, metadata: metadata.into() };
        let name = "users/b.json".to_owned();
        let second = Listed { name, bytes: 0, content_type: None, metadata: BTreeMap::new() };
        assert_eq!(page.blobs, [first, second]);
        assert_eq!(page.next.as_deref(), Some("2!80!x"));
    }

    #[test]
    fn an_empty_page_is_the_last_one() {
        for (blobs, next) in
            [("<Blobs />", "<NextMarker />"), ("<Blobs></Blobs>", "<NextMarker></NextMarker>"), ("", "")]
        {
            let page = page(blobs, next);
            assert!(page.blobs.is_empty() && page.next.is_none(), "{blobs}{next}");
        }
    }
}
