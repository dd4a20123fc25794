//! What the tests share that let everything go wrong at once.

use tempfile::TempDir;

use crate::world::fixture;

const SEED: u64 = 20_260_524;

/// Quick to draw, and larger than the directory's copy, so that none of them can be an echo.
pub fn small_pictures() -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in ["astronaut-240.jpg", "coffee-120.gif"] {
        std::fs::write(folder.path().join(name), fixture(name)).unwrap();
    }
    folder
}

#[expect(clippy::disallowed_methods, reason = "a failure is repeated by the seed that it printed")]
pub fn seed() -> u64 {
    std::env::var("PHOTORELAY_TEST_SEED").map_or(SEED, |seed| seed.parse().expect("PHOTORELAY_TEST_SEED is a number"))
}
