//! Photos: every shape of "no photo", batches in any order, bytes within limits.

use axum::body::Body;
use photorelay::graph::{FetchedPhoto, GraphError, MAX_PHOTO_BYTES, PhotoState, Priority};
use serde_json::{Value, json};

use crate::server::{Server, answer, cut, endless, envelope, error, user, with_json};

fn metadata(etag: &str) -> Value {
    json!({"@odata.context": "...", "id": "240x240", "width": 240, "height": 240,
        "@odata.mediaContentType": "image/jpeg", "@odata.mediaEtag": etag, "somethingNew": {"a": 1}})
}

fn item(id: impl Into<Value>, status: u16, body: &Value) -> Value {
    json!({"id": id.into(), "status": status, "headers": {"Content-Type": "application/json"}, "body": body})
}

#[tokio::test]
async fn every_shape_of_no_photo_is_absent() {
    let one_pixel =
        json!({"@odata.mediaContentType": "image/gif", "@odata.mediaEtag": "", "id": "1X1", "width": 1, "height": 1});
    let shapes = [
        (404, envelope("ImageNotFound", "Exception of type 'ImageNotFoundException' was thrown.").to_string()),
        (404, envelope("ErrorEntityNotFound", "").to_string()),
        (404, envelope("ErrorItemNotFound", "The photo wasn't found.").to_string()),
        (404, envelope("ErrorNonExistentMailbox", "").to_string()),
        (404, String::new()),
        (200, one_pixel.to_string()),
        (200, String::new()),
        (200, metadata("").to_string()),
        (200, metadata("\"\"").to_string()),
        (200, json!({"id": "9x9", "@odata.mediaEtag": null}).to_string()),
    ];
    for (status, body) in shapes {
        let served = body.clone();
        let server = Server::start(move |_, _| answer(status).body(served.clone().into()).unwrap()).await;
        let state = server.graph().photo_state(user(1)).await.unwrap();
        let PhotoState::Absent { shape } = state else { panic!("{status} {body}: {state:?}") };
        assert!(shape.starts_with(&status.to_string()), "{shape}");
    }
}

#[tokio::test]
async fn an_unknown_user_is_told_from_a_missing_photo() {
    let server = Server::start(|_, _| error(404, "Request_ResourceNotFound", "Resource does not exist")).await;
    assert_eq!(server.graph().photo_state(user(1)).await.unwrap(), PhotoState::NoSuchUser);
    assert_eq!(server.graph().photo(user(1)).await.unwrap(), FetchedPhoto::NoSuchUser);
}

#[tokio::test]
async fn a_404_of_something_in_between_does_not_make_a_photo_absent() {
    let server = Server::start(|_, _| {
        axum::http::Response::builder().status(404).body(Body::from("<html>no such site</html>")).unwrap()
    })
    .await;
    for refused in
        [server.graph().photo_state(user(1)).await.unwrap_err(), server.graph().photo(user(1)).await.unwrap_err()]
    {
        assert!(matches!(refused, GraphError::BadAnswer { .. }), "{refused}");
    }
}

#[tokio::test]
async fn the_etag_keeps_its_quotes_and_one_that_cannot_be_kept_is_refused() {
    let server = Server::start(|number, _| {
        with_json(200, &metadata(["\"BA09D118\"", "\"caf\u{e9}\"", "W/\"ok\""].get(number).unwrap_or(&"")))
    })
    .await;
    let graph = server.graph();
    assert_eq!(
        graph.photo_state(user(1)).await.unwrap(),
        PhotoState::Present { media_etag: "\"BA09D118\"".to_owned() }
    );
    assert!(matches!(graph.photo_state(user(1)).await, Err(GraphError::BadAnswer { .. })));
    assert!(matches!(graph.photo_state(user(1)).await, Ok(PhotoState::Present { .. })));
}

#[tokio::test]
async fn one_batch_is_answered_in_any_order_and_matched_by_id() {
    let server = Server::start(|_, asked| {
        let mut responses: Vec<Value> = asked.json()["requests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|request| {
                let url = request["url"].as_str().unwrap();
                let number = &url["/users/1f2c0b0e-0000-4000-8000-".len()..url.len() - "/photo".len()];
                item(request["id"].clone(), 200, &metadata(&format!("\"{number}\"")))
            })
            .collect();
        responses.reverse();
        responses.swap(3, 11);
        with_json(200, &json!({"responses": responses}))
    })
    .await;
    let users: Vec<_> = (0..20).map(user).collect();
    let states = server.graph().photo_states(&users, Priority::Normal).await.unwrap();
    assert_eq!(server.count(), 1);
    assert_eq!(server.asked()[0].path(), "/v1.0/$batch");
    assert_eq!(states.iter().map(|(user, _)| *user).collect::<Vec<_>>(), users);
    for (number, (_, state)) in states.into_iter().enumerate() {
        assert_eq!(state.unwrap(), PhotoState::Present { media_etag: format!("\"{number:012}\"") });
    }
}

