//! Whose photos are carried: synchronised member accounts with a source anchor, restricted by configuration to some
//! domains, and to some groups or a pilot list; and, if configured, those whose source of authority is in the cloud now.
//!
//! One answer for all jobs: notify drops users that are certainly outside, the sweep leaves them out of the population,
//! and propagate, which knows the user's properties, decides.

use std::collections::BTreeSet;

use photorelay_core::id::{GroupId, UserId};

use crate::graph::{DeltaUser, GraphUser};

/// The configured restrictions, and one extension; none admit every synchronised user whose photos can be carried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// On-premises domains, in lower case.
    pub domains: BTreeSet<String>,
    /// Groups whose members, transitive ones included, are carried.
    pub groups: Vec<GroupId>,
    /// Users that are carried besides: the pilot list.
    pub users: BTreeSet<UserId>,
    /// Users are carried too whose source of authority was moved to the cloud: their on-premises accounts still exist,
    /// but are no longer synchronised.
    pub cloud_managed: bool,
}

impl Scope {
    /// Why a user is out of scope, in words for the operator and without personal data; group membership aside.
    pub fn exclusion(&self, user: &GraphUser) -> Option<&'static str> {
        if is_guest(user.user_type.as_deref()) {
            return Some("a guest account");
        }
        match user.sync_enabled {
            Some(true) => {}
            Some(false) => return Some("no longer synchronised from on premises"),
            None if user.sid.is_none() => return Some("a cloud-only account, never synchronised from on premises"),
            // Graph shows null for such a user, also while a conversion is rolled back, and keeps the identifiers.
            None if !self.cloud_managed => {
                return Some(
                    "managed in the cloud: its source of authority is not on premises, and \
                     PHOTORELAY_SCOPE_CLOUD_MANAGED is not set",
                );
            }
            None if user.sam_account_name.is_some() => return self.domain_exclusion(user),
            None => {}
        }
        if user.anchor.as_deref().is_none_or(str::is_empty) {
            return Some("without a source anchor (onPremisesImmutableId), so the on-premises account cannot be found");
        }
        self.domain_exclusion(user)
    }

    fn domain_exclusion(&self, user: &GraphUser) -> Option<&'static str> {
        let is_named = self.has_domain(user.domain.as_deref().unwrap_or_default());
        (!is_named).then_some("in a domain that PHOTORELAY_SCOPE_DOMAINS does not name")
    }

    /// Why a user is out of scope who is in none of the groups.
    pub fn outside_groups(&self) -> &'static str {
        match self.groups.is_empty() {
            true => "not on the list PHOTORELAY_SCOPE_USERS",
            false => "neither in a group of PHOTORELAY_SCOPE_GROUPS nor on the list PHOTORELAY_SCOPE_USERS",
        }
    }

    /// Whether the user may be in scope, by what a list of users says; none if it does not say.
    pub fn may_belong(&self, user: &DeltaUser) -> Option<bool> {
        if is_guest(user.user_type.as_deref()) {
            return Some(false);
        }
        let is_carried = match user.sync_enabled {
            None if self.cloud_managed && user.has_sid => true,
            // A list shows "never synchronised" and "unchanged" alike; synchronised users are marked as such.
            None => return None,
            Some(sync_enabled) => sync_enabled,
        };
        match &user.domain {
            _ if !is_carried => Some(false),
            Some(domain) => Some(self.has_domain(domain)),
            None => self.domains.is_empty().then_some(true),
        }
    }

    /// Whether every user is in, but for the reasons of [`Self::exclusion`].
    pub fn is_open(&self) -> bool {
        self.groups.is_empty() && self.users.is_empty()
    }

    /// Whether the user is in scope, as far as that follows without asking Graph about groups.
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
