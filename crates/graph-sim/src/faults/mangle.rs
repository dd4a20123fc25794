//! Bodies that are cut, truncated, slowed down or never end.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio_util::sync::CancellationToken;

use super::rule::Fault;

/// What is done to the body of a response on its way out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BodyFault {
    Cut,
    Truncated,
    Slow { piece: usize, pause_ms: u64 },
    Endless,
}

impl BodyFault {
    pub(crate) fn of(fault: &Fault) -> Option<Self> {
        match *fault {
            Fault::CutBody => Some(Self::Cut),
            Fault::Truncated => Some(Self::Truncated),
            Fault::SlowBody { piece, pause_ms } => Some(Self::Slow { piece: piece.max(1), pause_ms }),
            Fault::EndlessBody => Some(Self::Endless),
            _ => None,
        }
    }

    /// Whether the response announces the length of the whole body.
    pub(crate) fn announces_length(self) -> bool {
        matches!(self, Self::Cut | Self::Slow { .. })
    }

    /// The body as it is sent, until `stop`.
    pub(crate) fn mangled(self, body: Bytes, stop: CancellationToken) -> BoxStream<'static, io::Result<Bytes>> {
        let half = body.slice(..body.len() / 2);
        match self {
            Self::Truncated => stream::iter([Ok(half)]).boxed(),
            Self::Cut => cut(half).boxed(),
            Self::Slow { piece, pause_ms } => {
                trickle(body, piece, Duration::from_millis(pause_ms)).take_until(stop.cancelled_owned()).boxed()
            }
            Self::Endless => endless(body).take_until(stop.cancelled_owned()).boxed(),
        }
    }
}

fn cut(first: Bytes) -> impl stream::Stream<Item = io::Result<Bytes>> {
    let end = stream::once(async {
        // The head and the first half must have left, or the caller sees no response at all.
        tokio::time::sleep(Duration::from_millis(10)).await;
        Err(io::Error::other("the connection is cut on purpose"))
    });
    stream::iter([Ok(first)]).chain(end)
}

fn trickle(body: Bytes, piece: usize, pause: Duration) -> impl stream::Stream<Item = io::Result<Bytes>> {
    stream::unfold(body, move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        let part = left.split_to(piece.min(left.len()));
        tokio::time::sleep(pause).await;
        Some((Ok(part), left))
    })
}

/// The body, then spaces forever: valid JSON that never ends.
fn endless(body: Bytes) -> impl stream::Stream<Item = io::Result<Bytes>> {
    let spaces = stream::repeat_with(|| Ok(Bytes::from_static(&[b' '; 16_384]))).then(async |part| {
        tokio::task::yield_now().await;
        part
    });
    stream::iter([Ok(body)]).chain(spaces)
}
