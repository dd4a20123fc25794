//! Photos through `$batch`: only what is surely this user's photo is taken, and all else is asked again by itself.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use photorelay::graph::{BatchedAnswer, GraphError, MAX_PHOTOS_IN_BATCH, Priority};
use photorelay_core::id::UserId;
use serde_json::{Value, json};

use crate::server::{Server, answer, endless, envelope, error, user, with_json};

/// Bytes whose base64 differs between the alphabets and needs padding.
fn face(number: u32) -> Vec<u8> {
    [&[0xff, 0xd8, 0xfb, 0xef, 0xff, 0x3e][..], &number.to_be_bytes()].concat()
}

fn photo(id: impl Into<Value>, body: String) -> Value {
    json!({"id": id.into(), "status": 200, "headers": {"content-TYPE": "image/jpeg; q=1"}, "body": body})
}

fn of(number: u32) -> Value {
    photo(user(number).to_string(), STANDARD.encode(face(number)))
}

fn refused(number: u32, status: u16, code: &str) -> Value {
    json!({"id": user(number).to_string(), "status": status, "body": envelope(code, "")})
}

fn users(numbers: std::ops::Range<u32>) -> Vec<UserId> {
    numbers.map(user).collect()
}

/// What four users get of these items: the number of the face, or what is wrong.
async fn given(items: Vec<Value>) -> Vec<String> {
    let server = Server::start(move |_, _| with_json(200, &json!({"responses": items}))).await;
    let answers = server.graph().photos(&users(0..4), Priority::Low).await;
    assert_eq!(server.count(), 1);
    assert_eq!(answers.iter().map(|(user, _)| *user).collect::<Vec<_>>(), users(0..4));
    let word = |answer: BatchedAnswer<_>| match answer {
        BatchedAnswer::Known(bytes) => (0..10).find(|n| bytes == face(*n)).map_or("?".to_owned(), |n| n.to_string()),
        BatchedAnswer::Failed(error) => format!("wait {:?}", error.retry_after().map(|delay| delay.as_secs())),
        BatchedAnswer::Unclear => "-".to_owned(),
    };
    answers.into_iter().map(|(_, answer)| word(answer)).collect()
}

#[tokio::test]
async fn photos_come_in_any_order_and_in_either_alphabet_with_or_without_padding() {
    let padded = |n: u32| photo(user(n).to_string(), STANDARD.encode(face(n)).replace('+', "-").replace('/', "_"));
    let bare = |n: u32| photo(user(n).to_string(), URL_SAFE_NO_PAD.encode(face(n)));
    let unpadded = |n: u32| photo(user(n).to_string(), STANDARD.encode(face(n)).trim_end_matches('=').to_owned());
    assert_eq!(given(vec![bare(3), of(1), unpadded(0), padded(2)]).await, ["0", "1", "2", "3"]);
}

#[tokio::test]
async fn one_request_asks_for_the_photos_by_the_ids_of_their_users() {
    let server = Server::start(|_, _| with_json(200, &json!({"responses": []}))).await;
    server.graph().photos(&users(0..2), Priority::Low).await;
    let asked = &server.asked()[0];
    assert_eq!((asked.path(), asked.header("x-ms-throttle-priority")), ("/v1.0/$batch", "Low"));
    let item = &asked.json()["requests"][1];
    assert_eq!(item["id"], user(1).to_string());
    assert_eq!(item["url"], format!("/users/{}/photo/$value", user(1)));
}

#[tokio::test]
async fn what_is_not_a_photo_in_a_batch_is_not_believed() {
    let with_type = |number: u32, media_type: &str| {
        let mut item = of(number);
        item["headers"] = json!({"Content-Type": media_type});
        item
    };
    let cases = [
        refused(0, 404, "ImageNotFound"),
        refused(0, 404, "Request_ResourceNotFound"),
        refused(0, 403, "ErrorAccessDenied"),
        refused(0, 500, "InternalServerError"),
        refused(0, 503, "serviceNotAvailable"),
        refused(0, 200, "of no error"),
        json!({"id": user(0).to_string(), "status": 204}),
        json!({"id": user(0).to_string(), "status": 200, "body": STANDARD.encode(face(0))}),
        photo(user(0).to_string(), String::new()),
        photo(user(0).to_string(), "/9j/4AA*".to_owned()),
        photo(user(0).to_string(), "/9j/4".to_owned()),
        with_type(0, "text/html"),
        with_type(0, "application/json"),
    ];
    for wrong in cases {
        assert_eq!(given(vec![of(1), wrong.clone(), of(3), of(2)]).await, ["-", "1", "2", "3"], "{wrong}");
    }
    assert_eq!(given(vec![of(1), of(3)]).await, ["-", "1", "-", "3"], "two are missing");
}

