//! Users who are managed in the cloud and provisioned to the directory: the object has to name them where that is required,
//! and a domain controller that keeps them from being changed by others is understood.

use photorelay_agent::agent::Agent;
use photorelay_agent::connectors::ldap::{LdapConnector, LdapSettings};
use photorelay_core::consumer::DrainError;
use photorelay_core::contract::Outcome;
use photorelay_core::diagnosis::{CheckResult, Level};
use photorelay_core::id::UserId;
use testkit::process::until;
use testkit::samba::{Account, Samba};
use testkit::world::{Setup, Store, World, guid};
use tokio_util::sync::CancellationToken;

use crate::agent_work::{announced, daily};
use crate::directory::{self, agent};
use crate::ldap_proxy::Repeating;

const EXTERNAL_ID: &str = "msDS-ExternalDirectoryObjectId";
const POLICY: &str = "CN=Cloud,CN=SOA-Policies,CN=System,DC=contoso,DC=test";
/// Of which no domain controller of the tests knows an account.
const STALE: &str = "99999";

/// A tenant in which users who are managed in the cloud are carried, and an agent that requires the external ID.
async fn requiring(samba: &Samba) -> World {
    let sim = graph_sim::SimConfig { users: 0, with_photo: 0.0, ..Default::default() };
    let edit = |config: &mut photorelay::config::AppConfig| config.scope.cloud_managed = true;
    let mut world = World::with(Setup { sim, edit, ..Setup::default() }).await;
    world.agent = agent(&world, LdapSettings { require_external_id: true, ..samba.settings() }, false);
    world
}

async fn provisioned(world: &World, samba: &Samba, name: &str, external_id: Option<&str>) -> (UserId, Account) {
    let user = UserId::from_uuid(world.sim.tenant().add_cloud_only());
    let account = samba.add(name).await;
    let own = format!("User_{user}");
    if let Some(external_id) = external_id {
        samba.set(&account, EXTERNAL_ID, external_id.replace("{own}", &own).as_bytes()).await;
    }
    account.is_provisioned(world, user);
    (user, account)
}

#[tokio::test]
async fn a_required_external_id_that_is_absent_or_another_users_refuses_and_the_right_one_gets_the_photo() {
    let samba = Samba::shared().await;
    let world = requiring(&samba).await;
    let (right, jane) = provisioned(&world, &samba, "Jane", Some("{own}")).await;
    let (absent, john) = provisioned(&world, &samba, "John", None).await;
    let (other, jack) = provisioned(&world, &samba, "Jack", Some(&format!("User_{right}"))).await;
    for user in [right, absent, other] {
        world.sim.tenant().change_photo(guid(user)).unwrap();
    }
    world.settle().await;

    assert_eq!(world.receipt(right, 1).await.unwrap().outcome, Outcome::Written);
    assert!(samba.photo(&jane).await.is_some());
    for (user, account, why) in [(absent, &john, "has no msDS-"), (other, &jack, "names another object")] {
        let receipt = world.receipt(user, 1).await.unwrap();
        assert_eq!((receipt.outcome, samba.photo(account).await), (Outcome::Refused, None));
        assert!(receipt.reason.as_deref().is_some_and(|reason| reason.contains(why)), "{:?}", receipt.reason);
    }

    samba.set(&john, EXTERNAL_ID, format!("user_{absent}").as_bytes()).await;
    world.agent.full_reconciliation(daily()).run(&CancellationToken::new()).await.unwrap();
    assert_eq!(world.receipt(absent, 1).await.unwrap().outcome, Outcome::Written);
    assert!(samba.photo(&john).await.is_some() && samba.photo(&jack).await.is_none());
    world.end().await;
}

#[tokio::test]
async fn a_user_who_was_converted_and_provisioned_back_stays_the_same_user() {
    let samba = Samba::shared().await;
    let world = requiring(&samba).await;
    let user = UserId::from_uuid(world.sim.tenant().add_user());
    let jane = samba.add("Jane").await;
    jane.is(&world, 0, &jane.anchor());
    samba.set(&jane, EXTERNAL_ID, format!("User_{user}").as_bytes()).await;
    let change = async || {
        world.change(user).await;
        world.trail(user).await.len() as u32
    };
    let mut seqs = vec![change().await];
    world.sim.tenant().convert_to_cloud_managed(guid(user)).unwrap();
    seqs.push(change().await);
    jane.is_provisioned(&world, user);
    seqs.push(change().await);
    world.sim.tenant().roll_back_conversion(guid(user)).unwrap().synchronize().unwrap();
    seqs.push(change().await);
    assert_eq!(seqs, [1, 2, 3, 4]);
    for seq in seqs {
        assert_eq!(world.receipt(user, seq).await.unwrap().outcome, Outcome::Written, "{seq}");
    }
    world.end().await;
}

