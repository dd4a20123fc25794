//! A console needs the storage and no more, and reads of it what a page shows, once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use photorelay::app::OperatorAccess;
use photorelay::config::OperatorConfig;
use photorelay_core::names::Container;
use photorelay_core::settings::Environment;
use photorelay_core::store::{BlobStore, Creation, Listing, Metadata, Page, StoreError};
use reqwest::StatusCode;
use testkit::process::{Program, embedded};
use testkit::world::World;

use super::visitor::OpenConsole;

/// With nothing set but the storage, as for an operator who has a sign-in to it and nothing else.
async fn alone(world: &World, more: &[(&'static str, &str)]) -> OperatorAccess {
    let variables: Environment = embedded(world.dir())
        .into_iter()
        .chain(more.iter().map(|(name, value)| (*name, (*value).to_owned())))
        .collect();
    OperatorAccess::open(&OperatorConfig::read(&variables).unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_console_starts_with_the_storage_alone_and_says_what_is_not_available_without_graph() {
    let world = World::start().await;
    let user = world.user(0);
    for _ in 0..2 {
        world.change(user).await;
    }
    let operator = Some("Ada Operator".parse().unwrap());
    let console = OpenConsole::of(alone(&world, &[]).await, operator).await;
    let visitor = console.enter().await;
    let page = loop {
        let page = visitor.page("/").await;
        if page.contains("people in the trail") {
            break page;
        }
    };
    for text in ["not asked", "PHOTORELAY_TENANT_ID is missing", "no credential for Microsoft Graph"] {
        assert!(page.contains(text), "{text:?} is missing in {page}");
    }
    assert!(!page.contains("credential_refused") && !page.contains("graph_unavailable"), "{page}");
    for path in ["/people", "/people?q=ada"] {
        let page = visitor.page(path).await;
        assert!(page.contains("Names are not available here") && page.contains("PHOTORELAY_TENANT_ID"), "{page}");
        assert!(!page.contains("role=\"alert\"") && !page.contains("Graph knows no user"), "{page}");
    }
    let found = visitor.get(&format!("/people?q={user}")).await;
    assert_eq!(found.status(), StatusCode::SEE_OTHER, "an object ID needs no Graph");
    assert!(visitor.page(&format!("/people/{user}")).await.contains("2 entries in the trail"));
    for path in ["/approvals", "/preview", "/trail"] {
        visitor.page(path).await;
    }
    assert_eq!(visitor.confirm(&format!("/people/{user}/restore?seq=1"), &[]).await.status(), StatusCode::SEE_OTHER);
    world.settle().await;
    let trail = world.trail(user).await;
    assert_eq!((trail.len(), trail[2].entry.tenant_id), (3, world.tenant_id()), "the trail says which tenant it is");
    assert!(world.shows_newest(user).await);
    console.close().await;
    world.end().await;
}

#[tokio::test]
async fn the_setting_that_is_missing_is_named_and_one_that_is_wrong_ends_it() {
    let world = World::start().await;
    let tenant = world.sim.tenant_id().to_string();
    let named = async |more: &[(&'static str, &str)]| alone(&world, more).await.graph.unwrap_err().to_string();
    assert!(!named(&[("PHOTORELAY_TENANT_ID", &tenant)]).await.contains("PHOTORELAY_TENANT_ID"));
    // As in the file of the service, which this account may read, and not the key.
    let service = [
        ("PHOTORELAY_TENANT_ID", tenant.as_str()),
        ("PHOTORELAY_CLIENT_ID", "24d3b144-21ae-4080-943f-7067b395b913"),
        ("PHOTORELAY_CLIENT_CERTIFICATE_FILE", "/nowhere/key.pem"),
        ("PHOTORELAY_CLIENT_STATE_FILE", "/nowhere/client-state"),
    ];
    let says = named(&service).await;
    assert!(says.contains("PHOTORELAY_CLIENT_CERTIFICATE_FILE: /nowhere/key.pem cannot be read"), "{says}");
    let wrong: Environment =
        [("PhotoStorage__path", "data"), ("PHOTORELAY_TENANT_ID", "contoso")].into_iter().collect();
    assert!(OperatorConfig::read(&wrong).unwrap_err().to_string().contains("PHOTORELAY_TENANT_ID: "));
    world.end().await;
}

#[tokio::test]
async fn the_program_opens_a_console_with_the_storage_alone() {
    let world = World::start().await;
    let program = Program::console_with(embedded(world.dir()));
    let opens = program.prints("open http://127.0.0.1:").await;
    let link = opens.strip_prefix("open ").unwrap();
    assert_eq!(reqwest::get(link).await.unwrap().status(), StatusCode::OK);
    drop(program);
    world.end().await;
}

/// Counts what is read.
#[derive(Debug)]
struct Counting {
    inner: Arc<dyn BlobStore>,
    reads: Mutex<BTreeMap<String, usize>>,
}

impl Counting {
    fn count(&self, what: String) {
        *self.reads.lock().unwrap().entry(what).or_default() += 1;
    }
}

#[async_trait]
impl BlobStore for Counting {
    async fn ensure_container(&self, container: Container) -> Result<(), StoreError> {
        self.inner.ensure_container(container).await
    }

    async fn create(&self, of: Container, name: &str, as_type: &str, content: Bytes) -> Result<Creation, StoreError> {
        self.inner.create(of, name, as_type, content).await
    }

    async fn put(
        &self,
        of: Container,
        name: &str,
        as_type: &str,
        content: Bytes,
        metadata: &Metadata,
    ) -> Result<(), StoreError> {
        self.inner.put(of, name, as_type, content, metadata).await
    }

    async fn get(&self, container: Container, name: &str, limit: u64) -> Result<Option<Bytes>, StoreError> {
        self.count(format!("{container}/{name}"));
        self.inner.get(container, name, limit).await
    }

    async fn list(&self, container: Container, listing: Listing<'_>) -> Result<Page, StoreError> {
        self.count(format!("{container}/{}*", listing.prefix));
        self.inner.list(container, listing).await
    }

    async fn delete(&self, container: Container, name: &str) -> Result<(), StoreError> {
        self.inner.delete(container, name).await
    }
}

#[tokio::test]
async fn the_page_of_a_person_with_eight_versions_reads_each_blob_once() {
    let world = World::start().await;
    let user = world.user(0);
    for _ in 0..8 {
        world.change(user).await;
    }
    let mut access = world.app.operator_access();
    let counting = Arc::new(Counting { inner: Arc::clone(&access.storage.blobs), reads: Mutex::default() });
    access.storage.blobs = counting.clone();
    let console = OpenConsole::of(access, None).await;
    let visitor = console.enter().await;
    counting.reads.lock().unwrap().clear();
    let page = visitor.page(&format!("/people/{user}")).await;
    assert_eq!(page.matches("aria-label=\"The way into ad\"").count(), 8, "{page}");
    let reads = std::mem::take(&mut *counting.reads.lock().unwrap());
    let of_user = |name: &str| name.contains(&user.to_string());
    let repeated: Vec<_> = reads.iter().filter(|(name, reads)| of_user(name) && **reads > 1).collect();
    assert!(repeated.is_empty(), "{repeated:#?}");
    let receipts = reads.keys().filter(|name| name.starts_with("receipts/") && name.ends_with(".json")).count();
    assert_eq!(receipts, 8, "{reads:#?}");
    console.close().await;
    world.end().await;
}
