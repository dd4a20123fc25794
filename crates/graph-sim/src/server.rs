//! The way of a call: log, holds, faults, mailbox limit, latency, handler, and the headers that every answer carries.
//!
//! A call goes on to its end when the caller disconnects, as it does at Graph; only its answer is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures::stream;

use crate::auth::Caller;
use crate::faults::Mangled;
use crate::holds::Point;
use crate::inner::Inner;
use crate::journal::{self, BatchItem};
use crate::routes::Route;
use crate::wire::{Answer, Call, Payload};
use crate::{control, locked, photos};

/// Room for a photo that is too large, so that it is refused with Graph's own words.
const LARGEST_BODY: usize = photos::LARGEST_UPLOAD + (1 << 20);
const LOGGED_HEADERS: [&str; 6] =
    ["client-request-id", "user-agent", "if-none-match", "x-ms-throttle-priority", "content-type", "prefer"];

pub(crate) async fn entry(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let task = inner.tasks.spawn(received(inner.clone(), request));
    task.await.unwrap_or_else(|_| {
        let call = Call::new(axum::http::Method::GET, "/", Default::default(), Bytes::new(), false);
        locked(&inner.journal).violation(&call, "the simulator panicked".into());
        let mut response = Response::new(Body::from("the simulator panicked"));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

async fn received(inner: Arc<Inner>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let body = axum::body::to_bytes(body, LARGEST_BODY).await;
    let call = Call::new(head.method, &target, head.headers, body.as_ref().cloned().unwrap_or_default(), false);
    if call.segments.first().is_some_and(|first| first == "_sim") {
        let answer = control::answered(&inner, &call).await;
        return sent(&inner, &call, answer, None);
    }
    locked(&inner.journal).begin();
    let done = match body {
        Ok(_) => performed(&inner, &call, None).await,
        Err(_) => Performed::early(inner.refuse(&call, "body_too_large", &[]), Route::of(&call).template()),
    };
    let request_id = inner.fresh_guid();
    let logged = |name: &&str| Some(((*name).to_owned(), call.header(name)?.to_owned()));
    locked(&inner.journal).end(journal::Request {
        number: 0,
        at: inner.now(),
        request_id,
        method: call.method.to_string(),
        target,
        template: done.template.to_owned(),
        status: done.answer.status,
        headers: LOGGED_HEADERS.iter().filter_map(logged).collect::<BTreeMap<_, _>>(),
        items: done.items,
    });
    let client_request_id = call.header("client-request-id").map_or_else(|| request_id.to_string(), str::to_owned);
    let graph = call.segments.first().is_some_and(|first| first != "msi") && !call.path.ends_with("/token");
    let mut answer = done.answer.finished(request_id, &client_request_id, inner.now());
    if graph {
        answer = answer
            .with("request-id", request_id.to_string())
            .with("client-request-id", client_request_id)
            .with("x-ms-ags-diagnostic", r#"{"ServerInfo":{"DataCenter":"Simulated","Slice":"E","Ring":"1","ScaleUnit":"000","RoleInstance":"SIM00000001"}}"#);
        if matches!(answer.payload, Payload::Json(_)) {
            answer = answer.with("OData-Version", "4.0");
        }
    }
    sent(&inner, &call, answer, done.mangled)
}

/// A call that was carried out.
#[derive(Debug)]
pub(crate) struct Performed {
    pub(crate) answer: Answer,
    pub(crate) template: &'static str,
    items: Vec<BatchItem>,
    mangled: Option<Mangled>,
}

impl Performed {
    fn early(answer: Answer, template: &'static str) -> Self {
        Self { answer, template, items: Vec::new(), mangled: None }
    }
}

/// Carries out a request, or an item of a batch in the name of the batch's caller.
pub(crate) async fn performed(inner: &Arc<Inner>, call: &Call, caller: Option<&Caller>) -> Performed {
    let route = Route::of(call);
    held(inner, call, Point::Before).await;
    let permit = match route.mailbox().and_then(|user| locked(&inner.directory).find(user)) {
        Some(mailbox) => match MailboxPermit::take(inner, mailbox) {
            Some(permit) => Some(permit),
            None => {
                let answer = inner.error("throttled_mailbox", &[]).with("Retry-After", "1");
                return Performed::early(answer, route.template());
            }
        },
        None => None,
    };
    let verdict = {
        let mut dice = locked(&inner.dice).fork();
        locked(&inner.faults).judge(call, &inner.answers, &mut dice)
    };
    // A batch's time is that of its items.
    let own = if route == Route::Batch { 0 } else { inner.between(inner.settings().latency_ms) };
    let latency = verdict.latency_ms + own;
    if latency > 0 {
        tokio::time::sleep(Duration::from_millis(latency)).await;
    }
    let done = match verdict.instead {
        Some(answer) if !verdict.carried_out => Performed::early(answer, route.template()),
        instead => {
            let handled = route.handle(inner, call, caller).await;
            let answer = instead.unwrap_or(handled.answer);
            Performed { answer, template: route.template(), items: handled.items, mangled: verdict.mangled }
        }
    };
    drop(permit);
    held(inner, call, Point::After).await;
    done
}

async fn held(inner: &Inner, call: &Call, point: Point) {
    let caught = locked(&inner.holds).catch(call, point);
    if let Some(caught) = caught {
        caught.released().await;
    }
}

/// A share of one mailbox's concurrency.
#[derive(Debug)]
struct MailboxPermit {
    inner: Arc<Inner>,
    mailbox: usize,
}

impl MailboxPermit {
    fn take(inner: &Arc<Inner>, mailbox: usize) -> Option<Self> {
        let most = inner.settings().mailbox_concurrency;
        let mut mailboxes = locked(&inner.mailboxes);
        let taken = mailboxes.entry(mailbox).or_default();
        if *taken >= most {
            return None;
        }
        *taken += 1;
        Some(Self { inner: inner.clone(), mailbox })
    }
}

impl Drop for MailboxPermit {
    fn drop(&mut self) {
        let mut mailboxes = locked(&self.inner.mailboxes);
        if let Some(taken) = mailboxes.get_mut(&self.mailbox) {
            *taken -= 1;
            if *taken == 0 {
                mailboxes.remove(&self.mailbox);
            }
        }
    }
}

fn sent(inner: &Arc<Inner>, call: &Call, answer: Answer, mangled: Option<Mangled>) -> Response {
    let answer = answer.finished(uuid::Uuid::nil(), "", inner.now());
    let (content_type, bytes) = match answer.payload {
        Payload::Json(value) => {
            let plain = "application/json; charset=utf-8";
            let graph =
                "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";
            let of_graph = call.segments.first().is_some_and(|first| first == "v1.0" || first == "beta");
            (Some(if of_graph { graph } else { plain }.to_owned()), Bytes::from(value.to_string()))
        }
        Payload::Media(content_type, bytes) => (Some(content_type), bytes),
        Payload::Empty | Payload::Error { .. } => (None, Bytes::new()),
    };
    let length = bytes.len();
    let body = match mangled {
        None => Body::from(bytes),
        Some(Mangled::Truncated) => Body::from(bytes.slice(..length / 2)),
        Some(Mangled::Cut) => {
            let first = bytes.slice(..length / 2);
            Body::from_stream(stream::unfold(Some(first), |first| async move {
                if first.is_none() {
                    // The head and the first half must have left, or the caller sees no answer at all.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                let cut = || std::io::Error::other("the connection is cut on purpose");
                Some((first.ok_or_else(cut), None))
            }))
        }
        Some(Mangled::Slow { piece, pause_ms }) => trickled(inner, bytes, piece.max(1), pause_ms),
        Some(Mangled::Endless) => endless(inner, bytes),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if matches!(mangled, Some(Mangled::Cut | Mangled::Slow { .. })) {
        headers.insert("content-length", HeaderValue::from(length));
    }
    let content_type = content_type.map(|value| ("Content-Type", value));
    for (name, value) in content_type.into_iter().chain(answer.headers) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}

fn trickled(inner: &Arc<Inner>, bytes: Bytes, piece: usize, pause_ms: u64) -> Body {
    let stop = inner.stop.clone();
    Body::from_stream(stream::unfold(bytes, move |mut left| {
        let stop = stop.clone();
        async move {
            if left.is_empty() {
                return None;
            }
            let part = left.split_to(piece.min(left.len()));
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(pause_ms)) => Some((Ok::<_, std::io::Error>(part), left)),
                () = stop.cancelled() => None,
            }
        }
    }))
}

/// The answer, then spaces for ever: valid JSON that never ends.
fn endless(inner: &Arc<Inner>, bytes: Bytes) -> Body {
    let stop = inner.stop.clone();
    Body::from_stream(stream::unfold(Some(bytes), move |first| {
        let stop = stop.clone();
        async move {
            if stop.is_cancelled() {
                return None;
            }
            let part = first.unwrap_or_else(|| Bytes::from_static(&[b' '; 16_384]));
            tokio::task::yield_now().await;
            Some((Ok::<_, std::io::Error>(part), None))
        }
    }))
}
