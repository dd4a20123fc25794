//! The guarantees of every queue store.

use std::collections::BTreeSet;
use std::time::Duration;

use photorelay_core::queue::{Leased, MAX_BODY_BYTES, MAX_DELAY, Outgoing};
use photorelay_core::store::StoreError;

use crate::bench::{Bench, bytes_of};
use crate::on_every_backend;

on_every_backend! {
    what_was_sent_is_received_once_while_it_is_leased,
    a_message_comes_back_when_its_lease_ends,
    a_renewed_lease_keeps_the_message_and_its_body,
    a_lease_given_back_makes_the_message_visible_at_once,
    a_lost_lease_is_reported,
    a_deleted_message_is_gone,
    a_delayed_message_is_counted_and_not_seen,
    a_message_never_expires,
    the_largest_body_fits_and_one_byte_more_does_not,
    any_bytes_come_back_as_they_were,
    no_more_than_32_messages_come_at_once,
    many_messages_are_sent_with_one_call,
    a_queue_that_was_not_made_is_missing,
    odd_queue_names_are_refused,
}

const LEASE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(1);

async fn send(bench: &Bench, body: &str) {
    bench.queues.send(&bench.queue, vec![Outgoing::now(body.to_owned())]).await.unwrap();
}

async fn what_was_sent_is_received_once_while_it_is_leased(bench: &Bench) {
    send(bench, "hello").await;
    let received = bench.queues.receive(&bench.queue, 32, LEASE).await.unwrap();
    assert_eq!(received.len(), 1);
    assert_eq!((bytes_of(&received[0]).as_slice(), received[0].dequeue_count), (&b"hello"[..], 1));
    let age = jiff::Timestamp::now().duration_since(received[0].inserted_at);
    assert!(age.as_secs().abs() < 60, "inserted {age:?} ago");
    assert!(bench.queues.receive(&bench.queue, 32, LEASE).await.unwrap().is_empty());
    assert_eq!(bench.queues.count(&bench.queue).await.unwrap(), 1);
}

async fn a_message_comes_back_when_its_lease_ends(bench: &Bench) {
    send(bench, "again").await;
    let first = bench.receive_some(1, SHORT).await;
    bench.let_pass(SHORT);
    let second = bench.receive_some(1, LEASE).await;
    assert_eq!((&second[0].id, second[0].dequeue_count), (&first[0].id, 2));
    assert_eq!(bytes_of(&second[0]), b"again");
    assert_ne!(second[0].receipt, first[0].receipt);
}

async fn a_renewed_lease_keeps_the_message_and_its_body(bench: &Bench) {
    send(bench, "long work").await;
    let mut delivery = bench.receive_some(1, SHORT).await.remove(0);
    let Leased::Yes(receipt) = bench.queues.renew(&bench.queue, &delivery, LEASE).await.unwrap() else {
        panic!("the lease was ours")
    };
    bench.let_pass(SHORT * 2);
    assert!(bench.queues.receive(&bench.queue, 1, LEASE).await.unwrap().is_empty());
    delivery.receipt = receipt;
    let Leased::Yes(_) = bench.queues.renew(&bench.queue, &delivery, Duration::ZERO).await.unwrap() else {
        panic!("the renewed lease was ours")
    };
    let again = bench.receive_some(1, LEASE).await;
    assert_eq!(bytes_of(&again[0]), b"long work");
}

async fn a_lease_given_back_makes_the_message_visible_at_once(bench: &Bench) {
    send(bench, "not now").await;
    let delivery = bench.receive_some(1, LEASE).await.remove(0);
    assert!(matches!(bench.queues.renew(&bench.queue, &delivery, Duration::ZERO).await.unwrap(), Leased::Yes(_)));
    assert_eq!(bench.receive_some(1, LEASE).await[0].dequeue_count, 2);
}

async fn a_lost_lease_is_reported(bench: &Bench) {
    send(bench, "contested").await;
    let first = bench.receive_some(1, SHORT).await.remove(0);
    bench.let_pass(SHORT);
    let second = bench.receive_some(1, LEASE).await.remove(0);
    assert_eq!(bench.queues.renew(&bench.queue, &first, LEASE).await.unwrap(), Leased::Lost);
    assert_eq!(bench.queues.delete(&bench.queue, &first).await.unwrap(), Leased::Lost);
    assert_eq!(bench.queues.delete(&bench.queue, &second).await.unwrap(), Leased::Yes(()));
    assert_eq!(bench.queues.renew(&bench.queue, &second, LEASE).await.unwrap(), Leased::Lost);
}

async fn a_deleted_message_is_gone(bench: &Bench) {
    send(bench, "done").await;
    let delivery = bench.receive_some(1, SHORT).await.remove(0);
    assert_eq!(bench.queues.delete(&bench.queue, &delivery).await.unwrap(), Leased::Yes(()));
    assert_eq!(bench.queues.delete(&bench.queue, &delivery).await.unwrap(), Leased::Lost);
    bench.let_pass(SHORT * 2);
    assert_eq!(bench.queues.count(&bench.queue).await.unwrap(), 0);
}

