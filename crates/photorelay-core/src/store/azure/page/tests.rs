//! What one page of a listing says, compared with a parser that knows all of XML.

use std::collections::BTreeMap;

use azure_core::xml;
use azure_storage_blob::models::BlobName;
use proptest::prelude::*;
use serde::Deserialize;

use super::*;

const PROPERTIES: &str = "<Properties><Etag>0x8</Etag><Content-Length>612</Content-Length><Content-Type>image/jpeg\
                          </Content-Type><Content-Encoding /></Properties>";

fn xml(blobs: &str, next: &str) -> String {
    format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"https://st/\" \
         ContainerName=\"state\"><Prefix>users/</Prefix>{blobs}{next}</EnumerationResults>"
    )
}

fn page(blobs: &str, next: &str) -> Page {
    parse(xml(blobs, next).as_bytes()).unwrap()
}

#[test]
fn names_sizes_and_metadata_are_read_and_the_rest_is_not() {
    let blob = "<Blob><Name>users/a.json</Name><Properties><Content-Length>612</Content-Length><Content-Type>image/jpeg</Content-Type><Etag>0x8</Etag>\
                </Properties><Metadata><etag>&quot;A&amp;B&#x21;&quot;</etag><seq>1</seq></Metadata><OrMetadata /></Blob>";
    let encoded = "<Blob><Name Encoded=\"true\">users%EF%BF%BF</Name><Properties /></Blob>";
    let bare = "<Blob><Name>users/b.json</Name><Tags><TagSet><Tag><Key>Blob</Key></Tag></TagSet></Tags>\
                <Properties><Content-Length>0</Content-Length></Properties><Metadata /></Blob>";
    let page = page(&format!("<Blobs>{blob}{encoded}{bare}</Blobs>"), "<NextMarker>2!80!x</NextMarker>");
    let metadata = [("etag", "\"A&B!\""), ("seq", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let content_type = Some("image/jpeg".to_owned());
    let first = Listed { name: "users/a.json".to_owned(), bytes: 612, content_type, metadata: metadata.into() };
    let name = "users/b.json".to_owned();
    let second = Listed { name, bytes: 0, content_type: None, metadata: BTreeMap::new() };
    assert_eq!(page.blobs, [first, second]);
    assert_eq!(page.next.as_deref(), Some("2!80!x"));
}

#[test]
fn an_empty_page_is_the_last_one() {
    for (blobs, next) in [("<Blobs />", "<NextMarker />"), ("<Blobs></Blobs>", "<NextMarker></NextMarker>"), ("", "")] {
        let page = page(blobs, next);
        assert!(page.blobs.is_empty() && page.next.is_none(), "{blobs}{next}");
    }
}

#[test]
fn metadata_that_is_named_like_the_elements_around_it_is_metadata() {
    let names = ["Blob", "Name", "Metadata", "Properties", "Blobs", "NextMarker"];
    let metadata: String = names.map(|name| format!("<{name}>x</{name}>")).concat();
    let blob = format!("<Blob><Name>a</Name>{PROPERTIES}<Metadata>{metadata}</Metadata></Blob>");
    let page = page(&format!("<Blobs>{blob}</Blobs>"), "<NextMarker>n</NextMarker>");
    let [listed] = &page.blobs[..] else { panic!("{page:?}") };
    assert_eq!((listed.name.as_str(), listed.bytes, page.next.as_deref()), ("a", 612, Some("n")));
    assert!(names.iter().all(|name| listed.metadata[*name] == "x") && listed.metadata.len() == names.len());
}

#[test]
fn a_page_that_was_cut_or_is_something_else_is_an_error() {
    let blob = format!("<Blob><Name>a&amp;b</Name>{PROPERTIES}<Metadata><seq>1</seq></Metadata></Blob>");
    let whole = xml(&format!("<Blobs>{blob}{blob}</Blobs>"), "<NextMarker>n</NextMarker>");
    assert_eq!(parse(whole.as_bytes()).unwrap().blobs.len(), 2);
    for end in 0..whole.len() {
        assert!(parse(&whole.as_bytes()[..end]).is_err(), "cut after {end} bytes");
    }
    for other in ["", "{}", "<html></html>", "<EnumerationResults><!-- x --></EnumerationResults>", "<a/>"] {
        assert!(parse(other.as_bytes()).is_err(), "{other}");
    }
    for entity in ["&unknown;", "&#0;", "&#x110000;", "&amp", "&"] {
        let blobs = format!("<Blobs><Blob><Name>{entity}</Name></Blob></Blobs>");
        assert!(parse(xml(&blobs, "").as_bytes()).is_err(), "{entity}");
    }
}

/// The same page by a parser of all of XML.
mod by_serde {
    use super::*;

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

    pub(super) fn parse(body: &[u8]) -> Page {
        let page: WirePage = xml::from_xml(body).unwrap();
        Page {
            blobs: page.blobs.all.into_iter().filter_map(listed).collect(),
            next: page.next_marker.filter(|marker| !marker.is_empty()),
        }
    }

    fn listed(blob: WireBlob) -> Option<Listed> {
        let name = blob.name.content.filter(|_| blob.name.encoded != Some(true))?;
        let (bytes, content_type) = blob.properties.map(|known| (known.bytes, known.content_type)).unwrap_or_default();
        let content_type = content_type.filter(|content_type| !content_type.is_empty());
        let metadata = blob.metadata.unwrap_or_default();
        Some(Listed { name, bytes: bytes.unwrap_or_default(), content_type, metadata })
    }
}

/// Text without white space around it, which the service does not write.
fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9/._\"'&<>;#-]{1,3}( ?[a-zA-Z0-9/._\"'&<>;#äé€-]{1,9}){0,2}"
}

fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&apos;".to_owned(),
        'é' => "&#xE9;".to_owned(),
        'ä' => "&#228;".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}

