//! Brings one user in one target up to the audit trail.
//!
//! `reconciler` owns the order, which is what makes it safe. Each of the other parts may touch only its own blobs:
//! `trail` reads entries and photos, `permission` and `deletion_threshold` say what operators decided and what goes
//! through without them, `deciding` draws the conclusion, `receipt_writer` leaves the proof. `plan` and `undo` are what operators ask for.

mod companions;
mod deciding;
mod deletion_threshold;
mod error;
mod holding;
mod next_step;
mod outcome;
mod permission;
mod plan;
mod population;
pub(crate) mod receipt_reader;
pub(crate) mod receipt_writer;
mod reconciler;
mod settings;
mod succession;
pub(crate) mod trail;
mod turn;
mod undo;
mod undo_request;

pub use error::WriteBackError;
pub use outcome::WritebackOutcome;
pub(crate) use outcome::{ReceivedMessage, Settlement};
pub use plan::{DriftState, Plan};
pub(crate) use plan::{PlannedStep, PlannedUser};
pub use reconciler::Reconciler;
pub use settings::WritebackSettings;
pub use undo::{ClearingLimit, UndoOutcome};
