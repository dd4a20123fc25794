//! Which rights the account has, as far as the directory says; and whether a refused write concerns one user or all.
//!
//! A protected account refuses a write alone. An account without delegation is refused for every user: then the agent
//! pauses, and no user gets a receipt for what is not the user's.

use std::sync::atomic::Ordering;

use photorelay_core::wording::counted;

use super::attributes::{EXTERNAL_ID, GUID, USERS};
use super::connector::LdapConnector;
use super::search::DirectoryEntry;
use crate::connectors::ConnectorError;

/// What the account may write of an object, as the directory works it out (MS-ADTS 3.1.1.4.5.17).
const EFFECTIVE: &str = "allowedAttributesEffective";
/// Objects whose permissions the directory resets (AdminSDHolder): their refusal says nothing about other users.
const UNPROTECTED: &str = "(!(adminCount=1))";
/// So many users are asked about before it is said that the account may write none.
const MOST_TRIED: usize = 100;

/// What the account may do with some users in scope.
pub(super) struct RightsSample {
    pub(super) tried: usize,
    pub(super) writable: usize,
    /// Of how many it saw a value of the attribute.
    pub(super) readable: usize,
    /// How many name an object of Entra ID.
    pub(super) identified: usize,
}

impl LdapConnector {
    /// Of some users in scope, protected ones left out.
    pub(super) async fn sample_rights(&self) -> Result<RightsSample, ConnectorError> {
        let attribute = &self.settings.attribute;
        let filter = format!("(&{USERS}{UNPROTECTED}{})", self.settings.scope.conditions());
        let wanted = [EFFECTIVE, GUID, EXTERNAL_ID, attribute].map(str::to_owned);
        let mut sample = RightsSample { tried: 0, writable: 0, readable: 0, identified: 0 };
        for base in self.settings.scope.bases(&self.settings.base) {
            let users = self.some_below(base, &filter, &wanted, MOST_TRIED - sample.tried).await?;
            sample.tried += users.len();
            sample.writable += users.iter().filter(|user| may_write(user, attribute)).count();
            sample.readable += users.iter().filter(|user| !user.values(attribute).is_empty()).count();
            sample.identified += users.iter().filter(|user| !user.values(EXTERNAL_ID).is_empty()).count();
        }
        Ok(sample)
    }

    /// What it means that there is a value that the account cannot see: it is not compared, and so it is not replaced.
    pub(super) fn unreadable(&self) -> ConnectorError {
        let attribute = &self.settings.attribute;
        let reason = format!(
            "the account may write {attribute} but not read it, and a value that cannot be read is not replaced: delegate \
             reading as well (RPWP), as infra/agent/README.md says"
        );
        match self.has_read.swap(false, Ordering::Relaxed) {
            true => ConnectorError::Refused(reason),
            false => ConnectorError::Down(reason),
        }
    }

    /// What it means that a write was answered with "insufficient access rights".
    pub(super) async fn denied(&self, reason: String) -> ConnectorError {
        if self.has_written.swap(false, Ordering::Relaxed) {
            return ConnectorError::Refused(reason);
        }
        match self.sample_rights().await {
            Ok(RightsSample { tried, writable: 0, .. }) if tried > 0 => ConnectorError::Down(format!(
                "{reason}; the account may not write {} of any of {} tried: delegate it as \
                 infra/agent/README.md says",
                self.settings.attribute,
                counted(tried as u64, "user", "users")
            )),
            Ok(_) => ConnectorError::Refused(reason),
            Err(error) => error,
        }
    }
}

fn may_write(user: &DirectoryEntry, attribute: &str) -> bool {
    let attributes = user.values(EFFECTIVE).iter().filter_map(|name| str::from_utf8(name).ok());
    attributes.into_iter().any(|name| name.eq_ignore_ascii_case(attribute))
}
