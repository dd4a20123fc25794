//! The guarantees of every storage backend, tested on each of them, and the behaviour of single backends.
//!
//! The embedded store always runs. Azurite is started by `cargo xtask test`, which sets the variables that
//! [`bench`] reads; without them these tests fail and are never skipped.

mod azurite;
mod bench;
mod blobs;
mod consumer;
mod embedded_blobs;
#[cfg(target_os = "linux")]
mod embedded_durability;
mod embedded_queues;
mod population;
mod queues;
mod trails;
mod verify;
mod verify_checkpoints;
mod verify_receipts;

/// Runs functions of a suite as tests on every backend.
macro_rules! on_every_backend {
    ($($test:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&crate::bench::Bench::embedded().await).await;
            })+
        }
        mod azurite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&crate::bench::Bench::azurite().await).await;
            })+
        }
    };
}
pub(crate) use on_every_backend;
