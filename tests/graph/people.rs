//! People: the right one or none, and nothing of them in what is printed.

use std::sync::Arc;

use photorelay::graph::{GraphError, Priority};
use serde_json::{Value, json};

use crate::server::{OneToken, Server, envelope, error, user, with_json};

fn adele() -> Value {
    json!({"id": user(0).to_string().to_uppercase(), "userType": "Member", "accountEnabled": true,
        "onPremisesSyncEnabled": true, "onPremisesImmutableId": "MyIRAFVEd2aImaq7zN3u/w==",
        "onPremisesSamAccountName": "adele.vance", "onPremisesDomainName": "contoso.test",
        "onPremisesSecurityIdentifier": "S-1-5-21-1-2-3-1001", "displayName": "not asked for"})
}

#[tokio::test]
async fn people_come_in_one_batch_and_those_who_do_not_exist_are_none() {
    let server = Server::start(|_, _| {
        with_json(
            200,
            &json!({"responses": [
                {"id": "1", "status": 404, "body": envelope("Request_ResourceNotFound", "")},
                {"id": "0", "status": 200, "body": adele()},
                {"id": "2", "status": 200, "body": {"id": user(2), "onPremisesSyncEnabled": null}},
            ]}),
        )
    })
    .await;
    let people = server.graph().users(&[user(0), user(1), user(2)], Priority::Normal).await.unwrap();
    let [(_, Ok(Some(adele))), (_, Ok(None)), (_, Ok(Some(cloud_only)))] = &people[..] else { panic!("{people:?}") };
    assert_eq!(adele.identity().anchor.as_deref(), Some("MyIRAFVEd2aImaq7zN3u/w=="));
    assert_eq!(adele.identity().sid.as_deref(), Some("S-1-5-21-1-2-3-1001"));
    assert_eq!(adele.sync_enabled, Some(true));
    assert_eq!((cloud_only.sync_enabled, cloud_only.anchor.as_deref()), (None, None));

    let url = server.asked()[0].json()["requests"][0]["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(&format!("/users/{}?$select=id,userType,accountEnabled,", user(0))), "{url}");
    assert!(!url.contains(' '), "{url}");
}

#[tokio::test]
async fn further_personal_data_is_read_only_if_it_is_asked_for() {
    let server = Server::start(|_, _| {
        let mut body = adele();
        body["mail"] = json!("adele@contoso.test");
        with_json(200, &json!({"responses": [{"id": "0", "status": 200, "body": body}]}))
    })
    .await;
    let extended = server.graph_with(Arc::new(OneToken), |config| config.identity_extra = "mail".parse().unwrap());
    let people = extended.users(&[user(0)], Priority::Normal).await.unwrap();
    let (_, Ok(Some(adele))) = &people[0] else { panic!("{people:?}") };
    assert_eq!(adele.identity().mail.as_deref(), Some("adele@contoso.test"));
    server.graph().users(&[user(0)], Priority::Normal).await.unwrap();
    let selected = |at: usize| server.asked()[at].json()["requests"][0]["url"].as_str().unwrap().to_owned();
    assert!(selected(0).ends_with(",onPremisesSecurityIdentifier,mail"), "{}", selected(0));
    assert!(selected(1).ends_with(",onPremisesSecurityIdentifier"), "{}", selected(1));
}

#[tokio::test]
async fn a_person_is_never_printed() {
    let server =
        Server::start(|_, _| with_json(200, &json!({"responses": [{"id": "0", "status": 200, "body": adele()}]})))
            .await;
    let people = server.graph().users(&[user(0)], Priority::Normal).await.unwrap();
    let printed = format!("{people:?}");
    assert!(printed.contains(&user(0).to_string()), "{printed}");
    for personal in ["adele", "contoso", "S-1-5", "MyIR"] {
        assert!(!printed.contains(personal), "{personal} is in {printed}");
    }
}

#[tokio::test]
async fn an_answer_about_somebody_else_is_refused() {
    let server =
        Server::start(|_, _| with_json(200, &json!({"responses": [{"id": "0", "status": 200, "body": adele()}]})))
            .await;
    let people = server.graph().users(&[user(9)], Priority::Normal).await.unwrap();
    assert!(matches!(&people[0].1, Err(GraphError::BadAnswer { reason, .. }) if reason.contains("another user")));
}

#[tokio::test]
async fn a_property_longer_than_any_can_be_is_refused() {
    let mut person = adele();
    person["onPremisesSamAccountName"] = Value::String("x".repeat(1000));
    let body = json!({"responses": [{"id": "0", "status": 200, "body": person}]});
    let server = Server::start(move |_, _| with_json(200, &body)).await;
    let people = server.graph().users(&[user(0)], Priority::Normal).await.unwrap();
    assert!(matches!(&people[0].1, Err(GraphError::BadAnswer { .. })));
}

#[tokio::test]
async fn a_person_is_found_by_name_or_id_and_the_name_stays_out_of_errors() {
    let server = Server::start(|number, _| match number {
        0..=2 => with_json(200, &json!({"id": user(5)})),
        3 => error(404, "Request_ResourceNotFound", "Resource 'nobody@contoso.test' does not exist"),
        _ => error(400, "Request_BadRequest", "Invalid object identifier 'o'brien@contoso.test'."),
    })
    .await;
    let graph = server.graph();
    assert_eq!(graph.find_user("o'brien_x#EXT#@contoso.test").await.unwrap(), Some(user(5)));
    assert_eq!(graph.find_user("$adele@contoso.test").await.unwrap(), Some(user(5)));
    assert_eq!(graph.find_user(&user(5).to_string()).await.unwrap(), Some(user(5)));
    assert_eq!(graph.find_user("nobody@contoso.test").await.unwrap(), None);
    let refused = graph.find_user("o'brien@contoso.test").await.unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains("brien"), "{refused}");
    let paths: Vec<_> = server.asked().iter().map(|asked| asked.uri.to_string()).collect();
    assert!(paths[0].starts_with("/v1.0/users/o'brien_x%23EXT%23@contoso.test?$select=id"), "{}", paths[0]);
    assert!(paths[1].starts_with("/v1.0/users('$adele@contoso.test')?"), "{}", paths[1]);
}

#[tokio::test]
async fn a_name_that_is_none_is_not_asked_for() {
    let server = Server::start(|_, _| with_json(200, &json!({"id": user(5)}))).await;
    for name in ["", "delta", "$count", "..", "adele", "a/../b"] {
        assert_eq!(server.graph().find_user(name).await.unwrap(), None, "{name}");
    }
    assert_eq!(server.count(), 0);
}
