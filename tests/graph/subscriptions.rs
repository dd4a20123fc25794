//! Subscriptions: every outcome that the keeper acts on.

use photorelay::graph::{
    GraphError, NewSubscription, SecretUrl, SubscriptionCreation, SubscriptionDeletion, SubscriptionRenewal,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::{Server, answer, error, with_json};

const ID: &str = "7f105c7d-2dc5-4530-97cd-4e7ae6534c07";

fn id() -> Uuid {
    ID.parse().unwrap()
}

fn body() -> Value {
    json!({"@odata.context": "...", "id": ID, "resource": "users", "changeType": "updated", "clientState": null,
        "notificationUrl": "https://relay.test/api/notifications?code=KEY", "lifecycleNotificationUrl": "",
        "expirationDateTime": "2026-06-18T18:23:45.9356913Z", "encryptionCertificate": ""})
}

fn wanted() -> NewSubscription {
    NewSubscription {
        resource: "users".to_owned(),
        change_type: "updated".to_owned(),
        notification_url: SecretUrl("https://relay.test/api/notifications?code=KEY".to_owned()),
        lifecycle_url: Some(SecretUrl("https://relay.test/api/lifecycle?code=KEY".to_owned())),
        expires_at: "2026-06-18T18:23:45Z".parse().unwrap(),
        client_state: "the-client-state".into(),
    }
}

#[tokio::test]
async fn a_subscription_is_created_as_asked_for() {
    let server = Server::start(|_, _| with_json(201, &body())).await;
    let SubscriptionCreation::Created(created) = server.graph().create_subscription(&wanted()).await.unwrap() else {
        panic!("it is created")
    };
    assert_eq!((created.id, created.lifecycle_url), (id(), None));
    let sent = server.asked()[0].json();
    assert_eq!(sent["clientState"], "the-client-state");
    assert_eq!(sent["notificationUrl"], "https://relay.test/api/notifications?code=KEY");
    assert_eq!(sent["lifecycleNotificationUrl"], "https://relay.test/api/lifecycle?code=KEY");
    assert_eq!(sent["expirationDateTime"], "2026-06-18T18:23:45Z");
    assert_eq!((sent["changeType"].as_str(), sent["resource"].as_str()), (Some("updated"), Some("users")));
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_subscription_is_told_apart() {
    let exists = format!("Subscription Id {ID} already exists for the requested combination");
    let validation = "Subscription validation request failed. HTTP status code is 'Forbidden'. Notification endpoint must respond with 200 OK to validation request.";
    let quota = "The tenant exceeded the limit of 100 subscriptions.";
    let answers = [
        (409, "ObjectIdentifierInUse", exists.as_str()),
        (409, "ObjectIdentifierInUse", "It exists."),
        (400, "ValidationError", validation),
        (400, "InvalidRequest", "Subscription validation request timed out."),
        (403, "ExtensionError", quota),
        (403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
        (400, "InvalidRequest", "The expiration is too far away."),
    ]
    .map(|(status, code, message)| (status, code.to_owned(), message.to_owned()));
    let server = Server::start(move |number, _| {
        let (status, code, message) = &answers[number];
        error(*status, code, message)
    })
    .await;
    let graph = server.graph();
    let wanted = wanted();
    assert_eq!(
        graph.create_subscription(&wanted).await.unwrap(),
        SubscriptionCreation::AlreadyExists { id: Some(id()) }
    );
    assert_eq!(graph.create_subscription(&wanted).await.unwrap(), SubscriptionCreation::AlreadyExists { id: None });
    for _ in 0..2 {
        let refused = graph.create_subscription(&wanted).await.unwrap();
        assert!(
            matches!(&refused, SubscriptionCreation::EndpointRefused { message } if message.contains("validation request"))
        );
    }
    assert!(matches!(graph.create_subscription(&wanted).await, Ok(SubscriptionCreation::QuotaExceeded { .. })));
    assert!(matches!(graph.create_subscription(&wanted).await, Err(GraphError::Denied { needs: "User.Read.All", .. })));
    assert!(matches!(graph.create_subscription(&wanted).await, Err(GraphError::Invalid { .. })));
}

#[tokio::test]
async fn a_renewal_moves_the_expiry_or_says_that_there_is_nothing_to_renew() {
    let server = Server::start(|number, _| match number {
        0 => with_json(200, &body()),
        1 => error(404, "ResourceNotFound", "The object was not found."),
        2 => answer(404).body("".into()).unwrap(),
        3 => error(400, "ValidationError", "Subscription validation request timed out."),
        _ => axum::http::Response::builder().status(404).body("<html>".into()).unwrap(),
    })
    .await;
    let graph = server.graph();
    let expires_at = "2026-06-30T00:00:00Z".parse().unwrap();
    assert!(matches!(graph.renew_subscription(id(), expires_at).await, Ok(SubscriptionRenewal::Renewed(_))));
    assert_eq!(graph.renew_subscription(id(), expires_at).await.unwrap(), SubscriptionRenewal::Gone);
    assert_eq!(graph.renew_subscription(id(), expires_at).await.unwrap(), SubscriptionRenewal::Gone);
    assert!(matches!(
        graph.renew_subscription(id(), expires_at).await,
        Ok(SubscriptionRenewal::EndpointRefused { .. })
    ));
    assert!(graph.renew_subscription(id(), expires_at).await.is_err(), "that 404 is not Graph's");
    let asked = &server.asked()[0];
    assert_eq!((asked.method.as_str(), asked.path()), ("PATCH", format!("/v1.0/subscriptions/{ID}").as_str()));
    assert_eq!(asked.json(), json!({"expirationDateTime": "2026-06-30T00:00:00Z"}));
}

#[tokio::test]
async fn a_subscription_is_deleted_once() {
    let server = Server::start(|number, _| match number {
        0 => answer(204).body("".into()).unwrap(),
        _ => error(404, "ResourceNotFound", ""),
    })
    .await;
    let graph = server.graph();
    assert_eq!(graph.delete_subscription(id()).await.unwrap(), SubscriptionDeletion::Deleted);
    assert_eq!(graph.delete_subscription(id()).await.unwrap(), SubscriptionDeletion::Gone);
}

#[tokio::test]
async fn the_list_is_read_over_its_pages_and_never_printed_with_its_keys() {
    let server = Server::start(|number, asked| {
        let next = format!("http://{}/v1.0/subscriptions?$skiptoken=2", asked.header("host"));
        match number {
            0 => with_json(200, &json!({"value": [body(), {"id": "not ours"}], "@odata.nextLink": next})),
            _ => with_json(200, &json!({"value": [body()]})),
        }
    })
    .await;
    let list = server.graph().list_subscriptions().await.unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0].notification_url.as_deref(), Some("https://relay.test/api/notifications?code=KEY"));
    let printed = format!("{list:?} {:?}", wanted());
    assert!(!printed.contains("KEY") && !printed.contains("the-client-state"), "{printed}");
}

#[tokio::test]
async fn a_list_without_end_ends() {
    let server = Server::start(|_, asked| {
        let next = format!("http://{}/v1.0/subscriptions?$skiptoken=again", asked.header("host"));
        with_json(200, &json!({"value": [], "@odata.nextLink": next}))
    })
    .await;
    assert!(server.graph().list_subscriptions().await.unwrap().is_empty());
    assert_eq!(server.count(), 20);
}

#[tokio::test]
async fn a_list_does_not_take_the_token_elsewhere() {
    let server = Server::start(|_, _| {
        with_json(200, &json!({"value": [], "@odata.nextLink": "https://evil.test/v1.0/subscriptions?x"}))
    })
    .await;
    assert!(matches!(server.graph().list_subscriptions().await, Err(GraphError::BadAnswer { .. })));
}
