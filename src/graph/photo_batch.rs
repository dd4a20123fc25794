//! The photos of a few users in one `$batch`, in base64.
//!
//! A batch is believed only where it gives a photo or asks to slow down. Anything else it says of a user, a photo that is
//! not found above all, is `Unclear`: the user has to be asked about alone. Items are named by the user's id, and an
//! answer with an item that was not asked for, or with two for one user, is not believed at all. It owns the failure
//! "an answer belongs to another request": it must never give a user the photo of another one.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use jiff::Timestamp;
use photorelay_core::id::UserId;
use reqwest::Method;
use serde_json::{Value, json};

use super::batch::{WireBatch, WireItem, item_response};
use super::client::Graph;
use super::error::{GraphError, RequestContext};
use super::photo::{FETCH_PHOTO, NEEDS, PhotoState, may_be_photo, media_type};
use super::request::{PRIORITY_HEADER, PRIORITY_LOW, Priority, Request};

/// Graph carries out four photo requests of a batch at a time, so that more of them in one batch only wait. The answer is
/// limited like all JSON, before it is parsed.
pub const MAX_PHOTOS_IN_BATCH: usize = 4;

/// Users whose metadata Graph reads in two turns. Batches of as many, side by side, are answered sooner than a full one,
/// for more requests.
pub const PROMPT_STATES: usize = 2 * MAX_PHOTOS_IN_BATCH;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a batch says about one user.
#[derive(Debug, Clone)]
pub enum BatchedAnswer<T> {
    Known(T),
    /// The same would happen to a request of the user's own.
    Failed(GraphError),
    /// Only a request of the user's own can tell.
    Unclear,
}

impl Graph {
    /// What Graph says about the photos of up to [`MAX_BATCH`](super::MAX_BATCH) users who were asked about before.
    pub async fn photo_states_again(
        &self,
        users: &[UserId],
        priority: Priority,
    ) -> Vec<(UserId, BatchedAnswer<PhotoState>)> {
        let states = match self.photo_states(users, priority).await {
            Ok(states) => states,
            Err(error) => return all(users, || BatchedAnswer::Failed(error.clone())),
        };
        let believed = |state| match state {
            Ok(state @ PhotoState::Present { .. }) => BatchedAnswer::Known(state),
            Err(error) if asks_to_wait(&error) => BatchedAnswer::Failed(error),
            Ok(_) | Err(_) => BatchedAnswer::Unclear,
        };
        states.into_iter().map(|(user, state)| (user, believed(state))).collect()
    }

    /// The largest photos of up to [`MAX_PHOTOS_IN_BATCH`] users in one request, in the order of `users`.
    pub async fn photos(&self, users: &[UserId], priority: Priority) -> Vec<(UserId, BatchedAnswer<Bytes>)> {
        match self.photo_batch(users, priority).await {
            Ok(answers) => answers,
            // One of the users, or the size of all photos, may be the reason.
            Err(error) if error.may_concern_one_user() => all(users, || BatchedAnswer::Unclear),
            Err(error) => all(users, || BatchedAnswer::Failed(error.clone())),
        }
    }

    async fn photo_batch(
        &self,
        users: &[UserId],
        priority: Priority,
    ) -> Result<Vec<(UserId, BatchedAnswer<Bytes>)>, GraphError> {
        if users.len() > MAX_PHOTOS_IN_BATCH {
            return Ok(all(users, || BatchedAnswer::Unclear));
        }
        let requests: Vec<Value> = users.iter().map(|user| item(*user, priority)).collect();
        let request = Request::new(FETCH_PHOTO, NEEDS, Method::POST, self.transport.url(&["$batch"]))
            .priority(priority)
            .json(&json!({"requests": requests}));
        let answer = self.transport.send(request).await?;
        if !answer.status.is_success() {
            return Err(answer.into_error());
        }
        let batch: WireBatch<'_> = answer.parse()?;
        let Some(items) = batch.named(users) else {
            tracing::warn!("a batch of photos was answered with items that were not asked for; none is believed");
            return Ok(all(users, || BatchedAnswer::Unclear));
        };
        self.transport.note_throttling(items.iter().flatten().map(WireItem::throttling));
        let now = Timestamp::now();
        Ok(users.iter().zip(items).map(|(user, item)| (*user, believed(item, *user, &answer.trace, now))).collect())
    }
}

fn all<T>(users: &[UserId], answer: impl Fn() -> BatchedAnswer<T>) -> Vec<(UserId, BatchedAnswer<T>)> {
    users.iter().map(|user| (*user, answer())).collect()
}

fn item(user: UserId, priority: Priority) -> Value {
    let mut item = json!({"id": user.to_string(), "method": "GET", "url": format!("/users/{user}/photo/$value")});
    if priority == Priority::Low {
        item["headers"][PRIORITY_HEADER] = json!(PRIORITY_LOW);
    }
    item
}

fn believed(item: Option<WireItem<'_>>, user: UserId, outer: &RequestContext, now: Timestamp) -> BatchedAnswer<Bytes> {
    let Some(item) = item else { return BatchedAnswer::Unclear };
    if item.status == 200 {
        return photo(&item).map_or(BatchedAnswer::Unclear, BatchedAnswer::Known);
    }
    match item_response(Some(item), user, NEEDS, outer, now).map(|item| item.into_error()) {
        Ok(error) if asks_to_wait(&error) => BatchedAnswer::Failed(error),
        _ => BatchedAnswer::Unclear,
    }
}

/// A request of the user's own would be refused as well, or must not be sent yet.
fn asks_to_wait(error: &GraphError) -> bool {
    matches!(error, GraphError::Throttled { .. }) || error.retry_after().is_some()
}

/// The bytes, if the item is of a photo's type and its body is base64, in either alphabet and padded or not.
fn photo(item: &WireItem<'_>) -> Option<Bytes> {
    let content_type = media_type(&item.header("content-type")?);
    let text: String = serde_json::from_str(item.body?.get()).ok()?;
    if content_type.is_empty() || !may_be_photo(&content_type) {
        return None;
    }
    let bytes = match text.contains(['-', '_']) {
        true => BASE64.decode(text.replace('-', "+").replace('_', "/")),
        false => BASE64.decode(&text),
    };
    bytes.ok().filter(|bytes| !bytes.is_empty()).map(Bytes::from)
}
