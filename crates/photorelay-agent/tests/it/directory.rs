//! Photos in Active Directory, in front of a real domain controller: the right user, the right bytes, or nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use photorelay_agent::agent::Agent;
use photorelay_agent::connectors::ldap::{LdapConnector, LdapSettings};
use photorelay_agent::connectors::{Connector, ConnectorError, EntryRef, Replacement};
use photorelay_agent::policy::{ForeignPolicy, WritePolicy};
use photorelay_core::contract::{Identity, Outcome};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::photo::RenditionSpec;
use testkit::agent::AgentBuilder;
use testkit::on_every_store;
use testkit::process::until;
use testkit::world::{Setup, Store, World, fixture, guid};

use testkit::samba::{Account, Samba, signed_in_with, variable};

on_every_store!(a_changed_photo_reaches_the_directory_and_so_does_the_next);

async fn a_changed_photo_reaches_the_directory_and_so_does_the_next(store: Store) {
    let samba = Samba::shared().await;
    let world = world(store, &samba, false).await;
    // One is anchored by objectGUID, one by a value that came from another forest.
    let plain = samba.add("Jane Roe").await;
    let moved = samba.add("Müller\\, Jörg").await;
    let consistency = [7; 16];
    samba.set(&moved, "mS-DS-ConsistencyGuid", &consistency).await;
    let (first, second) = (plain.is(&world, 0, &plain.anchor()), moved.is(&world, 1, &STANDARD.encode(consistency)));

    for round in 1..=2 {
        for (user, account) in [(first, &plain), (second, &moved)] {
            let before = samba.photo(account).await.map(|photo| Digest::of(&photo));
            world.change(user).await;

            let trail = world.trail(user).await;
            let wanted = trail.last().unwrap().entry.renditions[0].sha256;
            assert_eq!(trail.len(), round);
            assert_eq!(samba.photo(account).await.map(|photo| Digest::of(&photo)), Some(wanted));
            let receipt = world.receipt(user, round as u32).await.unwrap();
            assert_eq!((receipt.outcome, receipt.before, receipt.after), (Outcome::Written, before, Some(wanted)));
            assert_eq!(receipt.server, "dc1.contoso.test");
        }
    }
    world.end().await;
}

#[tokio::test]
async fn two_users_with_one_anchor_get_no_photo() {
    let samba = Samba::shared().await;
    let world = world(Store::Embedded, &samba, false).await;
    let (one, other) = (samba.add("One").await, samba.add("Other").await);
    samba.set(&other, "mS-DS-ConsistencyGuid", &one.guid).await;
    let user = one.is(&world, 0, &one.anchor());
    refused(world, &samba, user, &[&one, &other], "do not name one and the same user").await;
}

#[tokio::test]
async fn a_sid_of_somebody_else_gets_no_photo_and_nor_does_that_person() {
    let samba = Samba::shared().await;
    let world = world(Store::Embedded, &samba, false).await;
    let (one, other) = (samba.add("One").await, samba.add("Other").await);
    let user = Account { sid: other.sid.clone(), ..one.clone() }.is(&world, 0, &one.anchor());
    refused(world, &samba, user, &[&one, &other], "do not name one and the same user").await;
}

#[tokio::test]
async fn an_anchor_of_the_wrong_length_is_refused() {
    let samba = Samba::shared().await;
    let world = world(Store::Embedded, &samba, false).await;
    let account = samba.add("Jane").await;
    let user = account.is(&world, 0, &STANDARD.encode(&account.guid[..15]));
    refused(world, &samba, user, &[&account], "sixteen bytes").await;
}

#[tokio::test]
async fn an_account_name_full_of_metacharacters_is_compared_and_never_looked_for() {
    let samba = Samba::shared().await;
    let account = format!("{})(&!{{x}}~", &samba.unit[3..9]);
    let jane = samba.add_called(&format!("CN=Jane,{}", samba.unit), &account).await;
    let target = samba.target();
    let identity = |name: &str| Identity { sid: None, sam_account_name: Some(name.to_owned()), ..identity(&jane) };
    assert_eq!(target.find(any_user(), &identity(&account)).await.unwrap().0, entry_of(&jane));
    for wrong in ["*", "*)(objectClass=*", &account[..3]] {
        assert!(matches!(target.find(any_user(), &identity(wrong)).await, Err(ConnectorError::Refused(_))), "{wrong}");
    }
}

