//! The users whose photos are carried: maintained by `users/delta`, in one blob with the link of the next round.
//!
//! An expired link, and a list that is unreadable, cost one full list. While Graph does not answer, the users of the last
//! list are swept. The members of the scope's groups are requested anew every time.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use photorelay_core::contract::{Population, V1};
use photorelay_core::documents;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::store::BlobStore;

use super::error::SweepError;
use crate::graph::{DeltaPage, DeltaUser, Graph};
use crate::jobs::scope::Scope;

/// An unchanged list is written again after this time, because its link lives for seven days only.
const LINK_KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);
/// A link may expire while its round runs.
const MAX_ROUNDS: u32 = 3;
/// A page has some hundred users.
const MAX_PAGES: u32 = 20_000;

/// The population now, and how it differs from before.
#[derive(Debug)]
pub(super) struct RefreshedPopulation {
    pub(super) members: Vec<UserId>,
    pub(super) joined: usize,
    pub(super) left: usize,
    pub(super) is_full_list: bool,
}

/// The population as Graph returns it now, within groups and pilot list.
pub(super) async fn refresh(
    graph: &Graph,
    scope: &Scope,
    blobs: &dyn BlobStore,
    now: Timestamp,
) -> Result<RefreshedPopulation, SweepError> {
    let all = refresh_all(graph, scope, blobs, now).await?;
    if scope.is_open() {
        return Ok(all);
    }
    let mut in_groups = BTreeSet::new();
    for group in &scope.groups {
        in_groups.append(&mut graph.group_members(*group).await?);
    }
    let is_in = |user: &UserId| scope.admits(*user).unwrap_or_else(|| in_groups.contains(user));
    let members = all.members.into_iter().filter(is_in).collect();
    Ok(RefreshedPopulation { members, ..all })
}

/// Without groups and pilot list, which changes of users do not show: a user that joins a group has not changed.
async fn refresh_all(
    graph: &Graph,
    scope: &Scope,
    blobs: &dyn BlobStore,
    now: Timestamp,
) -> Result<RefreshedPopulation, SweepError> {
    let domains: Vec<String> = scope.domains.iter().cloned().collect();
    // A list for other domains lacks the users that were left out.
    let stored: Option<Population> = documents::read(blobs, Container::State, names::POPULATION).await?;
    let stored = stored.filter(|stored| stored.domains == domains);
    let round = match (delta_round(graph, scope, stored.as_ref()).await, &stored) {
        (Ok(round), _) => round,
        (Err(SweepError::Graph(error)), Some(stored)) if error.is_transient() => {
            tracing::warn!(%error, "the list of users could not be refreshed: the users of the last list are swept");
            return Ok(RefreshedPopulation {
                members: stored.members.clone(),
                joined: 0,
                left: 0,
                is_full_list: false,
            });
        }
        (Err(error), _) => return Err(error),
    };
    let members: Vec<UserId> = round.members.into_iter().collect();
    let before: &[UserId] = stored.as_ref().map_or(&[], |stored| &stored.members);
    let joined = members.iter().filter(|member| before.binary_search(member).is_err()).count();
    let left = before.iter().filter(|member| members.binary_search(member).is_err()).count();
    let is_old = stored.as_ref().is_none_or(|stored| now.duration_since(stored.taken_at).abs() > LINK_KEPT_FOR);
    let members = if round.is_full_list || is_old || joined + left > 0 {
        let population = Population { v: V1, taken_at: now, delta_link: round.link, domains, members };
        documents::replace(blobs, Container::State, names::POPULATION, &population).await?;
        population.members
    } else {
        members
    };
    Ok(RefreshedPopulation { members, joined, left, is_full_list: round.is_full_list })
}

struct DeltaRound {
    members: BTreeSet<UserId>,
    link: String,
    is_full_list: bool,
}

/// A whole round from the link, or a full list where there is none or it has expired.
async fn delta_round(graph: &Graph, scope: &Scope, stored: Option<&Population>) -> Result<DeltaRound, SweepError> {
    let mut from = stored;
    for _ in 0..MAX_ROUNDS {
        let mut members: BTreeSet<UserId> = from.iter().flat_map(|stored| stored.members.iter().copied()).collect();
        let mut link = from.map(|stored| stored.delta_link.clone());
        let is_full_list = from.is_none();
        for _ in 0..MAX_PAGES {
            match graph.users_delta(link.as_deref()).await? {
                DeltaPage::More { users, next } => {
                    apply(scope, &mut members, &users);
                    link = Some(next);
                }
                DeltaPage::Last { users, link } => {
                    apply(scope, &mut members, &users);
                    return Ok(DeltaRound { members, link, is_full_list });
                }
                DeltaPage::Resync => {
                    link = None;
                    break;
                }
            }
        }
        if link.is_some() {
            return Err(SweepError::EndlessPopulation);
        }
        tracing::info!("the link to the list of users has expired: all users are listed anew");
        from = None;
    }
    Err(SweepError::EndlessPopulation)
}

/// Users repeat, and the last mention counts.
fn apply(scope: &Scope, members: &mut BTreeSet<UserId>, users: &[DeltaUser]) {
    for user in users {
        let belongs = if user.removed { Some(false) } else { scope.may_belong(user) };
        match belongs {
            Some(true) => {
                members.insert(user.id);
            }
            Some(false) => {
                members.remove(&user.id);
            }
            None => {}
        }
    }
}
