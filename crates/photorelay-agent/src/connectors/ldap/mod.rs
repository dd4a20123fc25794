//! Active Directory by LDAP: one attribute of one user object.
//!
//! `find` identifies the user, `look_ups` searches for many at once, `connection` keeps one domain controller, `codes` says
//! what a result means, `authority` why a user who is managed in the cloud is refused. Nothing here prints the name of a user: objects are named by their objectGUID.

mod anchor_index;
mod attributes;
mod authority;
mod changes;
mod checks;
mod codes;
mod connection;
mod connector;
mod find;
mod gathering;
mod identifiers;
mod look_ups;
pub(crate) mod names;
mod people;
mod rights;
mod scope;
mod search;
mod session;
mod settings;
mod sign_in;

pub use changes::LastChange;
pub use connector::LdapConnector;
pub use names::AttributeName;
pub use people::{AccountNames, AccountSid};
pub use scope::DirectoryScope;
pub use settings::{DEFAULT_TIMEOUT, LdapSettings, Server, SignIn};
pub(crate) use sign_in::NOT_BUILT;