#[tokio::test]
async fn a_text_attribute_may_be_the_anchor() {
    let samba = Samba::shared().await;
    let jane = samba.add("Jane").await;
    samba.set(&jane, "employeeID", b"E*(7)").await;
    let target =
        LdapConnector::new(LdapSettings { anchor_attribute: Some("employeeID".to_owned()), ..samba.settings() });
    let with = |anchor: &str| Identity { anchor: Some(anchor.to_owned()), ..identity(&jane) };
    assert_eq!(target.find(any_user(), &with("E*(7)")).await.unwrap().0, entry_of(&jane));
    assert!(matches!(target.find(any_user(), &with("E*")).await, Err(ConnectorError::Refused(_))));
}

#[tokio::test]
async fn a_value_written_in_between_makes_our_write_fail_and_stays() {
    let samba = Samba::shared().await;
    let jane = samba.add("Jane").await;
    let target = samba.target();
    let found = target.find(any_user(), &identity(&jane)).await.unwrap().0;
    assert_eq!(target.read(&found).await.unwrap(), None);

    samba.set(&jane, "thumbnailPhoto", b"\xffsomebody's").await;
    let ours = Bytes::from_static(b"\xffours");
    assert_eq!(target.replace(&found, None, Some(&ours)).await.unwrap(), Replacement::ChangedMeanwhile);
    let read = target.read(&found).await.unwrap();
    assert_eq!(read.as_deref(), Some(&b"\xffsomebody's"[..]));
    samba.set(&jane, "thumbnailPhoto", b"another's").await;
    assert_eq!(target.replace(&found, read.as_ref(), Some(&ours)).await.unwrap(), Replacement::ChangedMeanwhile);
    assert_eq!(samba.photo(&jane).await.as_deref(), Some(&b"another's"[..]));

    let read = target.read(&found).await.unwrap();
    assert_eq!(target.replace(&found, read.as_ref(), Some(&ours)).await.unwrap(), Replacement::Done);
    assert_eq!(target.replace(&found, Some(&ours), None).await.unwrap(), Replacement::Done);
    assert_eq!(samba.photo(&jane).await, None);
}

#[tokio::test]
async fn what_is_over_the_schemas_limit_is_never_sent() {
    let samba = Samba::shared().await;
    let jane = samba.add("Jane").await;
    let target = samba.target();
    let found = target.find(any_user(), &identity(&jane)).await.unwrap().0;
    assert_eq!(target.limit(), 102_400);
    let over = target.replace(&found, None, Some(&Bytes::from(vec![0xff; 102_401]))).await;
    assert!(matches!(&over, Err(ConnectorError::Refused(reason)) if reason.contains("was not sent")), "{over:?}");
    let most = Bytes::from(vec![0xff; 102_400]);
    assert_eq!(target.replace(&found, None, Some(&most)).await.unwrap(), Replacement::Done);
    assert_eq!(samba.photo(&jane).await.map(Bytes::from), Some(most));
}

#[tokio::test]
async fn who_was_moved_is_written_and_who_was_deleted_is_not() {
    let samba = Samba::shared().await;
    let (jane, gone) = (samba.add("Jane").await, samba.add("Gone").await);
    let target = samba.target();
    let photo = Bytes::from_static(b"\xffphoto");
    let found = target.find(any_user(), &identity(&jane)).await.unwrap().0;
    let other = target.find(any_user(), &identity(&gone)).await.unwrap().0;

    let renamed = format!("CN=Jane Doe,{}", samba.unit);
    samba.change(&format!("dn: {}\nchangetype: modrdn\nnewrdn: CN=Jane Doe\ndeleteoldrdn: 1\n", jane.dn)).await;
    assert_eq!(target.replace(&found, None, Some(&photo)).await.unwrap(), Replacement::Done);
    assert_eq!(samba.values(&renamed, "thumbnailPhoto").await, [photo.to_vec()]);

    samba.change(&format!("dn: {}\nchangetype: delete\n", gone.dn)).await;
    assert_eq!(target.replace(&other, None, Some(&photo)).await.unwrap(), Replacement::ChangedMeanwhile);
    assert!(matches!(target.find(any_user(), &identity(&gone)).await, Err(ConnectorError::Refused(_))));
}

#[tokio::test]
async fn an_account_that_the_agent_may_not_write_is_refused_for_good() {
    let samba = Samba::shared().await;
    let domain = samba.unit.split_once("OU=People,").unwrap().1.to_owned();
    let name = format!("p{}", &samba.unit[3..17]);
    let protected = samba.add_called(&format!("CN={name},CN=Users,{domain}"), &name).await;
    // Others may be written, and so it is this account that is refused.
    samba.add("Jane").await;
    let target = LdapConnector::new(LdapSettings { base: domain, ..samba.settings() });
    let found = target.find(any_user(), &identity(&protected)).await.unwrap().0;
    let answer = target.replace(&found, None, Some(&Bytes::from_static(b"\xff"))).await;
    assert!(matches!(&answer, Err(ConnectorError::Refused(reason)) if reason.contains("50 ")), "{answer:?}");
    assert_eq!(samba.photo(&protected).await, None);
}