#[tokio::test]
async fn each_item_of_a_batch_stands_for_itself() {
    let server = Server::start(|_, _| {
        let mut throttled = item("1", 429, &envelope("TooManyRequests", "Please retry"));
        throttled["headers"] = json!({"retry-AFTER": "12.5", "Request-Id": "item-1"});
        with_json(
            200,
            &json!({"responses": [
                item("5", 503, &Value::Null),
                throttled,
                item("7", 200, &Value::String("/9j/4AAQ".to_owned())),
                item("0", 404, &envelope("ImageNotFound", "")),
                item("3", 403, &envelope("Authorization_RequestDenied", "")),
                item(4, 200, &metadata("\"E\"")),
                item("6", 404, &envelope("Request_ResourceNotFound", "")),
                item("99", 200, &metadata("\"nobody asked\"")),
                {"nonsense": true}, "nonsense",
            ]}),
        )
    })
    .await;
    let users: Vec<_> = (0..8).map(user).collect();
    let states = server.graph().photo_states(&users, Priority::Normal).await.unwrap();
    let state = |index: usize| &states[index].1;
    assert!(matches!(state(0), Ok(PhotoState::Absent { shape }) if shape == "404 ImageNotFound"));
    let throttled = state(1).as_ref().unwrap_err();
    assert!(matches!(throttled, GraphError::Throttled { .. }), "{throttled}");
    assert_eq!(throttled.retry_after().unwrap().as_secs(), 13);
    assert_eq!(throttled.trace().user, Some(user(1)));
    let unanswered = state(2).as_ref().unwrap_err();
    assert!(matches!(unanswered, GraphError::Unavailable { .. }) && unanswered.is_transient(), "{unanswered}");
    assert!(matches!(state(3), Err(GraphError::Denied { .. })));
    assert!(matches!(state(4), Ok(PhotoState::Present { .. })), "an id may come back as a number");
    assert!(matches!(state(5), Err(GraphError::Unavailable { .. })));
    assert!(matches!(state(6), Ok(PhotoState::NoSuchUser)));
    assert!(matches!(state(7), Err(GraphError::BadAnswer { .. })));
    assert_eq!(server.count(), 1, "items are not asked for again here");
}

#[tokio::test]
async fn an_empty_batch_asks_nothing_and_a_large_one_is_refused() {
    let server = Server::start(|_, _| with_json(200, &json!({"responses": []}))).await;
    assert!(server.graph().photo_states(&[], Priority::Normal).await.unwrap().is_empty());
    let users: Vec<_> = (0..21).map(user).collect();
    let refused = server.graph().photo_states(&users, Priority::Normal).await.unwrap_err();
    assert!(matches!(refused, GraphError::Invalid { .. }));
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_photo_comes_with_its_bytes_and_type() {
    let server = Server::start(|_, _| {
        answer(200).header("content-type", "image/JPEG; q=1").body(Body::from(&b"\xff\xd8photo"[..])).unwrap()
    })
    .await;
    let photo = server.graph().photo(user(3)).await.unwrap();
    let expected = FetchedPhoto::Photo { bytes: b"\xff\xd8photo"[..].into(), content_type: Some("image/jpeg".into()) };
    assert_eq!(photo, expected);
    assert_eq!(server.asked()[0].path(), format!("/v1.0/users/{}/photo/$value", user(3)));
}

#[tokio::test]
async fn a_photo_that_is_cut_is_never_taken_for_whole() {
    let server = Server::start(|_, _| cut(1000, b"\xff\xd8only the beginning")).await;
    let refused = server.graph().photo(user(1)).await.unwrap_err();
    assert!(matches!(refused, GraphError::Unavailable { .. }) && refused.is_transient(), "{refused}");
}

#[tokio::test]
async fn a_cut_photo_is_fetched_again() {
    let server = Server::start(|number, _| {
        if number == 0 { cut(1000, b"\xff\xd8") } else { answer(200).body(Body::from("whole")).unwrap() }
    })
    .await;
    let photo = server.graph().photo(user(1)).await.unwrap();
    assert_eq!(photo, FetchedPhoto::Photo { bytes: b"whole"[..].into(), content_type: None });
}

#[tokio::test]
async fn a_photo_over_the_limit_is_not_read_to_the_end() {
    let server = Server::start(|_, _| endless("image/jpeg")).await;
    assert_eq!(server.graph().photo(user(1)).await.unwrap(), FetchedPhoto::TooLarge { bytes: None });

    // Announces a byte too many and never sends any: whoever waited for them would wait for ever.
    let server = Server::start(|_, _| {
        let nothing = futures::stream::pending::<Result<axum::body::Bytes, std::io::Error>>();
        answer(200)
            .header("content-type", "image/jpeg")
            .header("content-length", MAX_PHOTO_BYTES + 1)
            .body(Body::from_stream(nothing))
            .unwrap()
    })
    .await;
    let announced = FetchedPhoto::TooLarge { bytes: Some(MAX_PHOTO_BYTES + 1) };
    assert_eq!(server.graph().photo(user(1)).await.unwrap(), announced);
}

#[tokio::test]
async fn a_photo_of_exactly_the_limit_is_taken() {
    let size = usize::try_from(MAX_PHOTO_BYTES).unwrap();
    let server = Server::start(move |_, _| answer(200).body(Body::from(vec![7; size])).unwrap()).await;
    let photo = server.graph().photo(user(1)).await.unwrap();
    assert!(matches!(photo, FetchedPhoto::Photo { bytes, .. } if bytes.len() == size));
}

#[tokio::test]
async fn a_page_in_place_of_a_photo_is_a_bad_answer_and_no_bytes_are_no_photo() {
    for content_type in ["text/html", "application/json"] {
        let server =
            Server::start(move |_, _| answer(200).header("content-type", content_type).body(Body::from("{}")).unwrap())
                .await;
        assert!(matches!(server.graph().photo(user(1)).await, Err(GraphError::BadAnswer { .. })), "{content_type}");
    }
    let server =
        Server::start(|_, _| answer(200).header("content-type", "image/gif").body(Body::empty()).unwrap()).await;
    assert!(matches!(server.graph().photo(user(1)).await, Ok(FetchedPhoto::Absent { .. })));
}
