//! Domains, groups and a pilot list: the same people are left out by the webhook, by a look and by the sweep, and who
//! enters the scope later is announced then.

use std::collections::BTreeSet;
use std::time::Duration;

use graph_sim::{ProvisionedAccount, SimApp, roles};
use photorelay::config::AppConfig;
use photorelay::jobs::scope::Scope;
use photorelay::jobs::sweep::{Run, SweepReport};
use photorelay_core::contract::{CaptureStatus, FetchPolicy};
use photorelay_core::id::{GroupId, UserId};
use photorelay_core::names::CHECKS_QUEUE;
use testkit::world::{Setup, World, guid};
use uuid::Uuid;

use crate::sweep::sweep_with;

/// A tenant of so many people, whose app may read groups.
async fn world(users: usize, edit: fn(&mut AppConfig)) -> World {
    let sim = graph_sim::SimConfig { users, ..Default::default() };
    let roles = [roles::USER_READ, roles::PHOTO_READ, roles::GROUP_MEMBERS_READ].map(str::to_owned).to_vec();
    let app = SimApp { roles, ..sim.app.clone() };
    World::with(Setup { sim: graph_sim::SimConfig { app, ..sim }, edit, ..Setup::default() }).await
}

async fn sweep(world: &World) -> SweepReport {
    world.app.sweep.run(&Run::default()).await.unwrap()
}

async fn entries(world: &World, at: usize) -> usize {
    world.trail(world.user(at)).await.len()
}