#[tokio::test]
async fn a_foreign_value_is_kept_before_it_is_replaced() {
    let samba = Samba::shared().await;
    let world = world(Store::Embedded, &samba, false).await;
    let jane = samba.add("Jane").await;
    let foreign = fixture("astronaut-96.jpg");
    samba.set(&jane, "thumbnailPhoto", &foreign).await;
    let user = jane.is(&world, 0, &jane.anchor());
    world.sim.tenant().set_photo(guid(user), &fixture("cat-648.jpg")).unwrap();
    world.settle().await;

    let receipt = world.receipt(user, 1).await.unwrap();
    assert_eq!((receipt.outcome, receipt.before), (Outcome::Written, Some(Digest::of(&foreign))));
    assert_eq!(samba.photo(&jane).await.map(|photo| Digest::of(&photo)), receipt.after);
    let kept = names::kept_value(user, Digest::of(&foreign));
    let kept = world.storage().blobs.get(Container::Receipts, &kept, 1 << 20).await.unwrap();
    assert_eq!(kept.as_deref(), Some(foreign.as_slice()));
    world.end().await;
}

#[tokio::test]
async fn a_dry_run_leaves_the_highest_usn_as_it_was() {
    let samba = Samba::own().await;
    let world = world(Store::Embedded, &samba, true).await;
    let jane = samba.add("Jane").await;
    let user = jane.is(&world, 0, &jane.anchor());
    // That the account signs in is a change of its own (lastLogonTimestamp).
    samba.target().find(any_user(), &identity(&jane)).await.unwrap();
    let before = samba.highest_usn().await;
    world.change(user).await;

    assert_eq!(samba.highest_usn().await, before);
    assert!(world.receipt(user, 1).await.is_none(), "a dry run leaves no receipt");
    let note = world.storage().blobs.get(Container::Agents, &names::note(user, "ad"), 65_536).await.unwrap();
    assert!(String::from_utf8_lossy(&note.expect("a dry run leaves a note")).contains("would write"));

    let writing = agent(&world, samba.settings(), false);
    world.sim.tenant().change_photo(guid(user)).unwrap();
    world.sim.flush().await;
    world.app.pump.drain().await.unwrap();
    writing.drain().await.unwrap();
    assert!(samba.highest_usn().await > before, "a write would have been seen");
    world.end().await;
}

#[tokio::test]
async fn another_attribute_may_show_the_photo_if_it_holds_one_value() {
    let samba = Samba::shared().await;
    let setup =
        Setup { edit: |config| config.capture.renditions.push(RenditionSpec::jpeg_photo()), ..Setup::default() };
    let mut world = World::with(setup).await;
    let settings = LdapSettings { attribute: "jpegPhoto".to_owned(), ..samba.settings() };
    world.agent = agent(&world, settings.clone(), false);
    let jane = samba.add("Jane").await;
    let user = jane.is(&world, 0, &jane.anchor());
    world.sim.tenant().set_photo(guid(user), &fixture("cat-648.jpg")).unwrap();
    world.settle().await;

    let shown = samba.values(&jane.dn, "jpegPhoto").await;
    let receipt = world.receipt(user, 1).await.unwrap();
    assert_eq!(shown.iter().map(|value| Digest::of(value)).collect::<Vec<_>>(), [receipt.after.unwrap()]);
    assert_eq!(samba.photo(&jane).await, None);

    let more = format!("dn: {}\nchangetype: modify\nadd: jpegPhoto\njpegPhoto: second\n", jane.dn);
    samba.change(&more).await;
    let read = LdapConnector::new(settings).read(&entry_of(&jane)).await;
    assert!(matches!(&read, Err(ConnectorError::Refused(reason)) if reason.contains("2 values")), "{read:?}");
    world.end().await;
}

#[tokio::test]
async fn only_a_verified_server_is_told_the_password() {
    let samba = Samba::shared().await;
    let jane = samba.add("Jane").await;
    let find = async |settings: LdapSettings| LdapConnector::new(settings).find(any_user(), &identity(&jane)).await;
    let at = |url: String| LdapSettings { servers: vec![url.parse().unwrap()], ..samba.settings() };

    assert_eq!(find(at(format!("ldap://{}", samba.address))).await.unwrap().0, entry_of(&jane), "StartTLS");
    let plain = find(at(format!("ldap+plain://{}", samba.address))).await;
    assert!(
        matches!(&plain, Err(ConnectorError::Down(reason)) if reason.contains("strongerAuthRequired")),
        "{plain:?}"
    );
    // Another authority than the one that signed.
    let other = Samba::own().await;
    for url in [format!("ldaps://{}", samba.address), format!("ldap://{}", samba.address)] {
        let answer = find(LdapSettings { ca_file: Some(other.ca_file.clone()), ..at(url) }).await;
        assert!(matches!(&answer, Err(ConnectorError::Down(reason)) if reason.contains("certificate")), "{answer:?}");
    }
}

