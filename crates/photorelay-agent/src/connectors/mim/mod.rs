//! The feed for Microsoft Identity Manager: a folder of small files that other programs import, published as a whole.
//!
//! `store` is what the agent has accepted, durably; `publish` turns it into the files of docs/mim-feed.md; `reader` reads
//! those as any other program does. `connector_space`, `comparison` and `adopted` are for moving from another management
//! agent to the feed; `scripts` is for the management agent that reads it. A reader never sees half a publication, and a feed that lost people is not published.

mod adopted;
mod cleanup;
mod comparison;
mod connector;
mod connector_space;
mod export;
mod format;
mod ldif;
mod line;
mod metered;
mod photos;
mod publish;
mod reader;
mod rebuild;
mod schema;
mod scripts;
mod settings;
mod store;

pub use adopted::AdoptionReport;
pub use comparison::{ExportedSpace, ImportPlan, ImportStep, ObjectDifference};
pub use connector::MimConnector;
pub use connector_space::{MIB, SpaceNames};
pub use export::{LdifExport, LdifKind};
pub use format::{FeedEpoch, FeedHead};
pub use ldif::LdifNames;
pub use line::{LineState, PersonLine};
pub use publish::{Publication, PublishOptions};
pub use reader::{FeedReader, FeedReport};
pub use scripts::{ManagementScripts, ScriptSetting, ScriptState};
pub use settings::{Checksum, KeySource, MimSettings};
pub use store::FeedStore;

/// Why the feed cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("the state of the feed ({path}): {source}")]
    State { path: String, source: rusqlite::Error },
    #[error("the file cannot be written: {0}")]
    Export(#[from] std::io::Error),
    /// What it is, and what to do.
    #[error("{0}")]
    Unusable(String),
}

impl FeedError {
    fn file(path: &std::path::Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::File { path: path.display().to_string(), source }
    }
}
