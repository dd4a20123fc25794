//! Behaviour of queues in a file: group commit, waiting, several processes, a full disk.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use photorelay_core::queue::embedded::{EmbeddedQueueOptions, EmbeddedQueues};
use photorelay_core::queue::{Delivery, Leased, Outgoing, PopReceipt, QueueStore};
use photorelay_core::store::StoreError;

use crate::bench::{TestClock, bytes_of};

const QUEUE: &str = "photo-checks";
const LEASE: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(30);

async fn send(queues: &EmbeddedQueues, body: &str) {
    queues.send(QUEUE, vec![Outgoing::now(body.to_owned())]).await.unwrap();
}

/// One per file; everything else is shared.
fn open(folder: &tempfile::TempDir) -> Arc<EmbeddedQueues> {
    Arc::new(EmbeddedQueues::open(folder.path()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_many_callers_at_once_find_their_messages_stored() {
    let folder = tempfile::tempdir().unwrap();
    let queues = open(&folder);
    queues.ensure_queue(QUEUE).await.unwrap();
    let callers = (0..64).map(|caller| {
        let queues = Arc::clone(&queues);
        async move {
            for i in 0..20 {
                send(&queues, &format!("{caller}-{i}")).await;
            }
        }
    });
    futures::future::join_all(callers).await;
    drop(queues);
    let reopened = open(&folder);
    let bodies: BTreeSet<_> = reopened.peek_all(QUEUE).await.unwrap().into_iter().collect();
    assert_eq!((bodies.len(), reopened.count(QUEUE).await.unwrap()), (1280, 1280));
}

#[tokio::test]
async fn messages_come_in_the_order_in_which_they_become_visible() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::default();
    let queues = EmbeddedQueues::open_with(folder.path(), clock.options()).unwrap();
    queues.ensure_queue(QUEUE).await.unwrap();
    let after = |seconds, body: &'static str| Outgoing::after(Duration::from_secs(seconds), body);
    queues.send(QUEUE, vec![after(3, "d"), after(1, "a"), after(1, "b"), after(2, "c")]).await.unwrap();
    clock.advance(Duration::from_secs(3));
    let order: Vec<_> = queues.receive(QUEUE, 32, LEASE).await.unwrap().iter().map(bytes_of).collect();
    assert_eq!(order, [b"a", b"b", b"c", b"d"]);
}

#[tokio::test]
async fn callers_of_two_queues_at_once_find_each_message_in_its_own_queue_and_at_its_own_time() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::default();
    let queues = EmbeddedQueues::open_with(folder.path(), clock.options()).unwrap();
    let names = ["even", "odd-ones"];
    for queue in names {
        queues.ensure_queue(queue).await.unwrap();
    }
    // More than one statement inserts, and the last sent is due first.
    let sends = (0..50_u8).map(|i| {
        let after = Duration::from_secs(u64::from(50 - i));
        queues.send(names[usize::from(i % 2)], vec![Outgoing::after(after, vec![i])])
    });
    futures::future::try_join_all(sends).await.unwrap();
    clock.advance(Duration::from_secs(40));
    for (queue, last) in names.into_iter().zip([48_u8, 49]) {
        let due: Vec<_> = queues.receive(queue, 32, LEASE).await.unwrap().iter().map(bytes_of).collect();
        let expected: Vec<_> = (10..=last).rev().step_by(2).map(|i| vec![i]).collect();
        assert_eq!(due, expected, "{queue}");
    }
}

#[tokio::test]
async fn a_message_is_visible_exactly_when_its_time_has_come() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::default();
    let queues = EmbeddedQueues::open_with(folder.path(), clock.options()).unwrap();
    queues.ensure_queue(QUEUE).await.unwrap();
    queues.send(QUEUE, vec![Outgoing::after(Duration::from_millis(1500), "x")]).await.unwrap();
    clock.advance(Duration::from_millis(1499));
    assert!(queues.receive(QUEUE, 1, LEASE).await.unwrap().is_empty());
    clock.advance(Duration::from_millis(1));
    assert_eq!(queues.receive(QUEUE, 1, LEASE).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_consumer_is_woken_by_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let queues = open(&folder);
    queues.ensure_queue(QUEUE).await.unwrap();
    let started = Instant::now();
    for round in 0..200 {
        let waiting = async {
            queues.wait(QUEUE, LONG).await;
            queues.receive(QUEUE, 1, LEASE).await.unwrap()
        };
        let body = format!("{round}");
        let (received, ()) = tokio::join!(waiting, send(&queues, &body));
        assert_eq!(received.len(), 1, "round {round}");
        queues.delete(QUEUE, &received[0]).await.unwrap();
    }
    // A missed wake-up costs a quarter of a second until the consumer polls again.
    assert!(started.elapsed() < LONG, "{:?}", started.elapsed());
}

#[tokio::test]
async fn waiting_ends_when_a_delayed_message_is_due_or_the_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let queues = open(&folder);
    queues.ensure_queue(QUEUE).await.unwrap();
    let started = Instant::now();
    queues.wait(QUEUE, Duration::from_millis(20)).await;
    assert!(started.elapsed() >= Duration::from_millis(20));
    queues.send(QUEUE, vec![Outgoing::after(Duration::from_millis(50), "x")]).await.unwrap();
    queues.wait(QUEUE, LONG).await;
    assert!(started.elapsed() < LONG);
    assert_eq!(queues.receive(QUEUE, 1, LEASE).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_from_another_process_is_noticed_while_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (open(&folder), open(&folder));
    one.ensure_queue(QUEUE).await.unwrap();
    let waiting = async {
        let started = Instant::now();
        one.wait(QUEUE, LONG).await;
        assert!(started.elapsed() < LONG);
        one.receive(QUEUE, 1, LEASE).await.unwrap().len()
    };
    let (received, ()) = tokio::join!(waiting, send(&other, "from elsewhere"));
    assert_eq!(received, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_stores_open_one_file_at_once_and_hand_out_each_message_once() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let opening = (0..8).map(|_| {
        let folder = Arc::clone(&folder);
        tokio::task::spawn_blocking(move || EmbeddedQueues::open(folder.path()).unwrap())
    });
    let mut stores = Vec::new();
    for store in futures::future::join_all(opening).await {
        stores.push(store.unwrap());
    }
    stores[0].ensure_queue(QUEUE).await.unwrap();
    stores[1].send(QUEUE, (0..100).map(|i| Outgoing::now(format!("{i}"))).collect()).await.unwrap();
    let rounds = stores.iter().map(|store| async {
        let mut ids = Vec::new();
        loop {
            let received = store.receive(QUEUE, 3, LEASE).await.unwrap();
            if received.is_empty() {
                return ids;
            }
            ids.extend(received.into_iter().map(|delivery| delivery.id));
        }
    });
    let ids: Vec<_> = futures::future::join_all(rounds).await.concat();
    assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (100, 100));
}

#[tokio::test]
async fn a_request_that_fails_does_not_harm_others_of_its_group() {
    let folder = tempfile::tempdir().unwrap();
    let queues = open(&folder);
    queues.ensure_queue(QUEUE).await.unwrap();
    let requests = (0..64).map(|i| {
        let queues = Arc::clone(&queues);
        let queue = if i % 2 == 0 { QUEUE } else { "missing-queue" };
        async move { queues.send(queue, vec![Outgoing::now("x")]).await }
    });
    for (i, outcome) in futures::future::join_all(requests).await.into_iter().enumerate() {
        let expected = if i % 2 == 0 { outcome.is_ok() } else { matches!(outcome, Err(StoreError::Missing { .. })) };
        assert!(expected, "{i}: {outcome:?}");
    }
    assert_eq!(queues.count(QUEUE).await.unwrap(), 32);
}

#[tokio::test]
async fn a_full_file_fails_what_was_asked_and_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedQueueOptions { largest_file: Some(512 * 1024), ..EmbeddedQueueOptions::default() };
    let queues = Arc::new(EmbeddedQueues::open_with(folder.path(), options).unwrap());
    queues.ensure_queue(QUEUE).await.unwrap();
    let body = vec![b'x'; 40 * 1024];
    let mut stored = 0;
    let error = loop {
        match queues.send(QUEUE, vec![Outgoing::now(body.clone())]).await {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 100, "the limit holds");
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert!(error.is_transient());
    assert_eq!(queues.count(QUEUE).await.unwrap(), stored);
    for delivery in queues.receive(QUEUE, 32, LEASE).await.unwrap() {
        assert_eq!(queues.delete(QUEUE, &delivery).await.unwrap(), Leased::Yes(()));
    }
    queues.send(QUEUE, vec![Outgoing::now(body)]).await.unwrap();
    assert_eq!(queues.count(QUEUE).await.unwrap(), 1);
}

#[tokio::test]
async fn foreign_receipts_are_lost_leases() {
    let folder = tempfile::tempdir().unwrap();
    let queues = open(&folder);
    queues.ensure_queue(QUEUE).await.unwrap();
    send(&queues, "x").await;
    let delivery = queues.receive(QUEUE, 1, LEASE).await.unwrap().remove(0);
    for (id, receipt) in [("1", "0"), ("1", ""), ("no number", "0"), ("1", "' OR 1=1 --"), ("999", &delivery.receipt.0)]
    {
        let forged = Delivery { id: id.to_owned(), receipt: PopReceipt(receipt.to_owned()), ..delivery.clone() };
        assert_eq!(queues.delete(QUEUE, &forged).await.unwrap(), Leased::Lost, "{id} {receipt}");
        assert_eq!(queues.renew(QUEUE, &forged, LEASE).await.unwrap(), Leased::Lost, "{id} {receipt}");
    }
    assert_eq!(queues.delete(QUEUE, &delivery).await.unwrap(), Leased::Yes(()));
}

#[tokio::test]
async fn the_number_of_a_message_is_never_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut ids = BTreeSet::new();
    for _ in 0..3 {
        let queues = open(&folder);
        queues.ensure_queue(QUEUE).await.unwrap();
        send(&queues, "x").await;
        let delivery = queues.receive(QUEUE, 1, LEASE).await.unwrap().remove(0);
        queues.delete(QUEUE, &delivery).await.unwrap();
        ids.insert(delivery.id);
    }
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn dropping_the_store_ends_its_thread_and_closes_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let queues = open(&folder);
    queues.ensure_queue(QUEUE).await.unwrap();
    send(&queues, "kept").await;
    drop(queues);
    // SQLite removes the log when the last connection is closed.
    assert!(!folder.path().join("queues.sqlite-wal").exists());
    assert_eq!(open(&folder).peek_all(QUEUE).await.unwrap(), ["kept"]);
}

#[tokio::test]
async fn a_file_of_a_newer_program_or_of_another_kind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("queues.sqlite"), "this is not a database, whatever its name says. ".repeat(50))
        .unwrap();
    let refused = EmbeddedQueues::open(folder.path()).unwrap_err();
    assert!(matches!(refused, StoreError::Invalid { .. }), "{refused:?}");
}
