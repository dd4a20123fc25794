//! Whose photos are carried: synchronised member accounts with a source anchor, and of these, where an operator has
//! said so, only those of some domains, and only those of some groups or of a pilot list.
//!
//! One answer for all steps: notify drops who is certainly out, the sweep leaves them out of the population, and
//! propagate, which knows the person, decides.

use std::collections::BTreeSet;

use photorelay_core::id::{GroupId, UserId};

use crate::graph::{DeltaUser, GraphUser};

/// What an operator has restricted; empty is everybody who can be carried at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// On-premises domains, in lower case.
    pub domains: BTreeSet<String>,
    /// Whose members, also those of groups in them, are carried.
    pub groups: Vec<GroupId>,
    /// Who is carried besides: the pilot list.
    pub users: BTreeSet<UserId>,
}

impl Scope {
    /// Why somebody is left out, in words for the operator and without personal data. Groups are another question.
    pub fn left_out(&self, person: &GraphUser) -> Option<&'static str> {
        if is_guest(person.user_type.as_deref()) {
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
        if !self.has_domain(person.domain.as_deref().unwrap_or_default()) {
            return Some("of a domain that PHOTORELAY_SCOPE_DOMAINS does not name");
        }
        None
    }

    /// Why somebody is left out who is in none of the groups.
    pub fn outside_groups(&self) -> &'static str {
        match self.groups.is_empty() {
            true => "not on the list PHOTORELAY_SCOPE_USERS",
            false => "neither in a group of PHOTORELAY_SCOPE_GROUPS nor on the list PHOTORELAY_SCOPE_USERS",
        }
    }

    /// Whether the person may be in scope, by what a list of users tells; none if it does not tell.
    pub fn may_belong(&self, user: &DeltaUser) -> Option<bool> {
        if is_guest(user.user_type.as_deref()) {
            return Some(false);
        }
        match (user.sync_enabled, &user.domain) {
            (Some(true), Some(domain)) => Some(self.has_domain(domain)),
            (Some(true), None) if !self.domains.is_empty() => None,
            // Never synchronised and not told look the same; those who are synchronised are told so.
            (sync_enabled, _) => sync_enabled,
        }
    }

    /// Whether everybody is in, but for the reasons of [`Self::left_out`].
    pub fn is_open(&self) -> bool {
        self.groups.is_empty() && self.users.is_empty()
    }

    /// What can be said without asking Graph about groups; none if that has to be asked.
    pub fn admits(&self, user: UserId) -> Option<bool> {
        if self.is_open() || self.users.contains(&user) {
            Some(true)
        } else if self.groups.is_empty() {
            Some(false)
        } else {
            None
        }
    }

    fn has_domain(&self, domain: &str) -> bool {
        self.domains.is_empty() || self.domains.contains(&domain.to_lowercase())
    }
}

fn is_guest(user_type: Option<&str>) -> bool {
    user_type.is_some_and(|kind| kind.eq_ignore_ascii_case("guest"))
}
