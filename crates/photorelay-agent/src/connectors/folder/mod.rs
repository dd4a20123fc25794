//! A folder with one file for each user, for badge systems and intranets that read files.
//!
//! Files are named by account name, or by another key that the consumer knows people by. `manifest.csv` says in a form
//! that importers read which files there are, and which were removed.

mod connector;
mod files;
mod manifest;
mod name;

pub use connector::FolderConnector;
pub use name::FileName;
