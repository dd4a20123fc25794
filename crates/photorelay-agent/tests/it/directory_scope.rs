//! Which users the agent writes in a directory: those of some units, of a group, or that fit a filter. All others are
//! noted, not refused, and written once the scope has them.

use photorelay_agent::connectors::ldap::{DirectoryScope, LdapConnector, LdapSettings};
use photorelay_agent::connectors::{Connector, ConnectorError};
use photorelay_core::contract::{Note, NoteKind};
use photorelay_core::names::{self, Container};
use serde_json::from_slice;
use testkit::process::agent_command;
use testkit::process::text;
use testkit::world::{Store, guid};
use tokio_util::sync::CancellationToken;

use crate::agent_work::daily;
use crate::directory::{agent, any_user, identity, world};
use testkit::samba::{Account, Samba};

/// Jane is in a unit, by way of another group in a group, and has a department; Bob has nothing of it.
async fn jane_and_bob(samba: &Samba) -> (Account, Account) {
    let unit = &samba.unit;
    samba.change(&format!("dn: OU=Sales\\, Nord,{unit}\nchangetype: add\nobjectClass: organizationalUnit\n")).await;
    let name = format!("j{}", &unit[3..17]);
    let jane = samba.add_called(&format!("CN=Jane,OU=Sales\\, Nord,{unit}"), &name).await;
    samba.set(&jane, "department", b"Sales").await;
    for (group, member) in [("inner", jane.dn.clone()), ("outer", format!("CN=inner,{unit}"))] {
        let account = format!("{group}{}", &unit[3..11]);
        samba
            .change(&format!(
                "dn: CN={group},{unit}\nchangetype: add\nobjectClass: group\nsAMAccountName: {account}\nmember: {member}\n"
            ))
            .await;
    }
    (jane, samba.add("Bob").await)
}

#[tokio::test]
async fn a_unit_a_group_and_a_filter_have_jane_and_not_bob() {
    let samba = Samba::shared().await;
    let (jane, bob) = jane_and_bob(&samba).await;
    let unit = &samba.unit;
    let sales = format!("OU=Nowhere,{unit}; OU=Sales\\, Nord,{unit}");
    let group = Some(format!("CN=outer,{unit}"));
    let filter = Some("(department=Sales)".to_owned());
    let scopes = [
        DirectoryScope::new(Some(&sales), None, None).unwrap(),
        DirectoryScope::new(None, group.clone(), None).unwrap(),
        DirectoryScope::new(None, None, filter.clone()).unwrap(),
        DirectoryScope::new(Some(&sales), group, filter).unwrap(),
    ];
    for scope in scopes {
        let target = LdapConnector::new(LdapSettings { scope: scope.clone(), ..samba.settings() });
        assert!(target.find(any_user(), &identity(&jane)).await.is_ok(), "{scope:?}");
        let outside = target.find(any_user(), &identity(&bob)).await;
        assert!(matches!(outside, Err(ConnectorError::OutOfScope(_))), "{scope:?}: {outside:?}");
    }
    let nobody_fits = DirectoryScope::new(Some(&sales), None, Some("(department=Marketing)".to_owned())).unwrap();
    let target = LdapConnector::new(LdapSettings { scope: nobody_fits, ..samba.settings() });
    assert!(matches!(target.find(any_user(), &identity(&jane)).await, Err(ConnectorError::OutOfScope(_))));
}

#[tokio::test]
async fn who_is_out_of_scope_is_noted_and_written_as_soon_as_the_scope_is_another() {
    let samba = Samba::shared().await;
    let mut world = world(Store::Embedded, &samba, false).await;
    let (jane, bob) = jane_and_bob(&samba).await;
    let sales = DirectoryScope::new(None, None, Some("(department=Sales)".to_owned())).unwrap();
    world.agent = agent(&world, LdapSettings { scope: sales.clone(), ..samba.settings() }, false);
    for (at, account) in [&jane, &bob].into_iter().enumerate() {
        let user = account.is(&world, at, &account.anchor());
        world.sim.tenant().change_photo(guid(user)).unwrap();
    }
    world.settle().await;
    let user = world.user(1);
    assert!(samba.photo(&jane).await.is_some());
    assert_eq!(samba.photo(&bob).await, None);
    assert!(world.receipt(user, 1).await.is_none(), "who may come into scope later has no receipt");
    let note = world.storage().blobs.get(Container::Agents, &names::note(user, "ad"), 65_536).await.unwrap();
    let note: Note = from_slice(&note.expect("a note")).unwrap();
    assert_eq!(note.note, NoteKind::OutOfScope);

    // Nothing of it is drift.
    let mut settings = samba.variables(&format!("{}:636", samba.address));
    settings.push(("PHOTORELAY_LDAP_SCOPE_FILTER", "(department=Sales)".to_owned()));
    let drift = agent_command(&world, &settings, &["drift"]).await;
    assert_eq!(text(&drift.stdout), "2 people, 0 differ, 1 out of scope\n");

    // The pass with these settings was made, and is due at once with others.
    let stop = CancellationToken::new();
    world.agent.full_reconciliation(daily()).run(&stop).await.unwrap();
    assert_eq!(samba.photo(&bob).await, None);
    samba.set(&bob, "department", b"Sales").await;
    world.agent.full_reconciliation(daily()).run(&stop).await.unwrap();
    assert!(samba.photo(&bob).await.is_some());
    assert!(world.receipt(user, 1).await.is_some());
    world.end().await;
}
