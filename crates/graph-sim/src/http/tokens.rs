//! Access tokens that were issued, and their holders.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

/// The holder of a token.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) app_id: Uuid,
    pub(crate) roles: Vec<String>,
}

#[derive(Debug)]
struct IssuedToken {
    caller: Caller,
    expires: Timestamp,
    revoked: bool,
}

/// What a text that was presented as token is.
#[derive(Debug)]
pub(crate) enum TokenCheck {
    Valid(Caller),
    Unknown,
    Expired,
    Revoked,
}

#[derive(Debug, Default)]
pub(crate) struct TokenStore {
    by_text: HashMap<String, IssuedToken>,
    issued: u64,
}

impl TokenStore {
    pub(crate) fn issue(&mut self, text: String, caller: Caller, expires: Timestamp) {
        self.issued += 1;
        self.by_text.insert(text, IssuedToken { caller, expires, revoked: false });
    }

    pub(crate) fn check(&self, text: &str, now: Timestamp) -> TokenCheck {
        match self.by_text.get(text) {
            None => TokenCheck::Unknown,
            Some(token) if token.revoked => TokenCheck::Revoked,
            Some(token) if token.expires <= now => TokenCheck::Expired,
            Some(token) => TokenCheck::Valid(token.caller.clone()),
        }
    }

    /// Makes every token invalid, as a tenant's administrator can; using one afterwards is no violation.
    pub(crate) fn revoke_all(&mut self) {
        for token in self.by_text.values_mut() {
            token.revoked = true;
        }
    }

    pub(crate) fn issued(&self) -> u64 {
        self.issued
    }
}
