//! One bound connection to one domain controller, and why one could not be made.

use std::fmt;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use ldap3::{Ldap, LdapError};
use tokio::task::JoinSet;

use super::codes;

/// A bound connection; its clones share it.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) ldap: Ldap,
    /// Tells it from the sessions before and after it.
    pub(super) number: u64,
    pub(super) server: String,
    /// Whether the directory finds an anchor without reading all users.
    pub(super) anchor_is_indexed: bool,
    /// The server's certificate allows no channel binding, which it may require of a sign-in with Kerberos.
    pub(super) lacks_channel_binding: bool,
    /// For every request and its answer.
    pub(super) timeout: Duration,
    /// Reads and writes; ends with the last clone.
    pub(super) _driver: Arc<JoinSet<()>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("number", &self.number).field("server", &self.server).finish_non_exhaustive()
    }
}

/// Why one server could not be used.
pub(super) enum Unusable {
    /// Another one may be.
    This(String),
    /// None will be: the account, the password or the configuration.
    All(String),
    /// None will be before the password is another.
    Password(String),
}

/// Waits for an answer that the library reads in the caller's own task: it panics where the answer is not LDAP. What was
/// read of the connection so far is dropped with it, because the caller gives the connection up.
pub(super) async fn contained<T>(answer: impl Future<Output = Result<T, LdapError>>) -> Result<T, LdapError> {
    let answer = AssertUnwindSafe(answer).catch_unwind().await;
    answer.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::InvalidData, "its answer is not LDAP").into()))
}

/// The error in words, without a server's text, which may name users.
pub(super) fn describe(error: &LdapError) -> String {
    match error {
        LdapError::LdapResult { result } => codes::describe(result),
        LdapError::Timeout { .. } => "it did not answer in time".to_owned(),
        LdapError::EndOfStream => "it sent more than was asked for, or broke off".to_owned(),
        error => error.to_string(),
    }
}
