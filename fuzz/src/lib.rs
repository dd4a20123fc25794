//! What the fuzz targets share. `cargo xtask campaign fuzz` builds and runs them.
//!
//! Each program in `src/bin` is the target of one family of parsers: it hands libFuzzer's input to the same public code
//! that production calls, and asserts what is promised of the result. A panic is a finding, and so are too much memory,
//! too much time and a stack that is exhausted.

pub mod ber;
mod guard;
mod memory;
mod script;
mod services;

pub use guard::{Limits, contain_panics, guard, watch_panics};
pub use memory::MemoryStore;
pub use script::Script;
pub use services::{block_on, functions, impatient_graph, manifest};

/// Seeds and dictionaries hold this word where a secret or a name may be.
pub const SECRET: &str = "c4-nary";

/// No text for logs repeats what may be secret in the input.
pub fn assert_tells_no_secret(text: &str) {
    assert!(!text.contains(SECRET), "a secret of the input is repeated: {text}");
}

/// A text for logs is one short line.
pub fn assert_one_line(text: &str) {
    assert!(!text.contains(char::is_control), "not one line: {text:?}");
    assert!(text.len() < 2048, "{} bytes", text.len());
}
