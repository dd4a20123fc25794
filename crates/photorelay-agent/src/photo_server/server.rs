//! The endpoint as a whole: answers requests and keeps the index and the certificate up to date beside.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use photorelay_core::id::TenantId;
use photorelay_core::storage::Storage;
use photorelay_core::target::Target;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::http::{self, Answering};
use super::listener::{Certificate, PhotoListener};
use super::photos::IndexedPhotos;

/// After a failure the index is read again sooner.
const RETRY: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub struct PhotoServerSettings {
    pub tenant: TenantId,
    /// Only users that this target serves are shown.
    pub serving: Target,
    /// How often the index is brought up to the trail.
    pub refresh: Duration,
    /// Requests of one client, by its address.
    pub per_minute: u32,
    /// Whether the last address in `X-Forwarded-For` is the client's.
    pub behind_proxy: bool,
}

/// Cheap to clone; clones share the index.
#[derive(Debug, Clone)]
pub struct PhotoServer {
    photos: Arc<IndexedPhotos>,
    settings: PhotoServerSettings,
}

impl PhotoServer {
    pub fn new(storage: &Storage, settings: PhotoServerSettings) -> Self {
        let photos = IndexedPhotos::new(storage, settings.tenant, settings.serving.clone());
        Self { photos: Arc::new(photos), settings }
    }

    /// Answers until stopped. The listener answers at once; photos are shown when the index has been read.
    ///
    /// Boxed, so that it is compiled in this crate and not again in every program that has a photo server.
    pub fn run(&self, listener: PhotoListener, stop: CancellationToken) -> BoxFuture<'_, std::io::Result<()>> {
        self.answer(listener, stop).boxed()
    }

    async fn answer(&self, listener: PhotoListener, stop: CancellationToken) -> std::io::Result<()> {
        let tasks = TaskTracker::new();
        let (server, certificate, until) = (self.clone(), listener.certificate(), stop.clone());
        tasks.spawn(async move { server.keep_up_to_date(certificate, until).await });
        let PhotoServerSettings { per_minute, behind_proxy, refresh, .. } = self.settings;
        let answering = Answering::new(Arc::clone(&self.photos), per_minute, behind_proxy, refresh);
        let served = listener.serve(http::router(answering), stop.clone()).await;
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        served
    }

    /// Brings the index up to the trail; whether that worked.
    pub async fn refresh(&self) -> bool {
        self.photos.refresh().await
    }

    async fn keep_up_to_date(&self, certificate: Option<Certificate>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let is_done = self.refresh().await;
            if let Some(certificate) = &certificate {
                certificate.reload().await;
            }
            let pause = if is_done { self.settings.refresh } else { RETRY.min(self.settings.refresh) };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}
