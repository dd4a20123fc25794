//! The bind: with a password from a file, or with Kerberos where the program was built for it.

use std::path::Path;
use std::time::Duration;

use ldap3::{Ldap, LdapResult};
use secrecy::{ExposeSecret, SecretString};

use super::codes;
use super::session::{Unusable, contained, describe};
use super::settings::SignIn;
use crate::connectors::ConnectorError;

const INVALID_CREDENTIALS: u32 = 49;
const BUSY: u32 = 51;
const UNAVAILABLE: u32 = 52;

/// What proves who we are.
#[derive(Debug)]
pub(super) enum Secret {
    Password {
        bind_as: String,
        password: SecretString,
    },
    /// It is the system's to know.
    Tickets,
}

impl Secret {
    pub(super) fn of(sign_in: &SignIn) -> Result<Self, String> {
        match sign_in {
            SignIn::Password { bind_as, file } => {
                Ok(Self::Password { bind_as: bind_as.clone(), password: password(file)? })
            }
            SignIn::Kerberos => Ok(Self::Tickets),
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Password { password: one, .. }, Self::Password { password: other, .. }) => {
                one.expose_secret() == other.expose_secret()
            }
            (Self::Tickets, Self::Tickets) => true,
            _ => false,
        }
    }

    /// Binds on a connection whose server is verified already.
    pub(super) async fn sign_in(&self, ldap: &mut Ldap, server: &str, timeout: Duration) -> Result<(), Unusable> {
        match self {
            Self::Password { bind_as, password } => {
                let bind = ldap.with_timeout(timeout).simple_bind(bind_as, password.expose_secret());
                let bound = contained(bind).await.map_err(|error| Unusable::This(describe(&error)))?;
                match bound.rc {
                    INVALID_CREDENTIALS => Err(Unusable::Password(codes::describe(&bound))),
                    _ => judge(&bound),
                }
            }
            Self::Tickets => kerberos(ldap, server, timeout).await,
        }
    }
}

fn judge(bound: &LdapResult) -> Result<(), Unusable> {
    if bound.rc == 0 {
        return Ok(());
    }
    Err(match codes::error(bound) {
        // Busy or about to stop.
        ConnectorError::Down(reason) if matches!(bound.rc, BUSY | UNAVAILABLE) => Unusable::This(reason),
        ConnectorError::Failed(reason) => Unusable::This(reason),
        ConnectorError::Down(reason) | ConnectorError::Refused(reason) | ConnectorError::OutOfScope(reason) => {
            Unusable::All(reason)
        }
    })
}

/// The service is `ldap/` and the server's name in the URL. The system's library asks the domain's KDC, and blocks.
#[cfg(feature = "kerberos")]
async fn kerberos(ldap: &mut Ldap, server: &str, timeout: Duration) -> Result<(), Unusable> {
    let (mut ldap, server) = (ldap.clone(), server.to_owned());
    let runtime = tokio::runtime::Handle::current();
    let bind = tokio::task::spawn_blocking(move || {
        runtime.block_on(async move { ldap.with_timeout(timeout).sasl_gssapi_bind(&server).await })
    });
    match bind.await {
        Ok(Ok(bound)) => judge(&bound),
        Ok(Err(error)) => Err(Unusable::This(format!("no sign-in with Kerberos: {}", describe(&error)))),
        Err(error) => Err(Unusable::This(format!("no sign-in with Kerberos: {error}"))),
    }
}

#[cfg(not(feature = "kerberos"))]
async fn kerberos(_: &mut Ldap, _: &str, _: Duration) -> Result<(), Unusable> {
    Err(Unusable::All(NOT_BUILT.to_owned()))
}

pub(crate) const NOT_BUILT: &str = "this program was built without Kerberos: build it with `--features kerberos`";

/// An empty password would be an anonymous bind, which succeeds (RFC 4513, 5.1.2).
fn password(file: &Path) -> Result<SecretString, String> {
    const MOST: usize = 4096;
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("the password file {shown}: {error}"))?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() || password.len() > MOST {
        return Err(format!("the password file {shown} is empty or is no password file"));
    }
    Ok(SecretString::from(password.to_owned()))
}
