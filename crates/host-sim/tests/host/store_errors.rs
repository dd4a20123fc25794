//! What the queue service answers decides whether the host waits, goes on, or ends.

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use host_sim::WorkerState;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;
use uuid::Uuid;

use crate::queues::Queue;
use crate::{PATIENCE, comes_to};

/// An error of the queue service.
type ServiceError = (u16, &'static str);

/// A queue service that gives this answer to everything, or has one message and gives it to every change of that.
async fn answering((status, code): ServiceError, has_message: bool) -> (Url, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/account?sig=x", listener.local_addr().unwrap())).unwrap();
    let status = StatusCode::from_u16(status).unwrap();
    let answer = move |method: Method| async move {
        match method == Method::GET && has_message {
            true => (StatusCode::OK, [("content-type", "application/xml")], MESSAGE).into_response(),
            false => (status, [("x-ms-error-code", code)]).into_response(),
        }
    };
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await.unwrap() });
    (url, server)
}

const MESSAGE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><QueueMessagesList><QueueMessage>\
    <MessageId>5974b586-0df3-4e2d-ad0c-18e3892bfca2</MessageId><PopReceipt>AgAAAA==</PopReceipt>\
    <InsertionTime>Fri, 09 Oct 2026 21:04:30 GMT</InsertionTime><ExpirationTime>Fri, 16 Oct 2026 21:04:30 GMT\
    </ExpirationTime><TimeNextVisible>Fri, 09 Oct 2026 23:29:20 GMT</TimeNextVisible><DequeueCount>1</DequeueCount>\
    <MessageText>d29yaw==</MessageText></QueueMessage></QueueMessagesList>";

async fn listening_to(service: Url) -> Queue {
    let name = format!("q-{}", Uuid::new_v4());
    let dir = Queue::package(&name, &json!({ "maxPollingInterval": "00:00:00.1" }), &json!({}));
    Queue::of(name, dir, "", |options| options.queue_service = Some(service)).await
}

/// The host that has this queue service ends.
async fn ends(service: Url) {
    let queue = listening_to(service).await;
    let is_ended = |state: &WorkerState| matches!(state, WorkerState::ShutDown(why) if why.contains("unhandled"));
    comes_to(&queue.running, is_ended).await;
}

#[tokio::test]
async fn a_store_that_refuses_the_host_or_cannot_be_reached_ends_it() {
    let nowhere = Url::parse("http://127.0.0.1:1/account?sig=x").unwrap();
    for error in [
        (401, "InvalidAuthenticationInfo"),
        (403, "AuthorizationPermissionMismatch"),
        (400, "InvalidHeaderValue"),
        (404, "ResourceNotFound"),
        // The extension's name for this check promises more than it does.
        (409, "QueueDisabled"),
    ] {
        let (service, _server) = answering(error, false).await;
        ends(service).await;
    }
    ends(nowhere).await;
}

#[tokio::test]
async fn a_store_that_cannot_serve_the_host_now_is_asked_again() {
    for error in [(404, "QueueNotFound"), (409, "QueueBeingDeleted"), (500, "InternalError"), (503, "ServerBusy")] {
        let (service, _server) = answering(error, false).await;
        let queue = listening_to(service).await;
        let mut log = queue.running.log();
        let twice = log.wait_for(|all| all.iter().filter(|line| line.contains("cannot be read")).count() == 2);
        tokio::time::timeout(PATIENCE, twice).await.unwrap_or_else(|_| panic!("{error:?}")).unwrap();
        assert!(!matches!(&*queue.running.state().borrow(), WorkerState::ShutDown(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_message_that_was_handled_and_cannot_be_deleted_ends_the_host_unless_it_is_gone() {
    for error in [(403, "AuthorizationPermissionMismatch"), (500, "InternalError")] {
        let (service, _server) = answering(error, true).await;
        ends(service).await;
    }
    for error in [(400, "PopReceiptMismatch"), (404, "MessageNotFound")] {
        let (service, _server) = answering(error, true).await;
        let queue = listening_to(service).await;
        queue.invoked(2).await;
        assert!(!matches!(&*queue.running.state().borrow(), WorkerState::ShutDown(_)), "{error:?}");
    }
}
