//! A domain controller that is slow, breaks off, sends more than was asked for, or holds what is too large: no user gets
//! a wrong photo, and what was not written is written later.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use photorelay_agent::agent::{Agent, OnceError};
use photorelay_agent::connectors::ldap::{LdapConnector, LdapSettings};
use photorelay_agent::connectors::{Connector, ConnectorError, Replacement};
use photorelay_core::consumer::DrainError;
use photorelay_core::contract::Outcome;
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container, WRITEBACKS_QUEUE};
use photorelay_core::photo::RenditionSpec;
use testkit::process::until;
use testkit::world::{Setup, Store, World, guid};
use tokio_util::sync::CancellationToken;

use crate::agent_work::daily;
use crate::directory::{agent, any_user, entry_of, identity, world};
use crate::ldap_proxy::Repeating;
use crate::tcp::Relay;
use testkit::samba::{Account, Samba};

/// The way to the domain controller leads through the relay, and the agent waits a second for an answer.
fn impatient(samba: &Samba, relay: &Relay) -> LdapSettings {
    let server = format!("ldaps://{}", relay.address()).parse().unwrap();
    LdapSettings { servers: vec![server], timeout: Duration::from_secs(1), ..samba.settings() }
}

/// Jane's new photo waits to be written, and the way to her account leads through a relay.
async fn waiting() -> (World, Samba, Relay, Account, UserId) {
    let samba = Samba::shared().await;
    let world = world(Store::Embedded, &samba, false).await;
    let jane = samba.add("Jane").await;
    let user = jane.is(&world, 0, &jane.anchor());
    crate::agent_work::announced(&world, &[user]).await;
    let relay = Relay::before(&samba.address, 636).await;
    (world, samba, relay, jane, user)
}

/// Jane's new photo waits to be written, by an agent whose way to the domain controller leads through a proxy.
async fn proxied() -> (World, Repeating, Agent, UserId) {
    let samba = Samba::shared().await;
    let world = world(Store::Embedded, &samba, false).await;
    let proxy = Repeating::before(&samba).await;
    let server = proxy.url().parse().unwrap();
    let agent = agent(&world, LdapSettings { servers: vec![server], ..samba.settings() }, false);
    let jane = samba.add("Jane").await;
    let user = announced(&world, &jane).await;
    (world, proxy, agent, user)
}

