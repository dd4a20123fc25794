//! The targets that show photos: a folder, a directory by LDAP, or the feed for Microsoft Identity Manager.

mod connector;
mod files;
pub mod folder;
pub mod ldap;
pub mod mim;

pub use connector::{Connector, ConnectorError, EntryRef, Replacement};
