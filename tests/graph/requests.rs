//! What is true of every request: what it carries, when it is repeated, what it never does.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use photorelay::graph::{Graph, GraphConfig, GraphError, PhotoState, Priority, SetupError};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use url::Url;

use crate::server::{OneToken, Server, TOKEN, answer, endless, error, user, with_json};

fn present() -> axum::http::Response<Body> {
    with_json(200, &json!({"id": "648x648", "width": 648, "height": 648, "@odata.mediaEtag": "\"BA09D118\""}))
}

#[tokio::test]
async fn each_request_carries_the_token_and_an_id_of_its_own() {
    let server = Server::start(|_, _| present()).await;
    let graph = server.graph();
    graph.photo_state(user(1)).await.unwrap();
    graph.photo_state(user(1)).await.unwrap();
    let asked = server.asked();
    let ids: HashSet<_> = asked.iter().map(|asked| asked.header("client-request-id").to_owned()).collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.iter().all(|id| id.len() == 36), "{ids:?}");
    assert!(asked.iter().all(|asked| asked.header("authorization") == format!("Bearer {TOKEN}")));
    assert!(asked.iter().all(|asked| asked.header("x-ms-throttle-priority").is_empty()));
}

#[tokio::test]
async fn throttled_unavailable_and_late_answers_are_asked_for_again_and_nothing_else_is() {
    for status in [429, 503, 504] {
        let server = Server::start(move |number, _| {
            if number < 2 { answer(status).header("retry-after", "0").body(Body::empty()).unwrap() } else { present() }
        })
        .await;
        let state = server.graph().photo_state(user(1)).await.unwrap();
        assert!(matches!(state, PhotoState::Present { .. }), "{status}");
        assert_eq!(server.count(), 3, "{status}");
        let ids: HashSet<_> = server.asked().iter().map(|asked| asked.header("client-request-id").to_owned()).collect();
        assert_eq!(ids.len(), 3, "every attempt has an id of its own");
    }
    for status in [400, 403, 404, 409, 500, 502] {
        let server = Server::start(move |_, _| error(status, "Some", "thing")).await;
        let _ = server.graph().photo_state(user(1)).await;
        assert_eq!(server.count(), 1, "{status}");
    }
}

#[tokio::test]
async fn attempts_end_and_the_last_word_is_kept() {
    let server = Server::start(|_, _| error(429, "TooManyRequests", "Please retry again later.")).await;
    let refused = server.graph().photo_state(user(1)).await.unwrap_err();
    assert_eq!(server.count(), 4);
    assert!(matches!(refused, GraphError::Throttled { retry_after: None, .. }), "{refused}");
    assert_eq!(refused.trace().code.as_deref(), Some("TooManyRequests"));
}

#[tokio::test]
async fn a_longer_wait_than_the_policy_allows_goes_back_to_the_caller_in_every_form() {
    let in_two_minutes = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&(jiff::Timestamp::now() + Duration::from_secs(120)))
        .unwrap();
    for (value, least, most) in [("30", 30, 30), ("30.2", 31, 31), (in_two_minutes.as_str(), 100, 121)] {
        let value = value.to_owned();
        let server =
            Server::start(move |_, _| answer(429).header("retry-after", &value).body(Body::empty()).unwrap()).await;
        let refused = server.graph().photo_state(user(1)).await.unwrap_err();
        let seconds = refused.retry_after().expect("the hint is told").as_secs();
        assert!((least..=most).contains(&seconds), "{seconds}");
        assert!(refused.is_transient());
        assert_eq!(server.count(), 1, "nobody waits for it here");
    }
}

