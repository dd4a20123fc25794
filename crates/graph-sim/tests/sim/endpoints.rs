//! What happens to the notifications for an endpoint that responds slowly.

use std::time::Duration;

use graph_sim::{EndpointState, SimConfig};

use crate::helpers::{Bench, Receiver, bench};

const TEN_MINUTES: Duration = Duration::from_secs(600);

/// Limits that no response of the test comes near, and ten responses are enough to judge an endpoint.
async fn impatient() -> (Bench, Receiver) {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    bench.sim.set(|settings| {
        settings.first_answer_ms = 60_000;
        settings.retry_answer_ms = 120_000;
        settings.endpoint_samples = 10;
        settings.items_per_post = [1, 1];
        settings.posts_at_once = 1;
        settings.time_scale = 0.000_1;
    });
    (bench, receiver)
}

/// Makes `count` changes, each of which leads to one POST. `responses` are given first, then 202.
async fn changes(bench: &Bench, receiver: &Receiver, count: usize, responses: &[Option<u16>]) {
    receiver.respond_next(responses);
    for _ in 0..count {
        bench.sim.tenant().change_photo(bench.first_user()).unwrap();
        bench.sim.idle().await;
    }
}

fn state(bench: &Bench) -> EndpointState {
    let states = bench.sim.endpoints();
    assert_eq!(states.len(), 1, "{states:?}");
    *states.values().next().unwrap()
}

#[tokio::test]
async fn one_slow_response_in_ten_changes_nothing() {
    let (bench, receiver) = impatient().await;
    // The change without a response in time is sent again: ten POSTs, one of them slow.
    changes(&bench, &receiver, 9, &[None]).await;
    assert_eq!(state(&bench), EndpointState::Normal);
    bench.end().await;
}

#[tokio::test]
async fn more_than_a_tenth_over_the_first_limit_delays_new_notifications() {
    let (bench, receiver) = impatient().await;
    changes(&bench, &receiver, 8, &[None, Some(202), None]).await;
    assert_eq!(state(&bench), EndpointState::Slow);
    let before = receiver.items().len();
    bench.sim.set(|settings| settings.time_scale = 1.0);
    bench.sim.tenant().change_photo(bench.first_user()).unwrap();
    assert_eq!(bench.sim.pending_notifications().len(), 1);
    bench.sim.flush().await;
    assert_eq!(receiver.items().len(), before + 1, "late, not lost");
    bench.sim.advance(TEN_MINUTES);
    assert_eq!(state(&bench), EndpointState::Normal);
    bench.end().await;
}

#[tokio::test]
async fn more_than_15_percent_over_the_limit_of_a_retry_drops_new_notifications() {
    let (bench, receiver) = impatient().await;
    // The first attempts fail at once, the retries get no response at all.
    changes(&bench, &receiver, 4, &[Some(500), None, None, Some(202), Some(202), Some(202), Some(500)]).await;
    changes(&bench, &receiver, 2, &[]).await;
    assert_eq!(state(&bench), EndpointState::Drop);
    let before = receiver.items().len();
    changes(&bench, &receiver, 1, &[]).await;
    assert_eq!((receiver.items().len(), bench.sim.notification_tally().dropped), (before, 1));
    bench.sim.advance(TEN_MINUTES);
    changes(&bench, &receiver, 1, &[]).await;
    assert_eq!(receiver.items().len(), before + 1);
    bench.end().await;
}
