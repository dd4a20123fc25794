//! Estimates a sweep from a sample: how many photos have to be fetched, with how many requests, in what time.
//!
//! The sample is spread over the users that are left, and its answers show how fast this tenant answers. Nothing is
//! written but the population, which the sweep needs anyway.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use photorelay_core::heads::{self, etag_metadata};
use photorelay_core::id::UserId;
use photorelay_core::storage::Storage;
use photorelay_core::store::BlobStore;
use serde::Serialize;

use super::error::SweepError;
use super::settings::SweepSettings;
use super::{cursor, population, report};
use crate::graph::{Graph, MAX_BATCH, PhotoState, Priority};

/// Batches of the sample.
const SAMPLE: usize = 5;
/// Graph serves a batch four requests at a time, so that a single request takes a fifth of its time.
const WAVES: u32 = 5;
/// Messages of changed users that are handled concurrently, and users of each.
const MESSAGES_AT_ONCE: u32 = 24;
const PEOPLE_AT_ONCE: u32 = 4;
/// A changed user costs one fetch and one read of the metadata.
const REQUESTS_PER_PHOTO: usize = 2;

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

/// Compares a sample and estimates the whole sweep, with the checks that it asks for.
pub(super) async fn forecast(
    graph: &Graph,
    storage: &Storage,
    settings: &SweepSettings,
) -> Result<Forecast, SweepError> {
    let blobs = &*storage.blobs;
    let now = Timestamp::now();
    let done_to = cursor::resumable(&cursor::read(blobs).await?, now).and_then(|current| current.done_to);
    let population = population::refresh(graph, &settings.scope, blobs, now, &|| false).await?;
    let members = population.ok_or(SweepError::EndlessPopulation)?.members;
    let rest = &members[members.partition_point(|member| Some(*member) <= done_to)..];
    let step = rest.len().div_ceil(SAMPLE * MAX_BATCH).max(1);
    let sample: Vec<UserId> = rest.iter().step_by(step).copied().collect();
    let Sample { differing, longest } = compare(graph, blobs, &sample).await?;
    let photos = (rest.len() * differing).div_ceil(sample.len().max(1));
    let batches = rest.len().div_ceil(MAX_BATCH);
    let messages = photos.div_ceil(MAX_BATCH);
    let sweeping = longest * u32::try_from(batches.div_ceil(settings.batches_at_once)).unwrap_or(u32::MAX);
    let single = longest / WAVES;
    let turns = (MAX_BATCH as u32).div_ceil(PEOPLE_AT_ONCE);
    let message = longest + single + single * turns * REQUESTS_PER_PHOTO as u32;
    let fetching = message * u32::try_from(messages).unwrap_or(u32::MAX).div_ceil(MESSAGES_AT_ONCE);
    Ok(Forecast {
        people: members.len(),
        remaining: rest.len(),
        photos,
        requests: batches + 2 * messages + REQUESTS_PER_PHOTO * photos,
        // Photos are fetched while the sweep goes on, and the last ones after it.
        takes: sweeping.max(fetching) + message,
    })
}

struct Sample {
    /// Users whose ETag is not the head's.
    differing: usize,
    /// The slowest batch.
    longest: Duration,
}

async fn compare(graph: &Graph, blobs: &dyn BlobStore, users: &[UserId]) -> Result<Sample, SweepError> {
    let answers = users.chunks(MAX_BATCH).map(|users| async move {
        let asked = Instant::now();
        let states = Box::pin(graph.photo_states(users, Priority::Low)).await?;
        Ok::<_, SweepError>((states, asked.elapsed()))
    });
    let mut sample = Sample { differing: 0, longest: Duration::ZERO };
    for (states, took) in futures::future::try_join_all(answers).await? {
        sample.longest = sample.longest.max(took);
        for (user, state) in states {
            let Ok(PhotoState::Present { media_etag }) = state else { continue };
            let head = heads::read(blobs, user).await?;
            let known = head.and_then(|head| head.media_etag).map(|etag| etag_metadata(&etag));
            sample.differing += usize::from(known != Some(etag_metadata(&media_etag)));
        }
    }
    Ok(sample)
}