/// Jane's new photo waits, for an agent whose way to the domain controller leads through a proxy, which plays what a
/// domain controller does that enforces a policy. Samba does not.
async fn enforced(samba: &Samba) -> (World, Repeating, Agent, Account, UserId) {
    let world = directory::world(Store::Embedded, samba, false).await;
    let proxy = Repeating::before(samba).await;
    let settings = LdapSettings { servers: vec![proxy.url().parse().unwrap()], ..samba.settings() };
    let agent = agent(&world, settings, false);
    let jane = samba.add("Jane").await;
    let user = jane.is(&world, 0, &jane.anchor());
    announced(&world, &[user]).await;
    (world, proxy, agent, jane, user)
}

/// The policy with this mode and these entries, of the SIDs of the domain named by their last part.
async fn set_policy(samba: &Samba, domain: &str, mode: &str, entries: &[&str]) {
    let entries: String = entries.iter().map(|entry| format!("msDS-Settings: {domain}-{entry}\n")).collect();
    samba
        .change(&format!(
            "dn: {POLICY}\nchangetype: modify\nreplace: keywords\nkeywords: {mode}\n-\nreplace: msDS-Settings\n{entries}\n"
        ))
        .await;
}

async fn make_policy(samba: &Samba) {
    let (_, container) = POLICY.split_once(',').unwrap();
    samba
        .change(&format!(
            "dn: {container}\nchangetype: add\nobjectClass: container\n\n\
             dn: {POLICY}\nchangetype: add\nobjectClass: msDS-App-Configuration\nkeywords: Audit\n\n"
        ))
        .await;
}

/// The SID of the domain, and the last part of the agent's.
async fn agent_account(samba: &Samba) -> (String, String) {
    let dn = "CN=photorelay-agent,CN=Users,DC=contoso,DC=test";
    let sid = samba.sid(dn).await;
    let (domain, last) = sid.rsplit_once('-').unwrap();
    (domain.to_owned(), last.to_owned())
}

#[tokio::test]
async fn a_policy_that_keeps_users_in_the_cloud_pauses_the_agent_with_that_reason() {
    let samba = Samba::own().await;
    let (world, proxy, agent, jane, user) = enforced(&samba).await;
    let (domain, own) = agent_account(&samba).await;
    make_policy(&samba).await;
    set_policy(&samba, &domain, "Enforced", &["500"]).await;
    samba.set(&jane, "msDS-ObjectSoa", b"Cloud").await;

    // The code is not documented: whichever it is, the user is not refused for good, and the delegation is not blamed.
    for code in [50, 53, 19] {
        proxy.answer_changes(code);
        let reason = given_back(&agent).await;
        assert!(reason.contains(&format!("add {domain}-{own} to msDS-Settings of {POLICY}")), "{reason}");
        assert!(reason.contains(&format!("{code} ")) && !reason.contains("delegat"), "{reason}");
        assert_eq!(world.receipt(user, 1).await, None);
    }
    set_policy(&samba, &domain, "Enforced", &["500", &own, STALE]).await;
    let reason = given_back(&agent).await;
    assert!(reason.contains(&format!("exist: {domain}-{STALE}. Correct or remove")), "{reason}");

    set_policy(&samba, &domain, "Enforced", &["500", &own]).await;
    proxy.answer_changes(0);
    until(async || agent.drain().await.is_ok()).await;
    assert_eq!(world.receipt(user, 1).await.unwrap().outcome, Outcome::Written);
    world.end().await;
}

