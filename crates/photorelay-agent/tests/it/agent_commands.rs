//! `photorelay-agent doctor`, `plan` and `drift` against a real domain controller: what they report is true, and they
//! write nothing.

use serde_json::Value;
use testkit::process::text;
use testkit::process::{Variables, agent_command};
use testkit::world::{Store, World, fixture, guid};

use crate::directory;
use testkit::samba::{Account, Samba};

/// Four users: up to date, missing, different and foreign, in this order.
async fn differing(world: &World, samba: &Samba) -> Vec<Account> {
    let mut accounts = Vec::new();
    for at in 0..4 {
        let account = samba.add(&format!("Person {at}")).await;
        let user = account.is(world, at, &account.anchor());
        world.sim.tenant().change_photo(guid(user)).unwrap();
        accounts.push(account);
    }
    world.settle().await;
    let earlier = samba.photo(&accounts[2]).await.unwrap();
    world.sim.tenant().change_photo(guid(world.user(2))).unwrap();
    world.settle().await;
    samba.change(&format!("dn: {}\nchangetype: modify\ndelete: thumbnailPhoto\n", accounts[1].dn)).await;
    samba.set(&accounts[2], "thumbnailPhoto", &earlier).await;
    samba.set(&accounts[3], "thumbnailPhoto", &fixture("astronaut-96.jpg")).await;
    accounts
}

fn target(samba: &Samba) -> Variables {
    samba.variables(&format!("{}:636", samba.address))
}

#[tokio::test]
async fn drift_tells_who_differs_and_has_them_looked_at_again() {
    let samba = Samba::shared().await;
    let world = directory::world(Store::Embedded, &samba, false).await;
    let accounts = differing(&world, &samba).await;
    let state = async || {
        let mut photos = Vec::new();
        for account in &accounts {
            photos.push(samba.photo(account).await);
        }
        photos
    };
    let before = state().await;

    let drift = agent_command(&world, &target(&samba), &["drift"]).await;
    let printed = text(&drift.stdout);
    assert_eq!(drift.status.code(), Some(2), "{printed}{}", text(&drift.stderr));
    for (at, word) in [(1, "missing"), (2, "different"), (3, "foreign")] {
        let line = printed.lines().find(|line| line.starts_with(&world.user(at).to_string()));
        assert!(line.is_some_and(|line| line.contains(word)), "{word} is missing in\n{printed}");
    }
    let last = printed.lines().last().unwrap();
    assert!(last.starts_with("4 people, 3 differ, 1 different, 1 foreign, 1 missing; "), "{printed}");
    assert!(last.ends_with(" kB to write, to every domain controller"), "{printed}");
    assert_eq!(state().await, before, "to compare is to write nothing");

    let fixed = agent_command(&world, &target(&samba), &["drift", "--fix"]).await;
    assert!(fixed.status.success() && text(&fixed.stdout).contains("3 announced again"), "{}", text(&fixed.stdout));
    let worked = agent_command(&world, &target(&samba), &["once"]).await;
    assert!(worked.status.success(), "{}", text(&worked.stderr));
    let after = agent_command(&world, &target(&samba), &["drift"]).await;
    // The value of somebody else waits for an operator.
    assert!(
        text(&after.stdout).contains("4 people, 1 differs, 1 foreign, 1 waits for an operator"),
        "{}",
        text(&after.stdout)
    );
    world.end().await;
}

#[tokio::test]
async fn plan_says_what_would_be_written_and_writes_nothing() {
    let samba = Samba::shared().await;
    let world = directory::world(Store::Embedded, &samba, false).await;
    let accounts = differing(&world, &samba).await;
    let would = ["leave it as it is", "write ", "write ", "wait for an operator"];
    for (at, would) in would.into_iter().enumerate() {
        let before = samba.photo(&accounts[at]).await;
        let plan = agent_command(&world, &target(&samba), &["plan", &world.user(at).to_string()]).await;
        let printed = text(&plan.stdout);
        assert!(plan.status.success(), "{printed}{}", text(&plan.stderr));
        assert!(printed.contains(&format!("would   {would}")), "{would:?} is missing in\n{printed}");
        assert_eq!(samba.photo(&accounts[at]).await, before);
    }
    world.end().await;
}

