//! The guarantees of the queue consumer, tested on the embedded store.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use photorelay_core::consumer::{Admission, Consumer, ConsumerSettings, Disposition, DrainError, MessageHandler};
use photorelay_core::contract::{self, DeadLetter};
use photorelay_core::names::{self, Container};
use photorelay_core::queue::{Delivery, Leased, Outgoing, PopReceipt, QueueStore};
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::bench::Bench;

const SETTINGS: ConsumerSettings = ConsumerSettings {
    concurrency: 4,
    batch_size: 32,
    lease: Duration::from_secs(60),
    first_poll: Duration::from_millis(10),
    longest_poll: Duration::from_millis(100),
    dead_letters: Container::State,
};

/// Returns the given dispositions in turn, and then `Done`.
#[derive(Default)]
struct Script {
    dispositions: Mutex<VecDeque<Disposition>>,
    handled: Mutex<Vec<(Vec<u8>, u32)>>,
    paused: Mutex<Vec<String>>,
}

impl Script {
    fn of(dispositions: impl IntoIterator<Item = Disposition>) -> Self {
        Self { dispositions: Mutex::new(dispositions.into_iter().collect()), ..Self::default() }
    }

    fn handled(&self) -> Vec<(Vec<u8>, u32)> {
        self.handled.lock().unwrap().clone()
    }
}

#[async_trait]
impl MessageHandler for Script {
    async fn handle(&self, delivery: &Delivery, body: &Bytes) -> Disposition {
        self.handled.lock().unwrap().push((body.to_vec(), delivery.dequeue_count));
        self.dispositions.lock().unwrap().pop_front().unwrap_or(Disposition::Done)
    }

    fn paused(&self, reason: &str) {
        self.paused.lock().unwrap().push(reason.to_owned());
    }
}

fn consumer<H: MessageHandler>(bench: &Bench, handler: H) -> Consumer<H> {
    let storage = Storage { blobs: Arc::clone(&bench.blobs), queues: Arc::clone(&bench.queues) };
    Consumer::new(storage, bench.queue.clone(), handler, SETTINGS)
}

async fn send(bench: &Bench, body: &'static str) {
    bench.queues.send(&bench.queue, vec![Outgoing::now(body)]).await.unwrap();
}

async fn waiting(bench: &Bench) -> u64 {
    bench.queues.count(&bench.queue).await.unwrap()
}

#[tokio::test]
async fn a_message_that_is_done_is_deleted() {
    let bench = Bench::embedded().await;
    send(&bench, "work").await;
    let consumer = consumer(&bench, Script::default());
    consumer.drain().await.unwrap();
    assert_eq!(consumer.handler().handled(), [(b"work".to_vec(), 1)]);
    assert_eq!(waiting(&bench).await, 0);
}

#[tokio::test]
async fn a_dead_letter_ends_in_the_poison_queue_and_as_a_blob_with_its_reason() {
    let bench = Bench::embedded().await;
    send(&bench, "nonsense").await;
    let reason = "not a check message".to_owned();
    consumer(&bench, Script::of([Disposition::DeadLetter { reason: reason.clone() }])).drain().await.unwrap();
    assert_eq!(waiting(&bench).await, 0);
    let poison = names::poison_queue(&bench.queue);
    assert_eq!(bench.queues.count(&poison).await.unwrap(), 1);
    let digest = photorelay_core::id::Digest::of(b"nonsense").to_string();
    let blob = bench.blobs.get(Container::State, &names::dead_lettered(&bench.queue, &digest), 4096).await.unwrap();
    let dead_letter: DeadLetter = contract::parse(&blob.unwrap()).unwrap();
    assert_eq!((dead_letter.reason, dead_letter.body.as_slice()), (reason, &b"nonsense"[..]));
}

#[tokio::test]
async fn a_message_that_is_retried_comes_back_after_its_delay_with_a_higher_count() {
    let bench = Bench::embedded().await;
    send(&bench, "later").await;
    let delay = Duration::from_secs(30);
    let retry = Disposition::RetryIn { delay, reason: "throttled".to_owned() };
    let consumer = consumer(&bench, Script::of([retry]));
    consumer.drain().await.unwrap();
    assert_eq!((consumer.handler().handled().len(), waiting(&bench).await), (1, 1), "hidden, not lost");
    bench.let_pass(delay);
    consumer.drain().await.unwrap();
    assert_eq!(consumer.handler().handled(), [(b"later".to_vec(), 1), (b"later".to_vec(), 2)]);
    assert_eq!(waiting(&bench).await, 0);
}

#[tokio::test]
async fn a_message_that_is_given_back_uses_up_no_delivery() {
    let bench = Bench::embedded().await;
    send(&bench, "kept").await;
    let down = "the domain controller is down".to_owned();
    let consumer = consumer(&bench, Script::of([Disposition::GiveBack { reason: down.clone() }]));
    let stopped = consumer.drain().await.unwrap_err();
    assert!(matches!(stopped, DrainError::GivenBack { reason } if reason == down));
    assert_eq!((waiting(&bench).await, consumer.handler().paused.lock().unwrap().as_slice()), (1, &[down][..]));
    consumer.drain().await.unwrap();
    assert_eq!(consumer.handler().handled(), [(b"kept".to_vec(), 1), (b"kept".to_vec(), 1)]);
}

