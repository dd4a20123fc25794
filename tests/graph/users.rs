//! The population, page by page.

use photorelay::graph::{DeltaPage, GraphError};
use serde_json::json;

use crate::server::{Server, answer, error, user, with_json};

#[tokio::test]
async fn a_round_goes_from_page_to_page_and_ends_with_a_link() {
    let server = Server::start(|number, asked| {
        let link = |token: &str| format!("http://{}/v1.0/users/delta?{token}", asked.header("host"));
        match number {
            0 => with_json(200, &json!({"value": [{"id": user(1), "userType": "Guest"}], "@odata.nextLink": link("$skiptoken=a")})),
            _ => with_json(
                200,
                &json!({"value": [{"id": user(2), "@removed": {"reason": "changed"}}], "@odata.deltaLink": link("$deltatoken=b")}),
            ),
        }
    })
    .await;
    let graph = server.graph();
    let DeltaPage::More { users, next } = graph.users_delta(None).await.unwrap() else { panic!("there is more") };
    assert_eq!((users[0].id, users[0].removed, users[0].user_type.as_deref()), (user(1), false, Some("Guest")));
    let DeltaPage::Last { users, link } = graph.users_delta(Some(&next)).await.unwrap() else { panic!("the last") };
    assert_eq!((users[0].id, users[0].removed), (user(2), true));
    assert!(link.ends_with("$deltatoken=b"), "{link}");
    let asked = server.asked();
    assert_eq!(
        asked[0].uri.to_string(),
        "/v1.0/users/delta?$select=id,userType,onPremisesSyncEnabled,onPremisesDomainName,onPremisesSecurityIdentifier"
    );
    assert_eq!(asked[1].uri.query(), Some("$skiptoken=a"));
    assert!(asked.iter().all(|asked| asked.header("x-ms-throttle-priority") == "Low"));
}

#[tokio::test]
async fn a_link_that_is_too_old_or_leads_elsewhere_begins_anew() {
    let server = Server::start(|number, _| match number {
        0 => answer(410).body("".into()).unwrap(),
        1 => error(400, "SyncStateNotFound", "expired"),
        _ => error(400, "Request_BadRequest", "something else"),
    })
    .await;
    let link = server.base.join("/v1.0/users/delta?$deltatoken=old").unwrap().to_string();
    let graph = server.graph();
    assert_eq!(graph.users_delta(Some(&link)).await.unwrap(), DeltaPage::Resync);
    assert_eq!(graph.users_delta(Some(&link)).await.unwrap(), DeltaPage::Resync);
    assert!(matches!(graph.users_delta(Some(&link)).await, Err(GraphError::Invalid { .. })));
    let elsewhere = graph.users_delta(Some("https://evil.test/v1.0/users/delta?$deltatoken=x")).await.unwrap();
    assert_eq!((elsewhere, server.count()), (DeltaPage::Resync, 3));
}

#[tokio::test]
async fn a_page_that_leads_elsewhere_is_refused() {
    let server = Server::start(|_, _| {
        with_json(200, &json!({"value": [], "@odata.nextLink": "https://evil.test/v1.0/users/delta?$skiptoken=x"}))
    })
    .await;
    assert!(matches!(server.graph().users_delta(None).await, Err(GraphError::BadAnswer { .. })));
}
