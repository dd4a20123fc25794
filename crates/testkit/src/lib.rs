//! What the tests of the app and of the agent share: the whole system in one process, its programs as child processes,
//! and the services around them.
//!
//! It starts systems, drives them and reads what they left; what a test expects stays in the test.

#![expect(missing_debug_implementations, reason = "tests print what they compare, never a whole system")]

pub mod agent;
pub mod answers;
pub mod azurite;
pub mod chaos;
pub mod hosted;
pub mod process;
pub mod samba;
mod variables;
pub mod world;