#[tokio::test]
async fn an_agent_that_has_written_is_not_paused_by_a_user_who_is_kept_in_the_cloud() {
    let samba = Samba::own().await;
    let (world, proxy, agent, jane, user) = enforced(&samba).await;
    agent.drain().await.unwrap();
    let (domain, own) = agent_account(&samba).await;
    make_policy(&samba).await;
    set_policy(&samba, &domain, "Enforced", &["500"]).await;
    samba.set(&jane, "msDS-ObjectSoa", b"Cloud").await;

    announced(&world, &[user]).await;
    proxy.answer_changes(50);
    agent.drain().await.unwrap();
    let receipt = world.receipt(user, 2).await.unwrap();
    let reason = receipt.reason.unwrap();
    assert_eq!(receipt.outcome, Outcome::Refused);
    assert!(reason.contains(&format!("add {domain}-{own} to msDS-Settings")), "{reason}");
    world.end().await;
}

#[tokio::test]
async fn who_is_not_marked_or_only_audited_is_refused_for_the_right_that_is_missing() {
    let samba = Samba::own().await;
    let (world, proxy, agent, jane, user) = enforced(&samba).await;
    let (domain, _) = agent_account(&samba).await;
    make_policy(&samba).await;
    set_policy(&samba, &domain, "Enforced", &["500"]).await;
    proxy.answer_changes(50);
    agent.drain().await.unwrap();
    assert_eq!(world.receipt(user, 1).await.unwrap().outcome, Outcome::Refused, "not marked");

    samba.set(&jane, "msDS-ObjectSoa", b"Cloud").await;
    set_policy(&samba, &domain, "Audit", &["500"]).await;
    announced(&world, &[user]).await;
    agent.drain().await.unwrap();
    let receipt = world.receipt(user, 2).await.unwrap();
    assert!(receipt.outcome == Outcome::Refused && receipt.reason.unwrap().contains("no delegation"), "audited");
    world.end().await;
}

#[tokio::test]
async fn doctor_reads_the_policy_and_says_what_to_add() {
    let samba = Samba::own().await;
    let (domain, own) = agent_account(&samba).await;
    let jane = samba.add("Jane").await;
    let target = LdapConnector::new(samba.settings());
    let check = async || -> (Level, String) {
        let found = target.run_checks().await.into_iter().find(|check| check.check == "object enforcement");
        let CheckResult { level, says, fix, .. } = found.expect("it is checked");
        (level, format!("{says}: {}", fix.unwrap_or_default()))
    };
    assert!(matches!(&check().await, (Level::Ok, says) if says.contains("no policy is seen")));

    make_policy(&samba).await;
    set_policy(&samba, &domain, "Enforced", &["500"]).await;
    let (level, says) = check().await;
    assert!(level == Level::Warning && says.contains("0 users in scope are marked"), "{says}");
    samba.set(&jane, "msDS-ObjectSoa", b"Cloud").await;
    let (level, says) = check().await;
    assert!(level == Level::Error && says.contains("1 user in scope is marked"), "{says}");
    assert!(says.contains(&format!("add {domain}-{own} to")) && says.contains("(63 of 64 entries are free)"), "{says}");

    // 513 is the group of all users of the domain.
    for entries in [&["500", own.as_str()][..], &["513"]] {
        set_policy(&samba, &domain, "Enforced", entries).await;
        let (level, says) = check().await;
        assert!(level == Level::Ok && says.contains("is among its entries"), "{says}");
    }
    set_policy(&samba, &domain, "Enforced", &[STALE, &own]).await;
    let (level, says) = check().await;
    assert!(level == Level::Error && says.contains(&format!("exist: {domain}-{STALE}. ")), "{says}");
    set_policy(&samba, &domain, "Audit", &["500"]).await;
    let (level, says) = check().await;
    assert!(level == Level::Warning && says.contains("logs changes by others"), "{says}");
}

#[tokio::test]
async fn doctor_says_how_many_users_have_the_required_external_id() {
    let samba = Samba::shared().await;
    let jane = samba.add("Jane").await;
    let target = LdapConnector::new(LdapSettings { require_external_id: true, ..samba.settings() });
    let check = async || {
        let found = target.run_checks().await.into_iter().find(|check| check.check == "external id").unwrap();
        (found.level, found.says)
    };
    let (level, says) = check().await;
    assert!(level == Level::Error && says.contains("none of 1 user tried has msDS-External"), "{says}");
    samba.set(&jane, EXTERNAL_ID, b"User_1").await;
    let (level, says) = check().await;
    assert!(level == Level::Ok && says.contains("1 of 1 user tried"), "{says}");
}

async fn given_back(agent: &Agent) -> String {
    match agent.drain().await {
        Err(DrainError::GivenBack { reason }) => reason,
        other => panic!("{other:?}"),
    }
}
