//! What a result code means for one user and for the agent as a whole: the one table of them (RFC 4511, appendix A).
//!
//! A server's text is never passed on, because it may hold a distinguished name; of it, Active Directory's own eight
//! digits at the beginning are kept.

use ldap3::LdapResult;

use crate::connectors::ConnectorError;

/// What became of a change.
#[derive(Debug)]
pub(super) enum Meaning {
    Done,
    /// The object or the value is not the one that was read.
    Changed,
    /// No right to write: of this user, or of any.
    Denied(String),
    Not(ConnectorError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ResultClass {
    Done,
    Changed,
    /// The directory refuses this user's value or object, and will refuse it again.
    Refused,
    /// The account has no right: to this user, or to any.
    Denied,
    /// May succeed later; only this user is affected.
    Failed,
    /// Concerns all users: the connection, the account or the configuration.
    Down,
}

/// Code, name, class and why.
const TABLE: [(u32, &str, ResultClass, &str); 25] = [
    (0, "success", ResultClass::Done, ""),
    (1, "operationsError", ResultClass::Down, "the connection is not bound any more"),
    (2, "protocolError", ResultClass::Refused, "the server does not take such a request"),
    (3, "timeLimitExceeded", ResultClass::Failed, "the server stopped looking"),
    (7, "authMethodNotSupported", ResultClass::Down, "the server takes no simple bind"),
    (8, "strongerAuthRequired", ResultClass::Down, "the server wants TLS: use ldaps://"),
    (
        10,
        "referral",
        ResultClass::Down,
        "this server changes no such object: it is a read-only domain controller, the global catalogue (ports 3268 and \
         3269), or another domain's. Name a writable domain controller of the users' domain in PHOTORELAY_LDAP_URLS",
    ),
    (11, "adminLimitExceeded", ResultClass::Failed, "the request ran into a limit of the server"),
    (13, "confidentialityRequired", ResultClass::Down, "the server wants TLS: use ldaps://"),
    (16, "noSuchAttribute", ResultClass::Changed, "the value that was read is gone"),
    (
        17,
        "undefinedAttributeType",
        ResultClass::Down,
        "the schema has no such attribute: check PHOTORELAY_LDAP_ATTRIBUTE",
    ),
    (19, "constraintViolation", ResultClass::Refused, "the value breaks a rule of the schema, such as its size"),
    (20, "attributeOrValueExists", ResultClass::Changed, "there is a value where none was read"),
    (21, "invalidAttributeSyntax", ResultClass::Refused, "the value breaks a rule of the schema, such as its size"),
    (32, "noSuchObject", ResultClass::Changed, "the object was deleted after it was found"),
    (34, "invalidDNSyntax", ResultClass::Refused, "the name of the object is not one"),
    (48, "inappropriateAuthentication", ResultClass::Down, "the account cannot bind with a password"),
    (49, "invalidCredentials", ResultClass::Down, "the account or its password is wrong, locked or expired"),
    (50, "insufficientAccessRights", ResultClass::Denied, "no right to write: a protected account, or no delegation"),
    (51, "busy", ResultClass::Down, "the server has too much to do"),
    (52, "unavailable", ResultClass::Down, "the server is starting or stopping"),
    (53, "unwillingToPerform", ResultClass::Failed, "the server does not want to now"),
    (65, "objectClassViolation", ResultClass::Refused, "the object cannot have the attribute"),
    (71, "affectsMultipleDSAs", ResultClass::Refused, "the object belongs to another domain"),
    (80, "other", ResultClass::Failed, "the server gave no reason"),
];

/// What the answer to a change means.
pub(super) fn of_modify(result: &LdapResult) -> Meaning {
    match class_of(result.rc) {
        ResultClass::Done => Meaning::Done,
        ResultClass::Changed => Meaning::Changed,
        ResultClass::Denied => Meaning::Denied(describe(result)),
        _ => Meaning::Not(error(result)),
    }
}

/// The failure that another answer than success is.
pub(super) fn error(result: &LdapResult) -> ConnectorError {
    let reason = describe(result);
    match class_of(result.rc) {
        ResultClass::Refused => ConnectorError::Refused(reason),
        // Of anything but one user's photo, such as the base.
        ResultClass::Down | ResultClass::Denied => ConnectorError::Down(reason),
        ResultClass::Failed | ResultClass::Changed | ResultClass::Done => ConnectorError::Failed(reason),
    }
}

/// The code in words, without personal data.
pub(super) fn describe(result: &LdapResult) -> String {
    let (name, why) = row(result.rc).map_or(("unknown", "not in our table"), |(_, name, _, why)| (name, why));
    let own = own_code(&result.text).map(|code| format!(", {code}")).unwrap_or_default();
    format!("the directory answered {} {name}{own}: {why}", result.rc)
}

fn class_of(code: u32) -> ResultClass {
    // An unknown code may be transient; if not, the message is dead-lettered with the code.
    row(code).map_or(ResultClass::Failed, |(_, _, class, _)| *class)
}

fn row(code: u32) -> Option<&'static (u32, &'static str, ResultClass, &'static str)> {
    TABLE.iter().find(|(known, ..)| *known == code)
}

/// Active Directory begins its text with a Windows error in eight hexadecimal digits, and says `data 52e` where a bind
/// failed.
fn own_code(text: &str) -> Option<String> {
    let first = text.get(..8).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let data = text.split_once("data ").and_then(|(_, rest)| rest.split([',', ' ', '\0']).next());
    match data.filter(|data| data.len() <= 8 && data.bytes().all(|b| b.is_ascii_hexdigit())) {
        Some(data) => Some(format!("{first} data {data}")),
        None => Some(first.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(rc: u32, text: &str) -> LdapResult {
        LdapResult { rc, matched: String::new(), text: text.to_owned(), refs: Vec::new(), ctrls: Vec::new() }
    }

    #[test]
    fn permanent_answers_are_told_apart_from_passing_ones() {
        for code in [19, 21, 65] {
            assert!(matches!(of_modify(&answer(code, "")), Meaning::Not(ConnectorError::Refused(_))), "{code}");
        }
        for code in [1, 8, 10, 49, 51, 52] {
            assert!(matches!(of_modify(&answer(code, "")), Meaning::Not(ConnectorError::Down(_))), "{code}");
        }
        for code in [3, 11, 53, 80, 118] {
            assert!(matches!(of_modify(&answer(code, "")), Meaning::Not(ConnectorError::Failed(_))), "{code}");
        }
        for code in [16, 20, 32] {
            assert!(matches!(of_modify(&answer(code, "")), Meaning::Changed), "{code}");
        }
        assert!(matches!(of_modify(&answer(0, "")), Meaning::Done));
        assert!(matches!(of_modify(&answer(50, "")), Meaning::Denied(_)), "one user's, or every user's");
    }

    #[test]
    fn the_servers_text_is_not_passed_on_but_its_own_code_is() {
        let windows = "80090308: LdapErr: DSID-0C09041C, comment: AcceptSecurityContext error, data 52e, v4563";
        assert!(describe(&answer(49, windows)).contains("invalidCredentials, 80090308 data 52e: "));
        let samba = "objectclass_attrs: attribute 'thumbnailPhoto' on entry 'CN=Jane Doe,DC=x' is invalid";
        assert!(!describe(&answer(21, samba)).contains("Jane"));
    }
}