#[tokio::test]
async fn after_a_503_another_connection_is_used() {
    // A bare listener, because connections are what is counted. The first one would be kept and used again.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("http://{}/v1.0", listener.local_addr().unwrap())).unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let tasks = TaskTracker::new();
    let inner = tasks.clone();
    let _accepting = AbortOnDropHandle::new(tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            inner.spawn(async move {
                let mut buffer = [0; 8192];
                while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                    let body = r#"{"id":"9x9","@odata.mediaEtag":"\"E\""}"#;
                    let head = if number == 0 { "503 Service Unavailable" } else { "200 OK" };
                    let text = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                    if stream.write_all(text.as_bytes()).await.is_err() {
                        break;
                    }
                }
            });
        }
    }));
    let mut config = GraphConfig::new(base);
    config.retry.first_delay = Duration::from_millis(1);
    let graph = Graph::new(config, Arc::new(OneToken)).unwrap();
    assert!(matches!(graph.photo_state(user(1)).await, Ok(PhotoState::Present { .. })));
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let server = Server::start(|_, _| present()).await;
    let graph = server.graph();
    drop(server);
    let refused = graph.photo_state(user(1)).await.unwrap_err();
    assert!(matches!(refused, GraphError::Unavailable { .. }) && refused.is_transient(), "{refused}");
    assert!(refused.to_string().contains(&user(1).to_string()), "{refused}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_unavailable() {
    let server = Server::start_async(|_, _| Box::pin(std::future::pending())).await;
    let graph = server.graph_with(Arc::new(OneToken), |config| {
        config.request_timeout = Duration::from_millis(50);
        config.retry.attempts = 2;
    });
    let refused = graph.photo_state(user(1)).await.unwrap_err();
    assert!(matches!(&refused, GraphError::Unavailable { reason, .. } if reason.contains("in time")), "{refused}");
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_token_stays_here() {
    let elsewhere = Server::start(|_, _| present()).await;
    let target = elsewhere.base.join("/stolen").unwrap().to_string();
    let server = Server::start(move |_, _| answer(302).header("location", &target).body(Body::empty()).unwrap()).await;
    let refused = server.graph().photo_state(user(1)).await.unwrap_err();
    assert!(matches!(&refused, GraphError::BadAnswer { reason, .. } if reason.contains("redirect")), "{refused}");
    assert_eq!((server.count(), elsewhere.count()), (1, 0));
}

#[tokio::test]
async fn endless_and_wrong_json_are_bad_answers_that_pass() {
    for kind in ["endless", "html", "array", "half"] {
        let server = Server::start(move |_, _| match kind {
            "endless" => endless("application/json"),
            "html" => answer(200).header("content-type", "text/html").body("<html>login</html>".into()).unwrap(),
            "array" => with_json(200, &json!([1, 2])),
            _ => answer(200).body(r#"{"id": "648x6"#.into()).unwrap(),
        })
        .await;
        let refused = server.graph().photo_state(user(1)).await.unwrap_err();
        assert!(matches!(refused, GraphError::BadAnswer { .. }) && refused.is_transient(), "{kind}: {refused}");
        assert_eq!(refused.trace().request_id.as_deref(), Some("req-1"), "{kind}");
        assert_eq!(server.count(), 1, "{kind}");
    }
}

#[tokio::test]
async fn an_error_names_the_request_and_no_secret() {
    let server = Server::start(|_, _| {
        error(403, "Authorization_RequestDenied", "Insufficient privileges for adele@contoso.test at https://x.test/?k")
    })
    .await;
    let refused = server.graph().photo_state(user(7)).await.unwrap_err();
    assert!(matches!(refused, GraphError::Denied { .. }) && !refused.is_transient());
    let text = refused.to_string();
    let client_request_id = server.asked()[0].header("client-request-id").to_owned();
    for part in
        ["photo metadata", &user(7).to_string(), "403", "Authorization_RequestDenied", "inner-1", &client_request_id]
    {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    assert!(text.contains("ProfilePhoto.Read.All"), "it says what to grant: {text}");
    let printed = format!("{text} {refused:?}");
    for secret in [TOKEN, "adele", "x.test", "Bearer"] {
        assert!(!printed.contains(secret), "{secret} is in {printed}");
    }
}

#[tokio::test]
async fn plain_http_is_for_this_machine_only() {
    for url in ["http://graph.microsoft.com/v1.0", "http://192.168.1.5/v1.0", "http://127.0.0.1.nip.test/v1.0"] {
        let refused = Graph::new(GraphConfig::new(Url::parse(url).unwrap()), Arc::new(OneToken)).unwrap_err();
        assert!(matches!(refused, SetupError::Insecure(_)) && refused.to_string().contains("https"), "{refused}");
    }
    for url in ["https://user:pw@graph.microsoft.com/v1.0", "https://graph.microsoft.com/v1.0?x=y"] {
        let refused = Graph::new(GraphConfig::new(Url::parse(url).unwrap()), Arc::new(OneToken)).unwrap_err();
        assert!(matches!(refused, SetupError::Decorated) && !refused.to_string().contains("pw"), "{refused}");
    }
    for url in
        ["http://127.0.0.1:1/v1.0", "http://[::1]:1/v1.0", "http://localhost:1", "https://graph.microsoft.com/v1.0"]
    {
        Graph::new(GraphConfig::new(Url::parse(url).unwrap()), Arc::new(OneToken)).expect(url);
    }
}

#[tokio::test]
async fn low_priority_is_told_to_graph() {
    let server = Server::start(|_, _| with_json(200, &json!({"responses": []}))).await;
    server.graph().photo_states(&[user(1)], Priority::Low).await.unwrap();
    let asked = &server.asked()[0];
    assert_eq!(asked.header("x-ms-throttle-priority"), "Low");
    assert_eq!(asked.json()["requests"][0]["headers"]["x-ms-throttle-priority"], "Low");
}
