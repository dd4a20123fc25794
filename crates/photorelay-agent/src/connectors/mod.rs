//! The targets that show photos: a folder, or a directory by LDAP.

mod connector;
pub mod folder;
pub mod ldap;

pub use connector::{Connector, ConnectorError, EntryRef, Replacement};