#[tokio::test]
async fn an_answer_that_may_be_of_another_request_gives_no_user_a_face() {
    let swapped = |id: Value, face: u32| {
        let mut item = of(face);
        item["id"] = id;
        item
    };
    let upper = user(0).to_string().to_uppercase();
    let answers = [
        // Of the batch before, or of users who were not asked about.
        vec![of(4), of(5), of(6), of(7)],
        vec![of(0), of(1), of(2), of(9)],
        vec![of(0), of(1), of(2), of(3), of(9)],
        // Twice, alike or not.
        vec![of(0), of(1), of(2), of(3), of(3)],
        vec![of(0), of(1), of(2), swapped(json!(user(2).to_string()), 3)],
        // Numbers in place of the ids, as if by position.
        vec![swapped(json!("1"), 0), swapped(json!("0"), 1), of(2), of(3)],
        vec![swapped(json!(1), 0), of(1), of(2), of(3)],
        vec![swapped(json!(upper), 0), of(1), of(2), of(3)],
        vec![swapped(json!(format!(" {}", user(0))), 0), of(1), of(2), of(3)],
        vec![of(0), json!({"status": 200}), of(2), of(3)],
        vec![of(0), json!("nonsense"), of(2), of(3)],
    ];
    for answer in answers {
        assert_eq!(given(answer.clone()).await, ["-"; 4], "{answer:?}");
    }
}

#[tokio::test]
async fn only_the_users_whom_graph_throttles_wait() {
    let mut throttled = refused(2, 429, "TooManyRequests");
    throttled["headers"] = json!({"Retry-After": "12.5"});
    assert_eq!(given(vec![of(3), throttled, of(0), of(1)]).await, ["0", "1", "wait Some(13)", "3"]);
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused_unread() {
    let server = Server::start(|_, _| endless("application/json")).await;
    let answers = server.graph().photos(&users(0..4), Priority::Normal).await;
    assert!(answers.iter().all(|(_, answer)| matches!(answer, BatchedAnswer::Unclear)), "{answers:?}");

    // Announces too much and never sends any of it: it would have to be waited for.
    let server = Server::start(|_, _| {
        let nothing = futures::stream::pending::<Result<axum::body::Bytes, std::io::Error>>();
        answer(200).header("content-length", 64 << 20).body(axum::body::Body::from_stream(nothing)).unwrap()
    })
    .await;
    let answers = server.graph().photos(&users(0..4), Priority::Normal).await;
    assert!(answers.iter().all(|(_, answer)| matches!(answer, BatchedAnswer::Unclear)), "{answers:?}");
    assert_eq!(server.count(), 1, "halves are not tried");
}

#[tokio::test]
async fn a_batch_that_fails_for_one_user_is_unclear_and_one_that_fails_for_all_is_a_failure() {
    for status in [400, 500] {
        let server = Server::start(move |_, _| error(status, "whatever", "")).await;
        let answers = server.graph().photos(&users(0..2), Priority::Normal).await;
        assert!(answers.iter().all(|(_, answer)| matches!(answer, BatchedAnswer::Unclear)), "{status}: {answers:?}");
    }
    let server = Server::start(|_, _| answer(429).header("retry-after", "30").body("".into()).unwrap()).await;
    for (_, answer) in server.graph().photos(&users(0..2), Priority::Normal).await {
        let BatchedAnswer::Failed(GraphError::Throttled { retry_after, .. }) = answer else { panic!("{answer:?}") };
        assert_eq!(retry_after.unwrap().as_secs(), 30);
    }
    let many = u32::try_from(MAX_PHOTOS_IN_BATCH).unwrap() + 1;
    let answers = server.graph().photos(&users(0..many), Priority::Normal).await;
    assert!(answers.iter().all(|(_, answer)| matches!(answer, BatchedAnswer::Unclear)));
    assert_eq!(server.count(), 1, "more than a batch takes is not asked for");
}
