//! Who is looked after: kept by `users/delta`, in one blob with the link of the next round.
//!
//! A link that Graph has forgotten, and a list that cannot be read, cost one full list. While Graph does not tell who
//! came and went, the people of the last list are swept all the same. Who is in the groups of the scope is asked anew
//! every time.

use std::collections::BTreeSet;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use photorelay_core::contract::{self, Contract, Population, V1};
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::store::{BlobStore, Metadata, StoreError};

use super::SweepError;
use crate::graph::{DeltaPage, DeltaUser, Graph};
use crate::jobs::scope::Scope;

/// An unchanged list is written again after this time, because its link lives for seven days only.
const LINK_KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);
/// A link may be forgotten while its round runs.
const MAX_ROUNDS: u32 = 3;
/// Some hundred people come on a page.
const MAX_PAGES: u32 = 20_000;

/// The population now, and how it differs from before.
#[derive(Debug)]
pub(super) struct RefreshedPopulation {
    pub(super) members: Vec<UserId>,
    pub(super) joined: usize,
    pub(super) left: usize,
    pub(super) is_full_list: bool,
}

/// The population as Graph tells it now.
pub(super) async fn keep(
    graph: &Graph,
    scope: &Scope,
    blobs: &dyn BlobStore,
    now: Timestamp,
) -> Result<RefreshedPopulation, SweepError> {
    let kept = keep_all(graph, scope, blobs, now).await?;
    if scope.is_open() {
        return Ok(kept);
    }
    let mut in_groups = BTreeSet::new();
    for group in &scope.groups {
        in_groups.append(&mut graph.group_members(*group).await?);
    }
    let is_in = |user: &UserId| scope.admits(*user).unwrap_or_else(|| in_groups.contains(user));
    let members = kept.members.into_iter().filter(is_in).collect();
    Ok(RefreshedPopulation { members, ..kept })
}

/// Without groups and pilot list, which are not known by the changes of people: who enters a group has not changed.
async fn keep_all(
    graph: &Graph,
    scope: &Scope,
    blobs: &dyn BlobStore,
    now: Timestamp,
) -> Result<RefreshedPopulation, SweepError> {
    let domains: Vec<String> = scope.domains.iter().cloned().collect();
    // A list that was made for other domains does not tell about those who were left out.
    let stored = read(blobs).await?.filter(|stored| stored.domains == domains);
    let round = match (rounds(graph, scope, stored.as_ref()).await, &stored) {
        (Ok(round), _) => round,
        (Err(SweepError::Graph(error)), Some(stored)) if error.is_transient() => {
            tracing::warn!(%error, "who came and went is not known: the people of the last list are swept");
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
    let kept = if round.is_full_list || is_old || joined + left > 0 {
        let population = Population { v: V1, taken_at: now, delta_link: round.link, domains, members };
        let content = Bytes::from(contract::to_bytes(&population));
        blobs.put(Container::State, names::POPULATION, "application/json", content, &Metadata::new()).await?;
        population.members
    } else {
        members
    };
    Ok(RefreshedPopulation { members: kept, joined, left, is_full_list: round.is_full_list })
}

async fn read(blobs: &dyn BlobStore) -> Result<Option<Population>, StoreError> {
    let bytes = match blobs.get(Container::State, names::POPULATION, Population::MAX_BYTES as u64).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) | Err(StoreError::TooLarge { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    match contract::parse(&bytes) {
        Ok(population) => Ok(Some(population)),
        Err(error) => {
            tracing::warn!(%error, "the population cannot be read and is listed anew");
            Ok(None)
        }
    }
}

struct Round {
    members: BTreeSet<UserId>,
    link: String,
    is_full_list: bool,
}

/// A whole round from the link, or a full one where there is none or it is forgotten.
async fn rounds(graph: &Graph, scope: &Scope, stored: Option<&Population>) -> Result<Round, SweepError> {
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
                    return Ok(Round { members, link, is_full_list });
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
        tracing::info!("the link to the list of users is too old: everybody is listed anew");
        from = None;
    }
    Err(SweepError::EndlessPopulation)
}

/// People repeat, and the last mention counts.
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
