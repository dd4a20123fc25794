//! How many photos a process holds in memory, and how many of them it decodes at once, whatever the number of messages.
//!
//! It only delays. It owns the failure "large photos that come together take all memory".

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;

use super::settings::PropagateSettings;

/// Clones share the room.
#[derive(Debug, Clone)]
pub(super) struct PhotoRoom {
    photos: Arc<Semaphore>,
    decodings: Arc<Semaphore>,
}

/// Held with the bytes of a photo.
pub(super) struct PhotoPlace {
    _permit: Option<OwnedSemaphorePermit>,
}

/// The right to decode one photo.
pub(super) struct Decoding {
    permit: Option<OwnedSemaphorePermit>,
}

impl PhotoRoom {
    pub(super) fn new(settings: &PropagateSettings) -> Self {
        let room = |places: usize| Arc::new(Semaphore::new(places.max(1)));
        Self { photos: room(settings.photos_at_once), decodings: room(settings.decodings_at_once) }
    }

    /// A place for one photo.
    pub(super) async fn enter(&self) -> PhotoPlace {
        // The semaphore is never closed, so that a permit is always given.
        PhotoPlace { _permit: Arc::clone(&self.photos).acquire_owned().await.ok() }
    }

    /// Waits until a photo may be decoded.
    pub(super) async fn decoding(&self) -> Decoding {
        Decoding { permit: Arc::clone(&self.decodings).acquire_owned().await.ok() }
    }
}

impl Decoding {
    /// Decodes off the async threads. An `Err` is a panic.
    pub(super) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        // The permit goes with the work, which goes on if its caller has given up.
        tokio::task::spawn_blocking(move || {
            let _permit = self.permit;
            work()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures::FutureExt;

    use super::*;

    fn room(photos: usize, decodings: usize) -> PhotoRoom {
        let semaphore = |places| Arc::new(Semaphore::new(places));
        PhotoRoom { photos: semaphore(photos), decodings: semaphore(decodings) }
    }

    #[tokio::test]
    async fn a_photo_waits_until_another_one_has_left() {
        let room = room(2, 1);
        let (first, _second) = (room.enter().await, room.enter().await);
        assert!(room.enter().now_or_never().is_none());
        drop(first);
        assert!(room.enter().now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_decoding_that_was_given_up_keeps_its_place_until_it_ends() {
        let room = room(8, 1);
        let (end, ending) = mpsc::channel::<()>();
        let given_up = room.decoding().await.run(move || ending.recv().is_err());
        assert!(Box::pin(given_up).now_or_never().is_none());
        assert!(room.decoding().now_or_never().is_none());
        drop(end);
        assert_eq!(room.decoding().await.run(|| "another").await.unwrap(), "another");
    }
}
