//! Delivery of change notifications: raised, packed, duplicated, lost and retried.

use std::collections::BTreeSet;

use graph_sim::{ExpiryOffset, NotificationMode, SequenceNumbers, SimConfig};
use serde_json::json;

use crate::helpers::{Receiver, bench, members, sample};

#[tokio::test]
async fn a_photo_change_is_reported_with_the_documented_members() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    bench.sim.set(|settings| {
        settings.sequence_numbers = SequenceNumbers::Number;
        settings.offsets = ExpiryOffset::Zero;
    });
    let subscription = bench.subscribe(&receiver.url).await;
    let id = bench.first_user();
    bench.sim.tenant().change_photo(id).unwrap();
    bench.sim.idle().await;
    let items = receiver.items();
    assert_eq!(items.len(), 1);
    assert_eq!(members(&items[0]), members(&sample("notification")));
    assert_eq!(members(&items[0]["resourceData"]), members(&sample("notification")["resourceData"]));
    assert_eq!(items[0]["resource"], json!(format!("Users/{id}")));
    assert_eq!(items[0]["subscriptionId"], json!(subscription));
    assert_eq!(items[0]["clientState"], "a-secret-state");
    assert_eq!(items[0]["tenantId"], json!(bench.sim.tenant_id()));
    assert!(items[0]["resourceData"]["sequenceNumber"].is_u64());
    assert!(items[0]["subscriptionExpirationDateTime"].as_str().unwrap().ends_with("+00:00"));
    bench.end().await;
}

#[tokio::test]
async fn photo_changes_can_be_silent_while_other_changes_are_reported() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    bench.sim.set(|settings| settings.notify = NotificationMode::Never);
    bench.sim.tenant().change_photo(bench.first_user()).unwrap();
    bench.sim.idle().await;
    assert!(receiver.items().is_empty());
    bench.sim.tenant().touch(bench.first_user()).unwrap();
    bench.sim.idle().await;
    assert_eq!(receiver.items().len(), 1);
    bench.end().await;
}

#[tokio::test]
async fn late_notifications_wait_until_they_are_flushed() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    bench.sim.set(|settings| {
        settings.notify = NotificationMode::Late;
        settings.time_scale = 10.0;
    });
    bench.sim.tenant().change_photo(bench.first_user()).unwrap();
    assert!(!bench.sim.pending_notifications().is_empty());
    bench.sim.flush().await;
    assert_eq!(receiver.people().len(), 1);
    assert!(bench.sim.pending_notifications().is_empty());
    bench.end().await;
}

#[tokio::test]
async fn collected_notifications_are_packed_and_can_be_reordered() {
    let (bench, receiver) = (bench(SimConfig { users: 50, ..SimConfig::default() }).await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    bench.sim.set(|settings| {
        settings.items_per_post = [20, 20];
        settings.reorder = true;
        settings.posts_at_once = 1;
    });
    bench.sim.pause_notifications();
    let ids = bench.sim.tenant().user_ids();
    for id in &ids {
        bench.sim.tenant().change_photo(*id).unwrap();
    }
    assert_eq!(bench.sim.pending_notifications().len(), 50);
    bench.sim.resume_notifications();
    bench.sim.idle().await;
    let sizes: Vec<_> = receiver.posts().iter().map(|post| post["value"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [20, 20, 10]);
    let order: Vec<_> =
        receiver.items().iter().map(|item| item["resourceData"]["id"].as_str().unwrap().to_owned()).collect();
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    assert_ne!(order, ids);
    assert_eq!(order.iter().collect::<BTreeSet<_>>(), ids.iter().collect::<BTreeSet<_>>());
    bench.end().await;
}

#[tokio::test]
async fn notifications_can_be_duplicated_and_lost() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    bench.sim.set(|settings| settings.duplicates = 1.0);
    bench.sim.tenant().change_photo(bench.first_user()).unwrap();
    bench.sim.idle().await;
    let copies = receiver.items().len();
    assert!((2..=3).contains(&copies));
    bench.sim.set(|settings| {
        settings.duplicates = 0.0;
        settings.loss = 1.0;
    });
    bench.sim.tenant().change_photo(bench.first_user()).unwrap();
    bench.sim.idle().await;
    assert_eq!(receiver.items().len(), copies);
    let tally = bench.sim.notification_tally();
    assert_eq!((tally.lost, tally.delivered, tally.raised), (1, copies as u64, copies as u64 + 1));
    bench.end().await;
}

#[tokio::test]
async fn what_was_not_accepted_in_time_is_sent_again() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    receiver.respond_next(&[Some(503), None, Some(404), Some(202)]);
    bench.sim.tenant().change_photo(bench.first_user()).unwrap();
    bench.sim.idle().await;
    let posts = bench.sim.posts();
    let statuses: Vec<_> = posts.iter().map(|post| (post.attempt, post.status)).collect();
    assert_eq!(statuses, [(1, Some(503)), (2, None), (3, Some(404)), (4, Some(202))]);
    assert_eq!((receiver.posts().len(), receiver.people().len()), (4, 1));
    assert_eq!(bench.sim.notification_tally().delivered, 1);
    bench.end().await;
}

#[tokio::test]
async fn hours_of_failure_end_in_giving_up() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    bench.sim.set(|settings| settings.time_scale = 0.000_1);
    receiver.respond_next(&[Some(500); 1000]);
    bench.sim.tenant().change_photo(bench.first_user()).unwrap();
    bench.sim.idle().await;
    let tally = bench.sim.notification_tally();
    assert_eq!((tally.given_up, tally.delivered), (1, 0));
    assert!(tally.failed_posts >= 2);
    bench.end().await;
}

#[tokio::test]
async fn a_deleted_subscription_receives_nothing_more() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    let id = bench.subscribe(&receiver.url).await;
    bench.sim.pause_notifications();
    bench.sim.tenant().change_photo(bench.first_user()).unwrap();
    bench.json(204, reqwest::Method::DELETE, &format!("/subscriptions/{id}"), None).await;
    bench.sim.flush().await;
    assert!(receiver.items().is_empty());
    assert_eq!(bench.sim.notification_tally().discarded, 1);
    bench.end().await;
}

#[tokio::test]
async fn permanent_deletion_is_reported_only_to_subscriptions_of_deleted() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    let ids = bench.sim.tenant().user_ids();
    bench.sim.tenant().delete_user(ids[0], true).unwrap();
    bench.sim.tenant().delete_user(ids[1], false).unwrap();
    bench.sim.idle().await;
    assert_eq!(receiver.people(), BTreeSet::from([ids[1].to_string()]));
    bench.end().await;
}

#[tokio::test]
async fn a_put_through_graph_is_reported_too() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    let url = format!("{}/users/{}/photo/$value", bench.sim.graph_url(), bench.first_user());
    let picture = crate::helpers::picture(100, 100, 3);
    let put = bench.http.put(url).bearer_auth(&bench.people_token).header("Content-Type", "image/jpeg").body(picture);
    assert_eq!(put.send().await.unwrap().status(), 200);
    bench.sim.idle().await;
    assert_eq!(receiver.items().len(), 1);
    bench.end().await;
}
