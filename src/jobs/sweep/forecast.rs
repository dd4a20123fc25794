//! Estimates a sweep from a sample: how many photos have to be fetched, with how many requests, in what time.
//!
//! The sample is spread over the users that are left, and its answers show how fast this tenant answers. Nothing is
//! written but the population, which the sweep needs anyway. In an empty store the fill itself begins meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use photorelay_core::heads::{self, etag_metadata};
use photorelay_core::id::UserId;
use photorelay_core::storage::Storage;
use photorelay_core::store::BlobStore;
use photorelay_core::trace::TraceContext;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::error::SweepError;
use super::settings::SweepSettings;
use super::{cursor, early_checks, population, report};
use crate::graph::{Graph, MAX_BATCH, MAX_PHOTOS_IN_BATCH, MOST_REQUESTS_AT_ONCE, PROMPT_STATES, PhotoState, Priority};

/// Requests of the sample, each about as many users as Graph serves at once, so that its time is that of a single one.
const SAMPLE: usize = 25;
/// Messages that are handled concurrently.
const MESSAGES_AT_ONCE: usize = 48;

/// Estimates; only the numbers of users are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    pub people: usize,
    /// Users that the sweep under way has not reached yet; all if there is none.
    pub remaining: usize,
    /// Photos that have to be fetched.
    pub photos: usize,
    pub requests: usize,
    #[serde(rename = "takesMs", serialize_with = "report::milliseconds")]
    pub takes: Duration,
}

/// A forecast, and the users whose check was sent while the tenant was listed, in the order of ids.
#[derive(Debug)]
pub struct ForecastFill {
    pub forecast: Forecast,
    pub checked: Arc<[UserId]>,
}

/// Compares a sample and estimates the whole first fill: every user is checked, and those with a photo are captured. None
/// if it was stopped before all users were listed.
pub(super) async fn forecast(
    graph: &Graph,
    storage: &Storage,
    settings: &SweepSettings,
    stop: &CancellationToken,
    trace: &TraceContext,
) -> Result<Option<ForecastFill>, SweepError> {
    let (blobs, scope, now) = (&*storage.blobs, &settings.scope, Timestamp::now());
    let done_to = cursor::resumable(&cursor::read(blobs).await?, now).and_then(|current| current.done_to);
    let (listed, early) = mpsc::unbounded_channel();
    let is_empty = early_checks::are_wanted(scope, blobs).await?;
    let is_over = || stop.is_cancelled();
    let listing = population::refresh(graph, scope, blobs, now, &is_over, is_empty.then_some(listed));
    let checking = async { Ok(early_checks::send(early, &*storage.queues, trace).await?) };
    let (Some(population), checked) = tokio::try_join!(listing, checking)? else { return Ok(None) };
    let members = population.members;
    let rest = &members[members.partition_point(|member| Some(*member) <= done_to)..];
    let step = rest.len().div_ceil(SAMPLE * MAX_PHOTOS_IN_BATCH).max(1);
    let sample: Vec<UserId> = rest.iter().step_by(step).copied().collect();
    // What is captured meanwhile was to be fetched.
    let Sample { differing, longest } = compare(graph, blobs, &sample, is_empty).await?;
    let photos = (rest.len() * differing).div_ceil(sample.len().max(1));
    let messages = rest.len().div_ceil(MAX_BATCH);
    let photos_of_message = photos.div_ceil(messages.max(1));
    // The metadata of all and beside them their properties, the photos, and the metadata of those with a photo. Batches of
    // a message run side by side, so that each of the three takes as long as the turns of one batch.
    let turns_of = |users: usize| users.min(PROMPT_STATES).div_ceil(MAX_PHOTOS_IN_BATCH);
    let requests_of_message = MAX_BATCH.div_ceil(PROMPT_STATES)
        + 1
        + photos_of_message.div_ceil(MAX_PHOTOS_IN_BATCH)
        + photos_of_message.div_ceil(PROMPT_STATES);
    let turns = messages.div_ceil(MESSAGES_AT_ONCE);
    // With few users the turns of one message take the time, with many the number of requests under way does.
    let turns_of_message = turns_of(MAX_BATCH) + 1 + turns_of(photos_of_message);
    let requests_in_turn = messages.min(MESSAGES_AT_ONCE) * requests_of_message;
    let waves = turns_of_message.max(requests_in_turn.div_ceil(MOST_REQUESTS_AT_ONCE));
    let forecast = Forecast {
        people: members.len(),
        remaining: rest.len(),
        photos,
        requests: messages * requests_of_message,
        takes: longest * u32::try_from(waves * turns).unwrap_or(u32::MAX),
    };
    Ok(Some(ForecastFill { forecast, checked: checked.into() }))
}

struct Sample {
    /// Users whose ETag is not the head's.
    differing: usize,
    /// The slowest request.
    longest: Duration,
}

async fn compare(
    graph: &Graph,
    blobs: &dyn BlobStore,
    users: &[UserId],
    was_empty: bool,
) -> Result<Sample, SweepError> {
    let answers = users.chunks(MAX_PHOTOS_IN_BATCH).map(|users| async move {
        let asked = Instant::now();
        // How long it takes must not say how many checks wait before it.
        let priority = if was_empty { Priority::Normal } else { Priority::Low };
        let states = Box::pin(graph.photo_states(users, priority)).await?;
        Ok::<_, SweepError>((states, asked.elapsed()))
    });
    let mut sample = Sample { differing: 0, longest: Duration::ZERO };
    for (states, took) in futures::future::try_join_all(answers).await? {
        sample.longest = sample.longest.max(took);
        for (user, state) in states {
            let Ok(PhotoState::Present { media_etag }) = state else { continue };
            let head = if was_empty { None } else { heads::read(blobs, user).await? };
            let known = head.and_then(|head| head.media_etag).map(|etag| etag_metadata(&etag));
            sample.differing += usize::from(known != Some(etag_metadata(&media_etag)));
        }
    }
    Ok(sample)
}