/// A queue whose renewals wait until they are released.
#[derive(Debug)]
struct SlowRenewals {
    queues: Arc<dyn QueueStore>,
    began: Notify,
    let_go: Notify,
}

#[async_trait]
impl QueueStore for SlowRenewals {
    async fn ensure_queue(&self, queue: &str) -> Result<(), StoreError> {
        self.queues.ensure_queue(queue).await
    }

    async fn send(&self, queue: &str, messages: Vec<Outgoing>) -> Result<(), StoreError> {
        self.queues.send(queue, messages).await
    }

    async fn receive(&self, queue: &str, max: u32, lease: Duration) -> Result<Vec<Delivery>, StoreError> {
        self.queues.receive(queue, max, lease).await
    }

    async fn renew(&self, queue: &str, delivery: &Delivery, lease: Duration) -> Result<Leased<PopReceipt>, StoreError> {
        self.began.notify_one();
        self.let_go.notified().await;
        self.queues.renew(queue, delivery, lease).await
    }

    async fn delete(&self, queue: &str, delivery: &Delivery) -> Result<Leased<()>, StoreError> {
        self.queues.delete(queue, delivery).await
    }

    async fn count(&self, queue: &str) -> Result<u64, StoreError> {
        self.queues.count(queue).await
    }

    async fn oldest(&self, queue: &str) -> Result<Option<Timestamp>, StoreError> {
        self.queues.oldest(queue).await
    }
}

/// Works until a renewal begins, and releases it only when the work is done.
struct OutlastsRenewal(Arc<SlowRenewals>);

#[async_trait]
impl MessageHandler for OutlastsRenewal {
    async fn handle(&self, _: &Delivery, _: &Bytes) -> Disposition {
        self.0.began.notified().await;
        tokio::task::yield_now().await;
        self.0.let_go.notify_one();
        Disposition::Done
    }

    fn paused(&self, reason: &str) {
        panic!("paused: {reason}");
    }
}

#[tokio::test]
async fn work_goes_on_while_a_lease_is_renewed_and_is_settled_with_the_renewed_receipt() {
    let bench = Bench::embedded().await;
    send(&bench, "long").await;
    let queues = Arc::clone(&bench.queues);
    let slow = Arc::new(SlowRenewals { queues, began: Notify::new(), let_go: Notify::new() });
    let storage = Storage { blobs: Arc::clone(&bench.blobs), queues: slow.clone() };
    let settings = ConsumerSettings { lease: Duration::from_secs(1), ..SETTINGS };
    Consumer::new(storage, bench.queue.clone(), OutlastsRenewal(slow), settings).drain().await.unwrap();
    assert_eq!(waiting(&bench).await, 0, "deleted although the renewal replaced the receipt");
}

/// Stopped by an operator until it is opened; counts how often it was checked.
#[derive(Default)]
struct Gate {
    is_open: AtomicBool,
    asked: AtomicU32,
    handled: Notify,
    at_once: AtomicU32,
    most_at_once: AtomicU32,
}

#[async_trait]
impl MessageHandler for Gate {
    async fn handle(&self, _: &Delivery, _: &Bytes) -> Disposition {
        assert!(self.is_open.load(Ordering::SeqCst), "received while stopped");
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        self.handled.notify_one();
        Disposition::Done
    }

    async fn admit(&self) -> Admission {
        if self.asked.fetch_add(1, Ordering::SeqCst) == 2 {
            self.is_open.store(true, Ordering::SeqCst);
        }
        if self.is_open.load(Ordering::SeqCst) { Admission::Open } else { Admission::Stopped }
    }

    fn paused(&self, reason: &str) {
        panic!("paused: {reason}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_received_while_stopped_and_no_more_at_once_than_there_are_permits() {
    let bench = Bench::embedded().await;
    for _ in 0..40 {
        send(&bench, "one of many").await;
    }
    let consumer = consumer(&bench, Gate::default());
    let gate = consumer.handler();
    let stop = CancellationToken::new();
    let empty = async {
        while waiting(&bench).await > 0 {
            // The last message is deleted after it was handled, and nothing notifies of that.
            let _ = tokio::time::timeout(Duration::from_millis(20), gate.handled.notified()).await;
        }
        stop.cancel();
    };
    tokio::join!(consumer.run(&stop), empty);
    assert!(gate.asked.load(Ordering::SeqCst) > 2);
    let most = gate.most_at_once.load(Ordering::SeqCst);
    assert!((1..=SETTINGS.concurrency).contains(&most), "{most} at once");
    assert_eq!(waiting(&bench).await, 0);
}
