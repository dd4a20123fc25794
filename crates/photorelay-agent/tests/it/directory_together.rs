//! Many users who are looked up together: each gets their own photo, and what is wrong with one affects no other.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::future::join_all;
use photorelay_agent::connectors::ldap::{LdapConnector, LdapSettings};
use photorelay_agent::connectors::{Connector, ConnectorError, EntryRef, Replacement};
use photorelay_core::contract::Identity;
use testkit::samba::{Account, Samba};

use crate::directory::{any_user, entry_of, identity};
use crate::ldap_proxy::{Mixed, Repeating};

const MANY: usize = 40;

fn photo_of(account: &Account) -> Bytes {
    Bytes::from([b"\xff\xd8", account.name.as_bytes()].concat())
}

async fn all_found(target: &LdapConnector, wanted: &[Identity]) -> Vec<Result<EntryRef, ConnectorError>> {
    let found = join_all(wanted.iter().map(|identity| target.find(any_user(), identity))).await;
    found.into_iter().map(|found| found.map(|(entry, _)| entry)).collect()
}

async fn proxied(samba: &Samba) -> (Repeating, LdapConnector) {
    let proxy = Repeating::before(samba).await;
    let settings = LdapSettings { servers: vec![proxy.url().parse().unwrap()], ..samba.settings() };
    (proxy, LdapConnector::new(settings))
}

#[tokio::test]
async fn many_users_who_are_looked_up_together_get_each_their_own_photo() {
    let samba = Samba::shared().await;
    let accounts = samba.add_many(MANY).await;
    for connections in [1, 4] {
        let (proxy, _) = proxied(&samba).await;
        let servers = vec![proxy.url().parse().unwrap()];
        let target = LdapConnector::new(LdapSettings { servers, connections, ..samba.settings() });
        join_all(accounts.iter().map(async |account| {
            let (found, present) = target.find(any_user(), &identity(account)).await.unwrap();
            assert_eq!(found, entry_of(account));
            let photo = photo_of(account);
            assert_eq!(target.replace(&found, present.as_ref(), None).await.unwrap(), Replacement::Done);
            assert_eq!(target.replace(&found, None, Some(&photo)).await.unwrap(), Replacement::Done);
            assert_eq!(target.read(&found).await.unwrap(), Some(photo));
        }))
        .await;
        let shown = samba.people("(objectClass=user)", &["sAMAccountName", "thumbnailPhoto"]).await.unwrap();
        assert_eq!(shown.len(), MANY);
        for account in &accounts {
            let is_own = |shown: &&testkit::samba::Attributes| shown["sAMAccountName"] == account.name.as_bytes();
            assert_eq!(shown.iter().find(is_own).unwrap()["thumbnailPhoto"], photo_of(account));
        }
        assert!(proxy.searches() < MANY, "{} searches for {MANY} users", proxy.searches());
    }
}

#[tokio::test]
async fn an_unclear_or_missing_user_among_many_affects_no_other() {
    let samba = Samba::shared().await;
    let accounts = samba.add_many(12).await;
    // The first shares its anchor with the second, which has one of its own besides.
    samba.set(&accounts[1], "mS-DS-ConsistencyGuid", &accounts[0].guid).await;
    let mut wanted: Vec<Identity> = accounts.iter().map(identity).collect();
    wanted[2].sid = wanted[3].sid.clone();
    wanted[4].anchor = Some(STANDARD.encode([9; 16]));
    wanted[4].sid = Some(format!("{}9", accounts[4].sid));

    let found = all_found(&samba.target(), &wanted).await;
    for (at, found) in found.iter().enumerate() {
        match at {
            0 | 1 | 2 | 4 => assert!(matches!(found, Err(ConnectorError::Refused(_))), "{at}: {found:?}"),
            _ => assert_eq!(found.as_ref().unwrap(), &entry_of(&accounts[at])),
        }
    }
}

#[tokio::test]
async fn an_answer_with_doubles_or_strangers_or_half_of_them_gives_no_user_the_object_of_another() {
    let samba = Samba::shared().await;
    let accounts = samba.add_many(20).await;
    let wanted: Vec<Identity> = accounts.iter().map(identity).collect();
    let (proxy, target) = proxied(&samba).await;
    let right: Vec<EntryRef> = accounts.iter().map(entry_of).collect();
    for account in &accounts {
        samba.set(account, "thumbnailPhoto", &photo_of(account)).await;
    }
    for mixed in [Mixed::Right, Mixed::Lost, Mixed::Stray] {
        proxy.mix_entries(mixed);
        let found = all_found(&target, &wanted).await;
        assert_eq!(found.into_iter().map(Result::unwrap).collect::<Vec<_>>(), right, "{mixed:?}");
        let shown = join_all(right.iter().map(|entry| target.read(entry))).await;
        for (account, shown) in accounts.iter().zip(shown) {
            match shown {
                Ok(shown) => assert_eq!(shown, Some(photo_of(account)), "{mixed:?}"),
                // Two objects where one is read.
                Err(error) => assert!(mixed == Mixed::Stray && matches!(error, ConnectorError::Failed(_)), "{error}"),
            }
        }
    }
    proxy.mix_entries(Mixed::Right);
    proxy.repeat_entries(2);
    for found in all_found(&target, &wanted).await {
        assert!(matches!(found, Err(ConnectorError::Refused(_))), "{found:?}");
    }
    proxy.repeat_entries(1);
    assert!(all_found(&target, &wanted).await.iter().all(Result::is_ok));
}