#[tokio::test]
async fn doctor_tries_the_storage_the_directory_and_the_right_to_write() {
    let samba = Samba::shared().await;
    let world = directory::world(Store::Embedded, &samba, false).await;
    let user = differing(&world, &samba).await.len() - 1;
    let person = world.user(user).to_string();
    let well = agent_command(&world, &target(&samba), &["doctor", &person]).await;
    let printed = text(&well.stdout);
    assert!(well.status.success(), "{printed}{}", text(&well.stderr));
    for word in [
        "signed in to dc1.contoso.test",
        "thumbnailPhoto takes 102400 bytes",
        "dc1.contoso.test takes changes",
        "mS-DS-ConsistencyGuid has no index",
        "the domain controller's differs by ",
        "may write thumbnailPhoto of 4 of 4 users tried\n",
        "sees thumbnailPhoto of 3 of 4 users tried\n",
        "shows no replication metadata",
    ] {
        assert!(printed.contains(word), "{word} is missing in\n{printed}");
    }
    assert!(printed.contains("wait for an operator") && printed.ends_with("0 errors, 0 warnings\n"), "{printed}");

    let level = async |change: (&'static str, &str), check: &str| {
        let mut settings = target(&samba);
        settings.retain(|(name, _)| *name != change.0);
        settings.push((change.0, change.1.to_owned()));
        let output = agent_command(&world, &settings, &["doctor", "--json"]).await;
        assert_eq!(output.status.code(), Some(2));
        let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = findings.as_array().unwrap().iter().find(|finding| finding["check"] == check);
        let found = found.unwrap_or_else(|| panic!("{check} is missing in {findings:#}"));
        assert!(found["mend"].is_string(), "{found}");
        found["level"].as_str().unwrap().to_owned()
    };
    assert_eq!(level(("PHOTORELAY_LDAP_ATTRIBUTE", "thumbnailLogo"), "rights").await, "error");
    assert_eq!(level(("PHOTORELAY_LDAP_URLS", "ldaps://127.0.0.1:1"), "directory").await, "error");
    assert_eq!(level(("PHOTORELAY_LDAP_URLS", "ldaps://127.0.0.1:3269"), "server").await, "error");
    assert_eq!(level(("PHOTORELAY_LDAP_BASE_DN", "DC=nowhere"), "users").await, "error");
    assert_eq!(level(("PHOTORELAY_LDAP_SCOPE_UNITS", "OU=Nowhere,DC=contoso,DC=test"), "scope").await, "error");
    assert_eq!(level(("PHOTORELAY_TARGETS", "none at all"), "configuration").await, "error");
    world.end().await;
}

#[tokio::test]
async fn a_machine_without_ca_certificates_gets_one_advice_and_that_is_the_right_one() {
    let samba = Samba::shared().await;
    let world = directory::world(Store::Embedded, &samba, false).await;
    let mut settings = target(&samba);
    settings.retain(|(name, _)| *name != "PHOTORELAY_LDAP_CA_FILE");
    settings.push(("SSL_CERT_FILE", "/dev/null".to_owned()));
    settings.push(("SSL_CERT_DIR", "/nowhere".to_owned()));
    let doctor = agent_command(&world, &settings, &["doctor"]).await;
    let printed = text(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(2));
    assert!(
        printed.contains("this machine has no CA certificates") && printed.contains("ca-certificates"),
        "{printed}"
    );
    assert!(!printed.contains("firewall") && printed.ends_with("1 error, 0 warnings\n"), "{printed}");
    let once = agent_command(&world, &settings, &["once"]).await;
    assert!(!once.status.success() && text(&once.stderr).contains("ca-certificates"), "{}", text(&once.stderr));
    world.end().await;
}

#[tokio::test]
async fn doctor_warns_where_no_photo_can_be_seen() {
    let samba = Samba::shared().await;
    let world = directory::world(Store::Embedded, &samba, false).await;
    samba.add("Jane").await;
    let doctor = agent_command(&world, &target(&samba), &["doctor"]).await;
    let printed = text(&doctor.stdout);
    assert!(printed.contains("warning right to read") && printed.contains("RPWP"), "{printed}");
    world.end().await;
}

#[tokio::test]
async fn doctor_judges_a_domain_with_more_users_than_it_asks_for() {
    let samba = Samba::shared().await;
    let world = directory::world(Store::Embedded, &samba, false).await;
    samba.add_many(130).await;
    let doctor = agent_command(&world, &target(&samba), &["doctor"]).await;
    let printed = text(&doctor.stdout);
    assert!(printed.contains("may write thumbnailPhoto of 100 of 100 users tried\n"), "{printed}");
    assert!(doctor.status.success(), "{printed}");
    world.end().await;
}

#[tokio::test]
async fn doctor_warns_where_entra_connect_may_carry_our_copies_back_up() {
    let samba = Samba::own().await;
    let world = directory::world(Store::Embedded, &samba, false).await;
    samba.add_called(&format!("CN=MSOL_0123456789ab,{}", samba.unit), "MSOL_0123456789ab").await;
    let printed = agent_command(&world, &target(&samba), &["doctor"]).await;
    let printed = text(&printed.stdout);
    assert!(printed.contains("warning loop") && printed.contains("photoUpdateSettings"), "{printed}");
    world.end().await;
}