async fn a_delayed_message_is_counted_and_not_seen(bench: &Bench) {
    let delay = Duration::from_secs(2);
    bench.queues.send(&bench.queue, vec![Outgoing::after(delay, "later")]).await.unwrap();
    assert!(bench.queues.receive(&bench.queue, 32, LEASE).await.unwrap().is_empty());
    assert_eq!(bench.queues.count(&bench.queue).await.unwrap(), 1);
    bench.let_pass(delay);
    assert_eq!(bytes_of(&bench.receive_some(32, LEASE).await[0]), b"later");
}

async fn a_message_never_expires(bench: &Bench) {
    // With a delay of nearly a week, only a time to live of more than a week or "never" would be accepted.
    bench.queues.send(&bench.queue, vec![Outgoing::after(MAX_DELAY * 2, "next week")]).await.unwrap();
    assert_eq!(bench.queues.count(&bench.queue).await.unwrap(), 1);
    if bench.clock_can_move() {
        bench.let_pass(Duration::from_secs(400 * 24 * 3600));
        assert_eq!(bytes_of(&bench.receive_some(1, LEASE).await[0]), b"next week");
    } else {
        let expires = crate::azurite::expiry_of_first_message(bench).await;
        assert_eq!(expires, 9999, "the year in which the message expires");
    }
}

async fn the_largest_body_fits_and_one_byte_more_does_not(bench: &Bench) {
    let largest = vec![b'x'; MAX_BODY_BYTES];
    bench.queues.send(&bench.queue, vec![Outgoing::now(largest.clone())]).await.unwrap();
    let refused = bench.queues.send(&bench.queue, vec![Outgoing::now(vec![b'x'; MAX_BODY_BYTES + 1])]).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { bytes: 49_153, limit: 49_152, .. })), "{refused:?}");
    assert!(bench.drain().await == [largest]);
}

async fn any_bytes_come_back_as_they_were(bench: &Bench) {
    let bodies = [vec![], vec![0, 255, 128], b"<a>&]]>\r\n \t".to_vec(), "\u{e4}\u{1f600}".as_bytes().to_vec()];
    bench.queues.send(&bench.queue, bodies.iter().cloned().map(Outgoing::now).collect()).await.unwrap();
    let drained: BTreeSet<_> = bench.drain().await.into_iter().collect();
    assert_eq!(drained, BTreeSet::from(bodies));
}

async fn no_more_than_32_messages_come_at_once(bench: &Bench) {
    bench.queues.send(&bench.queue, (0..40).map(|i| Outgoing::now(format!("{i}"))).collect()).await.unwrap();
    assert_eq!(bench.queues.receive(&bench.queue, 33, LEASE).await.unwrap().len(), 32);
    assert_eq!(bench.queues.receive(&bench.queue, 0, LEASE).await.unwrap().len(), 1);
    assert_eq!(bench.queues.receive(&bench.queue, u32::MAX, LEASE).await.unwrap().len(), 7);
}

async fn many_messages_are_sent_with_one_call(bench: &Bench) {
    bench.queues.send(&bench.queue, Vec::new()).await.unwrap();
    bench.queues.send(&bench.queue, (0..100).map(|i| Outgoing::now(format!("{i}"))).collect()).await.unwrap();
    assert_eq!(bench.queues.count(&bench.queue).await.unwrap(), 100);
    let drained: BTreeSet<_> = bench.drain().await.into_iter().collect();
    assert_eq!(drained.len(), 100);
}

async fn a_queue_that_was_not_made_is_missing(bench: &Bench) {
    send(bench, "elsewhere").await;
    let delivery = bench.receive_some(1, LEASE).await.remove(0);
    let queue = format!("{}-no", bench.queue);
    let missing = [
        bench.queues.send(&queue, vec![Outgoing::now("x")]).await,
        bench.queues.receive(&queue, 1, LEASE).await.map(drop),
        bench.queues.count(&queue).await.map(drop),
        bench.queues.renew(&queue, &delivery, LEASE).await.map(drop),
        bench.queues.delete(&queue, &delivery).await.map(drop),
    ];
    for outcome in missing {
        assert!(matches!(outcome, Err(StoreError::Missing { .. })), "{outcome:?}");
    }
    assert_eq!(bench.queues.count(&bench.queue).await.unwrap(), 1);
}

async fn odd_queue_names_are_refused(bench: &Bench) {
    for queue in ["", "ab", "Upper", "a/b", "../x", "a--b", "-ab", &"x".repeat(64)] {
        let ensured = bench.queues.ensure_queue(queue).await;
        let sent = bench.queues.send(queue, vec![Outgoing::now("x")]).await;
        for outcome in [ensured, sent] {
            assert!(matches!(outcome, Err(StoreError::Invalid { .. })), "{queue:?}: {outcome:?}");
        }
    }
}
