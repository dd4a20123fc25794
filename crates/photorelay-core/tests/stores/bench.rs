//! A backend under test, with unique names so that tests can share one account.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::clock::Clock;
use photorelay_core::names::Container;
use photorelay_core::queue::embedded::{EmbeddedQueueOptions, EmbeddedQueues};
use photorelay_core::queue::{Delivery, MessageBody, QueueStore};
use photorelay_core::store::BlobStore;
use photorelay_core::store::embedded::EmbeddedBlobs;
use tempfile::TempDir;
use uuid::Uuid;

use crate::azurite;

/// How long a test waits for an asynchronous effect of a real service.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Bench {
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) queues: Arc<dyn QueueStore>,
    /// A blob name prefix that no other test uses.
    pub(crate) prefix: String,
    /// An existing queue that no other test uses.
    pub(crate) queue: String,
    /// Only for backends whose time can be advanced.
    clock: Option<TestClock>,
    _folder: Option<TempDir>,
}

impl Bench {
    pub(crate) async fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = TestClock::default();
        let blobs = Arc::new(EmbeddedBlobs::open(folder.path()).unwrap());
        let queues = Arc::new(EmbeddedQueues::open_with(folder.path(), clock.options()).unwrap());
        Self::ready(blobs, queues, Some(clock), Some(folder)).await
    }

    pub(crate) async fn azurite() -> Self {
        let (blobs, queues) = azurite::connect();
        Self::ready(Arc::new(blobs), Arc::new(queues), None, None).await
    }

    async fn ready(
        blobs: Arc<dyn BlobStore>,
        queues: Arc<dyn QueueStore>,
        clock: Option<TestClock>,
        folder: Option<TempDir>,
    ) -> Self {
        for container in Container::ALL {
            blobs.ensure_container(container).await.unwrap();
        }
        let id = Uuid::new_v4();
        let queue = format!("test-{id}");
        queues.ensure_queue(&queue).await.unwrap();
        Self { blobs, queues, prefix: format!("{id}/"), queue, clock, _folder: folder }
    }

    /// A blob name of this test.
    pub(crate) fn name(&self, rest: &str) -> String {
        format!("{}{rest}", self.prefix)
    }

    /// Advances the clock if the backend has one; otherwise a test has to poll until the time has passed.
    pub(crate) fn let_pass(&self, time: Duration) {
        if let Some(clock) = &self.clock {
            clock.advance(time);
        }
    }

    pub(crate) fn clock_can_move(&self) -> bool {
        self.clock.is_some()
    }

    /// Receives as soon as a message is visible.
    pub(crate) async fn receive_some(&self, max: u32, lease: Duration) -> Vec<Delivery> {
        let received = async {
            loop {
                let received = self.queues.receive(&self.queue, max, lease).await.unwrap();
                if !received.is_empty() {
                    return received;
                }
                self.queues.wait(&self.queue, Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(PATIENCE, received).await.expect("a message becomes visible in time")
    }

    /// Receives and deletes messages until none is left.
    pub(crate) async fn drain(&self) -> Vec<Vec<u8>> {
        let mut bodies = Vec::new();
        loop {
            let received = self.queues.receive(&self.queue, 32, Duration::from_secs(60)).await.unwrap();
            if received.is_empty() {
                return bodies;
            }
            for delivery in received {
                self.queues.delete(&self.queue, &delivery).await.unwrap();
                bodies.push(bytes_of(&delivery));
            }
        }
    }
}

pub(crate) fn bytes_of(delivery: &Delivery) -> Vec<u8> {
    match &delivery.body {
        MessageBody::Bytes(bytes) => bytes.to_vec(),
        MessageBody::Undecodable(text) => panic!("not base64: {text}"),
    }
}

/// A clock that stands still until it is advanced.
#[derive(Clone)]
pub(crate) struct TestClock(Arc<AtomicI64>);

impl Default for TestClock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(Timestamp::now().as_millisecond())))
    }
}

impl TestClock {
    pub(crate) fn options(&self) -> EmbeddedQueueOptions {
        let milliseconds = Arc::clone(&self.0);
        let clock = move || Timestamp::from_millisecond(milliseconds.load(Ordering::SeqCst)).unwrap();
        EmbeddedQueueOptions { clock: Clock::telling(clock), ..EmbeddedQueueOptions::default() }
    }

    pub(crate) fn advance(&self, time: Duration) {
        self.0.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}
