//! The users whose photos are carried: maintained by `users/delta`, in one blob with the link of the next round.
//!
//! An expired link, and a list that is unreadable, cost one full list. While Graph does not answer, the users of the last
//! list are swept. A run that is over before all pages were read keeps them in a document of their own, never in the
//! list, and the next run goes on. The members of the scope's groups are requested anew every time.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use photorelay_core::contract::{Population, PopulationQuery, V1};
use photorelay_core::documents;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::store::BlobStore;

use super::error::SweepError;
use crate::graph::{DeltaPage, DeltaUser, Graph};
use crate::jobs::scope::Scope;

/// An unchanged list is written again after this time, because its link lives for seven days only.
const LINK_KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);
/// A query that was not finished is continued within this time.
const CONTINUED_WITHIN: SignedDuration = SignedDuration::from_hours(24);
/// A link may expire while its round runs.
const MAX_RESYNCS: u32 = 2;
/// A page has some hundred users.
const MAX_PAGES: u32 = 20_000;

/// The population now, and how it differs from before.
#[derive(Debug)]
pub(super) struct RefreshedPopulation {
    pub(super) members: Vec<UserId>,
    pub(super) joined: usize,
    pub(super) left: usize,
    pub(super) is_full_list: bool,
    /// Requests that listing took.
    pub(super) pages: u32,
}

/// The population as Graph returns it now, within groups and pilot list. None if the run was over before all users were
/// listed: what was read is kept, and the next run goes on from there.
pub(super) async fn refresh(
    graph: &Graph,
    scope: &Scope,
    blobs: &dyn BlobStore,
    now: Timestamp,
    is_over: &impl Fn() -> bool,
) -> Result<Option<RefreshedPopulation>, SweepError> {
    let Some(all) = refresh_all(graph, scope, blobs, now, is_over).await? else { return Ok(None) };
    if scope.is_open() {
        return Ok(Some(all));
    }
    if all.pages > 1 && is_over() {
        // Listing took the time that the groups need; the next run has nothing left to list.
        return Ok(None);
    }
    let mut in_groups = BTreeSet::new();
    for (read, group) in scope.groups.iter().enumerate() {
        if read > 0 && is_over() {
            return Err(SweepError::GroupsTakeTooLong);
        }
        in_groups.append(&mut graph.group_members(*group).await?);
    }
    let is_in = |user: &UserId| scope.admits(*user).unwrap_or_else(|| in_groups.contains(user));
    let members = all.members.into_iter().filter(is_in).collect();
    Ok(Some(RefreshedPopulation { members, ..all }))
}

/// Without groups and pilot list, which changes of users do not show: a user that joins a group has not changed.
async fn refresh_all(
    graph: &Graph,
    scope: &Scope,
    blobs: &dyn BlobStore,
    now: Timestamp,
    is_over: &impl Fn() -> bool,
) -> Result<Option<RefreshedPopulation>, SweepError> {
    let domains: Vec<String> = scope.domains.iter().cloned().collect();
    let cloud_managed = scope.cloud_managed;
    // A list for another scope lacks the users that were left out.
    let stored: Option<Population> = documents::read(blobs, Container::State, names::POPULATION).await?;
    let stored = stored.filter(|stored| stored.domains == domains && stored.cloud_managed == cloud_managed);
    let begun = begun(blobs, &domains, cloud_managed, now).await?;
    let (is_continued, began_at) = (begun.is_some(), begun.as_ref().map_or(now, |begun| begun.began_at));
    let round = match (begun, &stored) {
        (Some(begun), _) => DeltaRound::going_on(begun),
        (None, Some(stored)) => DeltaRound::since(stored),
        (None, None) => DeltaRound::full_list(),
    };
    let round = match (round.run(graph, scope, is_over).await, &stored) {
        (Ok(round), _) => round,
        (Err(SweepError::Graph(error)), Some(stored)) if error.is_transient() => {
            tracing::warn!(%error, "the list of users could not be refreshed: the users of the last list are swept");
            let members = stored.members.clone();
            return Ok(Some(RefreshedPopulation { members, joined: 0, left: 0, is_full_list: false, pages: 0 }));
        }
        (Err(error), _) => {
            let will_pass = matches!(&error, SweepError::Graph(error) if error.is_transient());
            if is_continued && !will_pass {
                // Whatever is wrong with it, the next run begins anew.
                blobs.delete(Container::State, names::POPULATION_QUERY).await?;
            }
            return Err(error);
        }
    };
    let DeltaRound { link, pages, is_full_list, is_whole, .. } = round;
    let link = link.unwrap_or_default();
    let members: Vec<UserId> = round.members.into_iter().collect();
    if !is_whole {
        let query =
            PopulationQuery { v: V1, began_at, next_link: link, pages, is_full_list, domains, cloud_managed, members };
        documents::replace(blobs, Container::State, names::POPULATION_QUERY, &query).await?;
        tracing::info!(pages, "the run is over before all users are listed: the next one goes on from here");
        return Ok(None);
    }
    let before: &[UserId] = stored.as_ref().map_or(&[], |stored| &stored.members);
    let joined = members.iter().filter(|member| before.binary_search(member).is_err()).count();
    let left = before.iter().filter(|member| members.binary_search(member).is_err()).count();
    let is_old = stored.as_ref().is_none_or(|stored| now.duration_since(stored.taken_at).abs() > LINK_KEPT_FOR);
    let members = if is_full_list || is_old || joined + left > 0 {
        let population = Population { v: V1, taken_at: now, delta_link: link, domains, cloud_managed, members };
        documents::replace(blobs, Container::State, names::POPULATION, &population).await?;
        population.members
    } else {
        members
    };
    if is_continued {
        blobs.delete(Container::State, names::POPULATION_QUERY).await?;
    }
    Ok(Some(RefreshedPopulation { members, joined, left, is_full_list, pages }))
}

