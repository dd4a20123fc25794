//! What an access token says about itself.
//!
//! The token is Graph's, not ours: its claims help to explain a refusal to the operator, and are never trusted.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// Larger than any access token.
const MAX_TOKEN_BYTES: usize = 64 * 1024;

#[derive(Debug, Deserialize)]
pub struct TokenClaims {
    /// The application roles that are granted.
    #[serde(default)]
    pub roles: Vec<String>,
    pub tid: Option<String>,
}

impl TokenClaims {
    /// None for a token that is not a JSON web token.
    pub(super) fn of(token: &str) -> Option<Self> {
        let payload = token.split('.').nth(1).filter(|payload| payload.len() <= MAX_TOKEN_BYTES)?;
        let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        serde_json::from_slice(&payload).ok()
    }

    /// Whether one of the roles is granted, by itself or with the right to write; `needs` names them in words, such as
    /// `A.Read.All or B.Read.All`.
    pub(super) fn has_one_of(&self, needs: &str) -> bool {
        needs.split(" or ").any(|role| {
            let writes = role.replace(".Read.", ".ReadWrite.");
            self.roles.iter().any(|granted| granted == role || *granted == writes)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opaque_token_has_no_claims() {
        for token in ["", "opaque", "a.b.c", "a.bm90IGpzb24.c", "e30"] {
            assert!(TokenClaims::of(token).is_none(), "{token}");
        }
        assert!(TokenClaims::of("e30.e30.x").is_some_and(|claims| claims.roles.is_empty()));
    }

    #[test]
    fn one_granted_role_of_several_is_enough_and_a_role_to_write_includes_reading() {
        let has = |granted: &str| {
            let claims = TokenClaims { roles: vec![granted.to_owned()], tid: None };
            claims.has_one_of("ProfilePhoto.Read.All or User.Read.All")
        };
        assert_eq!(
            ["User.Read.All", "ProfilePhoto.ReadWrite.All", "PeopleSettings.Read.All"].map(has),
            [true, true, false]
        );
    }
}