#[tokio::test]
async fn a_refused_password_is_tried_once_until_its_file_holds_another() {
    let samba = Samba::own().await;
    let jane = samba.add("Jane").await;
    let right = std::fs::read_to_string(variable("PHOTORELAY_TEST_LDAP_PASSWORD_FILE")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "not-the-password\n").unwrap();
    let target = LdapConnector::new(LdapSettings { sign_in: signed_in_with(file.clone()), ..samba.settings() });

    let wanted = identity(&jane);
    let tries = (0..8).map(|_| target.find(any_user(), &wanted));
    for answer in futures::future::join_all(tries).await {
        assert!(matches!(&answer, Err(ConnectorError::Down(reason)) if reason.contains("49 ")), "{answer:?}");
    }
    let domain = samba.unit.split_once("OU=People,").unwrap().1;
    let failed = samba.values(&format!("CN=photorelay-agent,CN=Users,{domain}"), "badPwdCount").await;
    assert_eq!(failed, [b"1".to_vec()]);

    std::fs::write(&file, right).unwrap();
    assert_eq!(target.find(any_user(), &wanted).await.unwrap().0, entry_of(&jane));
}

#[tokio::test]
async fn a_domain_controller_that_went_away_is_found_again() {
    let mut samba = Samba::own().await;
    let jane = samba.add("Jane").await;
    let wanted = identity(&jane);
    // The first of the list never answers.
    let mut settings = samba.settings();
    settings.servers.insert(0, "ldaps://127.0.0.1:1".parse().unwrap());
    let target = LdapConnector::new(settings);
    let found = target.find(any_user(), &wanted).await.unwrap().0;

    samba.stop().await;
    assert!(matches!(target.read(&found).await, Err(ConnectorError::Down(_))));
    assert!(matches!(target.find(any_user(), &wanted).await, Err(ConnectorError::Down(_))));
    samba.start_again().await;
    until(async || target.find(any_user(), &wanted).await.is_ok()).await;
    assert_eq!(target.read(&found).await.unwrap(), None);

    // A connection that died while nobody used it is nobody's failure.
    samba.stop().await;
    samba.start_again().await;
    assert_eq!(target.find(any_user(), &wanted).await.unwrap().0, entry_of(&jane));
}

pub(crate) async fn world(store: Store, samba: &Samba, dry_run: bool) -> World {
    // Nobody shows a photo before a test says so.
    let sim = graph_sim::SimConfig { users: 4, with_photo: 0.0, ..Default::default() };
    let mut world = World::with(Setup { store, sim, ..Setup::default() }).await;
    world.agent = agent(&world, samba.settings(), dry_run);
    world
}

pub(crate) fn agent(world: &World, settings: LdapSettings, dry_run: bool) -> Agent {
    // What waits for an operator otherwise is tested without a directory.
    let policy = WritePolicy { foreign: ForeignPolicy::Overwrite, ..WritePolicy::default() };
    let connector = LdapConnector::new(settings);
    AgentBuilder::new(world.storage(), world.tenant_id(), connector).policy(policy).dry_run(dry_run).build()
}

/// A photo of this user is refused with this reason, and none of the accounts gets it.
async fn refused(world: World, samba: &Samba, user: UserId, accounts: &[&Account], reason: &str) {
    world.change(user).await;
    let receipt = world.receipt(user, 1).await.unwrap();
    assert_eq!(receipt.outcome, Outcome::Refused);
    assert!(receipt.reason.as_deref().is_some_and(|printed| printed.contains(reason)), "{:?}", receipt.reason);
    for account in accounts {
        assert_eq!(samba.photo(account).await, None);
    }
    world.end().await;
}

pub(crate) fn identity(account: &Account) -> Identity {
    Identity {
        anchor: Some(account.anchor()),
        sid: Some(account.sid.clone()),
        sam_account_name: Some(account.name.clone()),
        ..Identity::default()
    }
}

pub(crate) fn entry_of(account: &Account) -> EntryRef {
    let guid = uuid::Uuid::from_bytes_le(account.guid.as_slice().try_into().unwrap());
    EntryRef(format!("<GUID={guid}>"))
}

/// The directory does not know users by their id in Entra ID.
pub(crate) fn any_user() -> UserId {
    UserId::from_uuid(uuid::Uuid::nil())
}