/// The query that the run before had no time to finish.
async fn begun(
    blobs: &dyn BlobStore,
    domains: &[String],
    cloud_managed: bool,
    now: Timestamp,
) -> Result<Option<PopulationQuery>, SweepError> {
    let begun: Option<PopulationQuery> = documents::read(blobs, Container::State, names::POPULATION_QUERY).await?;
    Ok(begun.filter(|begun| {
        begun.domains == domains
            && begun.cloud_managed == cloud_managed
            && now.duration_since(begun.began_at).abs() <= CONTINUED_WITHIN
    }))
}

/// A delta query, and how far it has come.
struct DeltaRound {
    members: BTreeSet<UserId>,
    /// Leads to the next page, or after the last one to the next round. None: the first page of a full list.
    link: Option<String>,
    pages: u32,
    is_full_list: bool,
    is_whole: bool,
}

impl DeltaRound {
    fn full_list() -> Self {
        Self { members: BTreeSet::new(), link: None, pages: 0, is_full_list: true, is_whole: false }
    }

    fn since(stored: &Population) -> Self {
        let members = stored.members.iter().copied().collect();
        Self { members, link: Some(stored.delta_link.clone()), is_full_list: false, ..Self::full_list() }
    }

    fn going_on(query: PopulationQuery) -> Self {
        let members = query.members.into_iter().collect();
        let PopulationQuery { next_link, pages, is_full_list, .. } = query;
        Self { members, link: Some(next_link), pages, is_full_list, is_whole: false }
    }

    /// Reads page by page to the end, or until it is over, but one page at least. Where the link has expired, all users
    /// are listed.
    async fn run(mut self, graph: &Graph, scope: &Scope, is_over: &impl Fn() -> bool) -> Result<Self, SweepError> {
        let mut resyncs = 0;
        while self.pages < MAX_PAGES {
            self.pages += 1;
            match graph.users_delta(self.link.as_deref()).await? {
                DeltaPage::More { users, next } => {
                    apply(scope, &mut self.members, &users);
                    self.link = Some(next);
                    if is_over() {
                        return Ok(self);
                    }
                }
                DeltaPage::Last { users, link } => {
                    apply(scope, &mut self.members, &users);
                    return Ok(Self { link: Some(link), is_whole: true, ..self });
                }
                DeltaPage::Resync if resyncs < MAX_RESYNCS => {
                    tracing::info!("the link to the list of users has expired: all users are listed anew");
                    resyncs += 1;
                    self = Self::full_list();
                }
                DeltaPage::Resync => break,
            }
        }
        Err(SweepError::EndlessPopulation)
    }
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