#[tokio::test]
async fn a_domain_controller_that_does_not_answer_pauses_the_agent_and_burns_no_delivery() {
    let (world, samba, relay, jane, user) = waiting().await;
    let agent = agent(&world, impatient(&samba, &relay), false);
    relay.silence(true);
    for _ in 0..2 {
        assert!(matches!(agent.drain().await, Err(DrainError::GivenBack { .. })));
        let waiting = world.storage().queues.count(WRITEBACKS_QUEUE).await.unwrap();
        assert_eq!((waiting, samba.photo(&jane).await), (1, None));
    }

    relay.silence(false);
    let delivery = world.storage().queues.receive(WRITEBACKS_QUEUE, 1, Duration::ZERO).await.unwrap().remove(0);
    assert_eq!(delivery.dequeue_count, 1, "a time when nothing works burns no delivery");
    until(async || agent.drain().await.is_ok() && world.receipt(user, 1).await.is_some()).await;
    assert_eq!(world.receipt(user, 1).await.unwrap().outcome, Outcome::Written);
    assert!(samba.photo(&jane).await.is_some());
    world.end().await;
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_found_done_and_not_done_again() {
    let (world, samba, relay, jane, user) = waiting().await;
    let target = LdapConnector::new(impatient(&samba, &relay));
    let (found, present) = target.find(any_user(), &identity(&jane)).await.unwrap();
    assert_eq!((&found, present), (&entry_of(&jane), None));
    let wanted = world.trail(user).await[0].entry.renditions[0].clone();
    let photo = world.trail(user).await[0].entry.photo.as_ref().unwrap().sha256;
    let blob = names::rendition(user, photo, &wanted.name, wanted.sha256);
    let photo = world.storage().blobs.get(Container::Photos, &blob, 1 << 20).await.unwrap().unwrap();

    // The connection for changes is there, and only its next answer is lost.
    let earlier = Bytes::from_static(b"\xff\xd8 earlier");
    assert_eq!(target.replace(&found, None, Some(&earlier)).await.unwrap(), Replacement::Done);
    relay.silence(true);
    let broken = async {
        until(async || samba.photo(&jane).await.is_some_and(|shown| shown == photo)).await;
        relay.cut();
    };
    let (answer, ()) = tokio::join!(target.replace(&found, Some(&earlier), Some(&photo)), broken);
    assert!(matches!(&answer, Err(ConnectorError::Down(_))), "{answer:?}");
    relay.silence(false);

    let agent = agent(&world, impatient(&samba, &relay), false);
    let written = samba.values(&jane.dn, "uSNChanged").await;
    until(async || agent.drain().await.is_ok()).await;
    let receipt = world.receipt(user, 1).await.unwrap();
    assert_eq!((receipt.outcome, receipt.after), (Outcome::Unchanged, Some(wanted.sha256)));
    assert_eq!(samba.values(&jane.dn, "uSNChanged").await, written, "nothing was written a second time");
    world.end().await;
}

#[tokio::test]
async fn of_ten_thousand_entries_in_place_of_one_only_the_first_are_judged_and_nobody_is_chosen() {
    let samba = Samba::shared().await;
    let jane = samba.add("Jane").await;
    let proxy = Repeating::before(&samba).await;
    let settings = LdapSettings { servers: vec![proxy.url().parse().unwrap()], ..samba.settings() };
    let target = LdapConnector::new(settings);
    assert_eq!(target.find(any_user(), &identity(&jane)).await.unwrap().0, entry_of(&jane));

    proxy.repeat_entries(10_000);
    let answer = target.find(any_user(), &identity(&jane)).await;
    assert!(matches!(&answer, Err(ConnectorError::Refused(_))), "{answer:?}");
    let answer = target.read(&entry_of(&jane)).await;
    assert!(matches!(&answer, Err(ConnectorError::Failed(_))), "{answer:?}");
    proxy.repeat_entries(1);
    assert_eq!(target.find(any_user(), &identity(&jane)).await.unwrap().0, entry_of(&jane), "by the same connection");
}

#[tokio::test]
async fn five_users_with_one_anchor_are_refused_and_nobody_else_waits_for_that() {
    let samba = Samba::shared().await;
    let world = world(Store::Embedded, &samba, false).await;
    let jane = samba.add("Jane").await;
    for name in ["Two", "Three", "Four", "Five"] {
        let other = samba.add(name).await;
        samba.set(&other, "mS-DS-ConsistencyGuid", &jane.guid).await;
    }
    let well = samba.add("Well").await;
    let (refused, written) = (jane.is(&world, 0, &jane.anchor()), well.is(&world, 1, &well.anchor()));
    for user in [refused, written] {
        world.sim.tenant().change_photo(guid(user)).unwrap();
    }
    world.settle().await;
    assert_eq!(world.receipt(refused, 1).await.unwrap().outcome, Outcome::Refused);
    assert_eq!(world.receipt(written, 1).await.unwrap().outcome, Outcome::Written);
    world.end().await;
}

#[tokio::test]
async fn a_server_that_refers_changes_to_another_pauses_the_agent_and_refuses_nobody() {
    let (world, proxy, agent, user) = proxied().await;

    proxy.answer_changes(10);
    match agent.drain().await {
        Err(DrainError::GivenBack { reason }) => {
            assert!(reason.contains("10 referral") && reason.contains("read-only"), "{reason}");
        }
        other => panic!("{other:?}, {:?}", world.receipt(user, 1).await),
    }
    assert_eq!(world.receipt(user, 1).await, None);
    proxy.answer_changes(0);
    until(async || agent.drain().await.is_ok()).await;
    assert_eq!(world.receipt(user, 1).await.unwrap().outcome, Outcome::Written);
    world.end().await;
}

#[tokio::test]
async fn an_account_that_may_write_and_not_read_the_photo_pauses_the_agent_with_that_reason() {
    let (world, proxy, agent, user) = proxied().await;

    proxy.hide("thumbnailPhoto", true).await;
    match agent.drain().await {
        Err(DrainError::GivenBack { reason }) => assert!(reason.contains("may write thumbnailPhoto but not read it")),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.receipt(user, 1).await, None);
    proxy.hide("thumbnailPhoto", false).await;
    until(async || agent.drain().await.is_ok()).await;
    assert_eq!(world.receipt(user, 1).await.unwrap().outcome, Outcome::Unchanged, "it was written before");
    world.end().await;
}

#[tokio::test]
async fn one_protected_account_is_refused_alone_and_written_once_it_may_be() {
    let (world, proxy, agent, user) = proxied().await;

    proxy.answer_changes(50);
    agent.drain().await.unwrap();
    assert_eq!(world.receipt(user, 1).await.unwrap().outcome, Outcome::Refused);
    proxy.answer_changes(0);
    agent.full_reconciliation(daily()).run(&CancellationToken::new()).await.unwrap();
    assert_eq!(world.receipt(user, 1).await.unwrap().outcome, Outcome::Written);
    assert_eq!(world.receipts(user, 1).await.len(), 2);
    world.end().await;
}

#[tokio::test]
async fn an_account_that_may_write_nobody_pauses_the_agent_and_refuses_nobody() {
    let samba = Samba::shared().await;
    let world = world(Store::Embedded, &samba, false).await;
    // Beside the unit that is delegated to the agent.
    let unit = samba.unit.replace(",OU=People,", ",");
    samba.change(&format!("dn: {unit}\nchangetype: add\nobjectClass: organizationalUnit\n")).await;
    let name = format!("n{}", &unit[3..17]);
    let jane = samba.add_called(&format!("CN={name},{unit}"), &name).await;
    let user = announced(&world, &jane).await;
    let outside = agent(&world, LdapSettings { base: unit, ..samba.settings() }, false);
    match outside.once().await {
        Err(OnceError::Drain(DrainError::GivenBack { reason })) => {
            assert!(reason.contains("may not write thumbnailPhoto of any of 1 user"), "{reason}");
        }
        other => panic!("{other:?}, {:?}", world.receipt(user, 1).await),
    }
    assert_eq!(world.receipt(user, 1).await, None, "it is not the user's fault");
    let status = world.app.watch.status(Timestamp::now()).await.unwrap();
    assert!(status.alerts.iter().any(|alert| alert.alert == "agent_paused"), "{:?}", status.alerts);

    let moved = samba.unit.clone();
    samba
        .change(&format!(
            "dn: {}\nchangetype: modrdn\nnewrdn: CN={name}\ndeleteoldrdn: 1\nnewsuperior: {moved}\n",
            jane.dn
        ))
        .await;
    world.agent.drain().await.unwrap();
    assert_eq!(world.receipts(user, 1).await.len(), 1);
    assert_eq!(world.receipt(user, 1).await.unwrap().outcome, Outcome::Written);
    world.end().await;
}

/// The user's new photo waits to be written.
async fn announced(world: &World, account: &Account) -> UserId {
    let user = account.is(world, 0, &account.anchor());
    crate::agent_work::announced(world, &[user]).await;
    user
}

#[tokio::test]
async fn a_value_that_is_larger_than_allowed_is_kept_and_replaced_by_one_that_is_not() {
    let samba = Samba::shared().await;
    let setup =
        Setup { edit: |config| config.capture.renditions.push(RenditionSpec::jpeg_photo()), ..Setup::default() };
    let mut world = World::with(setup).await;
    world.agent = agent(&world, LdapSettings { attribute: "jpegPhoto".to_owned(), ..samba.settings() }, false);
    let jane = samba.add("Jane").await;
    let huge = Bytes::from(vec![0xff; 5 * 1024 * 1024]);
    samba.set(&jane, "jpegPhoto", &huge).await;
    let user = jane.is(&world, 0, &jane.anchor());
    world.change(user).await;

    let receipt = world.receipt(user, 1).await.unwrap();
    assert_eq!((receipt.outcome, receipt.before), (Outcome::Written, Some(Digest::of(&huge))));
    let shown = samba.values(&jane.dn, "jpegPhoto").await;
    assert_eq!(shown.iter().map(|value| Digest::of(value)).collect::<Vec<_>>(), [receipt.after.unwrap()]);
    let kept = names::kept_value(user, Digest::of(&huge));
    let kept = world.storage().blobs.get(Container::Receipts, &kept, 1 << 24).await.unwrap();
    assert_eq!(kept.map(|kept| kept == huge), Some(true));
    world.end().await;
}