fn blob() -> impl Strategy<Value = String> {
    let metadata = prop::collection::btree_map("[A-Za-z_][A-Za-z0-9_]{0,8}", prop::option::of(text()), 0..4);
    let properties = prop::sample::select(vec!["", "<Properties />", PROPERTIES]);
    (text(), any::<bool>(), properties, prop::option::of(metadata), any::<bool>()).prop_map(
        |(name, is_encoded, properties, metadata, is_versioned)| {
            let encoded = if is_encoded { " Encoded=\"true\"" } else { "" };
            let version =
                if is_versioned { "<VersionId>2026</VersionId><IsCurrentVersion>true</IsCurrentVersion>" } else { "" };
            let metadata = metadata.map_or(String::new(), |metadata| {
                let of = |(name, value): (String, Option<String>)| match value {
                    Some(value) => format!("<{name}>{}</{name}>", escaped(&value)),
                    None => format!("<{name} />"),
                };
                format!("<Metadata>{}</Metadata>", metadata.into_iter().map(of).collect::<String>())
            });
            let name = escaped(&name);
            format!("<Blob><Name{encoded}>{name}</Name>{version}{properties}{metadata}<OrMetadata /></Blob>")
        },
    )
}

proptest! {
    #[test]
    fn every_page_is_read_as_a_parser_of_all_of_xml_reads_it(
        blobs in prop::collection::vec(blob(), 0..5),
        next in prop::option::of(text()),
    ) {
        let next = next.map_or("<NextMarker />".to_owned(), |next| format!("<NextMarker>{}</NextMarker>", escaped(&next)));
        let body = xml(&format!("<Blobs>{}</Blobs>", blobs.concat()), &next);
        let (ours, reference) = (parse(body.as_bytes()).unwrap(), by_serde::parse(body.as_bytes()));
        prop_assert_eq!((ours.blobs, ours.next), (reference.blobs, reference.next));
    }
}
