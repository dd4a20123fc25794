//! Whose photos are carried: by default synchronised member accounts with a source anchor.

use crate::graph::Person;

/// Why somebody is left out, in words for the operator and without personal data.
pub fn left_out(person: &Person) -> Option<&'static str> {
    if person.user_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("guest")) {
        return Some("a guest account");
    }
    match person.sync_enabled {
        Some(true) => {}
        Some(false) => return Some("no longer synchronised from on premises"),
        None => return Some("a cloud-only account, never synchronised from on premises"),
    }
    if person.anchor.as_deref().is_none_or(str::is_empty) {
        return Some("without a source anchor (onPremisesImmutableId), so nobody on premises can be found for it");
    }
    None
}

/// Whether the person may be in scope, by what a list of users tells; none if it does not tell. Whoever looks at the
/// person decides by [`left_out`].
pub fn may_belong(user_type: Option<&str>, sync_enabled: Option<bool>) -> Option<bool> {
    if user_type.is_some_and(|kind| kind.eq_ignore_ascii_case("guest")) {
        return Some(false);
    }
    // Never synchronised and not told look the same; those who are synchronised are told so.
    sync_enabled
}