async fn exclusion(world: &World, at: usize) -> String {
    match world.head(world.user(at)).await.unwrap().capture_status {
        CaptureStatus::OutOfScope { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_user_whose_source_of_authority_is_in_the_cloud_is_carried_if_that_is_configured() {
    let world = world(3, |config| config.scope.cloud_managed = true).await;
    let tenant = world.sim.tenant();
    let ids: Vec<Uuid> = (0..2).map(|at| guid(world.user(at))).collect();
    let cloud_only = UserId::from_uuid(tenant.add_cloud_only());
    tenant.convert_to_cloud_managed(ids[0]).unwrap();
    assert_eq!(sweep(&world).await.population, 3, "in a full list, and whoever never was on premises is not in it");
    world.settle().await;
    assert_eq!(entries(&world, 0).await, 1);
    assert!(world.shows_newest(world.user(0)).await);

    tenant.convert_to_cloud_managed(ids[1]).unwrap();
    tenant.change_photo(ids[1]).unwrap();
    // The anchor is not among what Graph promises to keep; SID and account name identify the account without it.
    tenant.edit_user(ids[1], |user| user.on_premises_immutable_id = None).unwrap();
    assert_eq!(sweep(&world).await.left, 0);
    world.settle().await;
    assert_eq!(entries(&world, 1).await, 2);

    let rollback = tenant.roll_back_conversion(ids[0]).unwrap();
    tenant.change_photo(ids[0]).unwrap();
    world.settle().await;
    assert_eq!((entries(&world, 0).await, sweep(&world).await.left), (2, 0), "while the rollback lasts");
    rollback.synchronize().unwrap();
    tenant.change_photo(ids[0]).unwrap();
    world.settle().await;
    assert_eq!((entries(&world, 0).await, sweep(&world).await.left), (3, 0));

    tenant.change_photo(guid(cloud_only)).unwrap();
    world.settle().await;
    assert!(world.trail(cloud_only).await.is_empty());

    // Entra ID makes an account of them in the directory, and Graph shows it from then on.
    let account = ProvisionedAccount {
        distinguished_name: "CN=Jo,OU=Cloud,DC=contoso,DC=test".to_owned(),
        domain_name: "contoso.test".to_owned(),
        sam_account_name: "jo".to_owned(),
        security_identifier: "S-1-5-21-1-2-3-7001".to_owned(),
        user_principal_name: "jo@contoso.test".to_owned(),
    };
    tenant.provision(guid(cloud_only), account).unwrap();
    assert_eq!(sweep(&world).await.population, 4);
    world.settle().await;
    assert_eq!(world.trail(cloud_only).await.len(), 1, "who comes into scope is found by the sweep");
    assert!(world.shows_newest(cloud_only).await);
    world.end().await;
}

#[tokio::test]
async fn a_user_whose_source_of_authority_is_in_the_cloud_is_left_out_with_the_true_reason() {
    let world = world(1, |_| {}).await;
    let tenant = world.sim.tenant();
    let converted = guid(world.user(0));
    tenant.add_cloud_only();
    tenant.convert_to_cloud_managed(converted).unwrap();
    assert_eq!(sweep(&world).await.population, 0);
    for at in 0..2 {
        tenant.change_photo(guid(world.user(at))).unwrap();
    }
    world.settle().await;
    let reasons = [exclusion(&world, 0).await, exclusion(&world, 1).await];
    let of = |at: usize| reasons[usize::from(guid(world.user(at)) != converted)].as_str();
    assert!(of(0).contains("PHOTORELAY_SCOPE_CLOUD_MANAGED") && of(1).contains("never synchronised"), "{reasons:?}");
    world.end().await;
}

#[tokio::test]
async fn a_list_without_those_who_are_managed_in_the_cloud_is_made_anew_with_them() {
    let world = world(2, |_| {}).await;
    let tenant = world.sim.tenant();
    tenant.convert_to_cloud_managed(guid(world.user(0))).unwrap();
    assert_eq!(sweep(&world).await.population, 1);
    let scope = Scope { cloud_managed: true, ..Scope::default() };
    let with_them = sweep_with(&world, |settings| settings.scope = scope);
    let report = with_them.run(&Run::default()).await.unwrap();
    assert_eq!((report.population, report.is_full_list), (2, true));
    world.settle().await;
    world.end().await;
}

const GROUP: u128 = 0x6000_0000_0000_4000_8000_0000_0000_0001;
const PILOT: u128 = 0x7000_0000_0000_4000_8000_0000_0000_0002;

#[tokio::test]
async fn only_members_of_a_group_are_carried_and_who_joins_it_is_announced_then() {
    let world = world(3, |config| {
        let groups = vec![GroupId::from_uuid(Uuid::from_u128(GROUP))];
        config.scope = Scope { groups, ..Scope::default() };
    })
    .await;
    let tenant = world.sim.tenant();
    let ids: Vec<Uuid> = (0..3).map(|at| guid(world.user(at))).collect();
    let nested = tenant.add_group(&[ids[0]]);
    tenant.set_group(Uuid::from_u128(GROUP), &[nested]);

    assert_eq!(sweep(&world).await.population, 1);
    world.settle().await;
    // A hint about somebody outside leads to a look that notes why.
    tenant.change_photo(ids[1]).unwrap();
    world.settle().await;
    assert_eq!([entries(&world, 0).await, entries(&world, 1).await, entries(&world, 2).await], [1, 0, 0]);
    let head = world.head(world.user(1)).await.unwrap();
    assert!(
        matches!(head.capture_status, CaptureStatus::OutOfScope { ref reason } if reason.contains("PHOTORELAY_SCOPE_GROUPS"))
    );

    tenant.set_group(nested, &[ids[0], ids[1]]);
    let report = sweep(&world).await;
    assert_eq!((report.population, report.out_of_scope), (2, 1));
    world.settle().await;
    assert_eq!([entries(&world, 0).await, entries(&world, 1).await, entries(&world, 2).await], [1, 1, 0]);
    assert!(world.shows_newest(world.user(1)).await);

    // Who leaves is left alone: what is written stays, and nothing new comes.
    tenant.set_group(nested, &[ids[1]]);
    tenant.change_photo(ids[0]).unwrap();
    sweep(&world).await;
    world.settle().await;
    assert_eq!(entries(&world, 0).await, 1);
    world.end().await;
}

#[tokio::test]
async fn groups_that_take_longer_than_a_run_may_are_an_error_that_says_so() {
    let groups = [GROUP, GROUP + 1].map(|id| GroupId::from_uuid(Uuid::from_u128(id))).to_vec();
    let world = world(3, |_| {}).await;
    for group in &groups {
        world.sim.tenant().set_group(group.to_string().parse().unwrap(), &[guid(world.user(0))]);
    }
    let scope = Scope { groups, ..Scope::default() };
    let sweep = sweep_with(&world, |settings| settings.scope = scope);
    let run = || Run { time_limit: Some(Duration::ZERO), ..Run::default() };
    let error = sweep.run(&run()).await.unwrap_err();
    assert!(error.to_string().contains("PHOTORELAY_SCOPE_GROUPS"), "{error}");
    // Where listing alone took the time, the next run reads the groups.
    world.sim.set(|settings| (settings.delta_page, settings.delta_generation) = (1, 1));
    while sweep.run(&run()).await.is_ok_and(|report| report.is_listing) {}
    assert!(world.sim.requests().count("GET /v1.0/users/delta") > 3);
    let report = sweep.run(&Run::default()).await.unwrap();
    assert_eq!((report.population, report.is_complete), (1, true));
    world.settle().await;
    world.end().await;
}

#[tokio::test]
async fn a_pilot_list_keeps_the_hints_about_others_out_of_the_queue() {
    let world = world(3, |config| {
        let users = BTreeSet::from([UserId::from_uuid(Uuid::from_u128(PILOT))]);
        config.scope = Scope { users, ..Scope::default() };
    })
    .await;
    let tenant = world.sim.tenant();
    let mut pilot = tenant.user(guid(world.user(0))).unwrap();
    pilot.id = Uuid::from_u128(PILOT);
    pilot.user_principal_name = "pilot@contoso.test".to_owned();
    pilot.on_premises_sam_account_name = Some("pilot".to_owned());
    tenant.put_user(pilot);
    world.settle().await;
    tenant.change_photo(guid(world.user(1))).unwrap();
    world.sim.flush().await;
    assert_eq!(world.storage().queues.count(CHECKS_QUEUE).await.unwrap(), 0);
    assert_eq!(sweep(&world).await.population, 1);
    world.check(&[world.user(0), world.user(3)], FetchPolicy::Always).await;
    world.settle().await;
    assert_eq!([entries(&world, 0).await, entries(&world, 1).await, entries(&world, 3).await], [0, 0, 1]);
    world.end().await;
}

#[tokio::test]
async fn another_list_of_domains_makes_another_population() {
    let world = world(4, |config| config.scope.domains = BTreeSet::from(["emea.contoso.test".to_owned()])).await;
    let tenant = world.sim.tenant();
    let ids: Vec<Uuid> = (0..4).map(|at| guid(world.user(at))).collect();
    for id in &ids[..2] {
        tenant.edit_user(*id, |user| user.on_premises_domain_name = Some("EMEA.contoso.test".to_owned())).unwrap();
    }
    let first = sweep(&world).await;
    assert_eq!((first.population, first.is_full_list), (2, true));
    assert!(!sweep(&world).await.is_full_list);
    world.check(&[world.user(3)], FetchPolicy::Always).await;
    world.settle().await;
    assert_eq!([entries(&world, 0).await, entries(&world, 1).await, entries(&world, 3).await], [1, 1, 0]);

    tenant.edit_user(ids[2], |user| user.on_premises_domain_name = Some("emea.contoso.test".to_owned())).unwrap();
    let moved = sweep(&world).await;
    assert_eq!((moved.population, moved.joined, moved.is_full_list), (3, 1, false));
    world.settle().await;
    assert_eq!(entries(&world, 2).await, 1);
    world.end().await;
}
