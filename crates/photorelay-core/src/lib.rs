//! The code that the function app and the on-premises agent share: contracts, storage, audit trail and photos.
//!
//! The modules form layers, each of which uses only the layers before it: [`id`] -> [`contract`], [`names`] ->
//! [`store`], [`queue`] (traits) -> [`audit`], [`vault`], [`photo`] -> [`storage`] and the backends.
//! Nothing here depends on Microsoft Graph, the Functions host or a directory.

pub mod answer;
pub mod approvals;
pub mod audit;
pub mod clock;
pub mod consumer;
pub mod contract;
pub mod dead_letter;
pub mod deletion_slots;
pub mod diagnosis;
pub mod documents;
pub mod entra;
pub mod figures;
pub mod heads;
pub mod heartbeats;
pub mod history;
pub mod hops;
pub mod id;
pub mod names;
pub mod operator;
pub mod photo;
pub mod population;
pub mod process;
pub mod progress;
pub mod queue;
pub mod receipts;
pub mod retry;
pub mod rights;
pub mod settings;
pub mod storage;
pub mod store;
pub mod target;
pub mod telemetry;
pub mod trace;
pub mod undo;
pub mod vault;
pub mod wording;
