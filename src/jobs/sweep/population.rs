//! The users whose photos are carried: maintained by `users/delta`, in one blob with the link of the next round.
//!
//! An expired link, and a list that is unreadable, cost one full list. While Graph does not answer, the users of the last
//! list are swept. A run that is over before all pages were read keeps them in a document of their own, never in the
//! list, and the next run goes on. The members of the scope's groups are requested anew every time.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use photorelay_core::contract::{Population, PopulationQuery, SegmentLink, UnreferencedSegments, V1OrV2};
use photorelay_core::documents;
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::population;
use photorelay_core::store::{BlobStore, StoreError};
use tokio::sync::mpsc::UnboundedSender;

use super::error::SweepError;
use super::population_round::PopulationRound;
use crate::graph::Graph;
use crate::jobs::scope::Scope;

/// An unchanged list is written again after this time, because its link lives for seven days only.
const LINK_KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);
/// A query that was not finished is continued within this time.
const CONTINUED_WITHIN: SignedDuration = SignedDuration::from_hours(24);

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
/// listed: what was read is kept, and the next run goes on from there. `listed` is as in [`PopulationRound::run`].
pub(super) async fn refresh(
    graph: &Graph,
    scope: &Scope,
    blobs: &dyn BlobStore,
    now: Timestamp,
    is_over: &impl Fn() -> bool,
    listed: Option<UnboundedSender<Vec<UserId>>>,
) -> Result<Option<RefreshedPopulation>, SweepError> {
    let Some(mut all) = refresh_all(graph, scope, blobs, now, is_over, listed).await? else { return Ok(None) };
    if scope.is_open() {
        return Ok(Some(all));
    }
    if all.pages > 1 && is_over() {
        // Listing took the time that the groups need; the next run has nothing left to list.
        return Ok(None);
    }
    let mut is_in_group = vec![false; all.members.len()];
    for (read, group) in scope.groups.iter().enumerate() {
        if read > 0 && is_over() {
            return Err(SweepError::GroupsTakeTooLong);
        }
        let show = |user| {
            if let Ok(at) = all.members.binary_search(&user) {
                is_in_group[at] = true;
            }
        };
        graph.group_members(*group, show).await?;
    }
    let mut is_in_group = is_in_group.into_iter();
    all.members.retain(|user| {
        let is_in_group = is_in_group.next().unwrap_or_default();
        scope.admits(*user).unwrap_or(is_in_group)
    });
    Ok(Some(all))
}

/// What earlier runs left in the storage.
struct StoredLists {
    population: Option<Population>,
    /// What was not finished, if it is to be continued.
    begun: Option<PopulationQuery>,
    /// There is one, continued or not.
    has_query: bool,
}

impl StoredLists {
    /// Those of this scope: a list for another one lacks the users that were left out.
    async fn read(
        blobs: &dyn BlobStore,
        domains: &[String],
        scope: &Scope,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let fits = |of: &[String], cloud_managed| of == domains && cloud_managed == scope.cloud_managed;
        let population = population::read(blobs).await?;
        let query: Option<PopulationQuery> = documents::read(blobs, Container::State, names::POPULATION_QUERY).await?;
        let has_query = query.is_some();
        let is_recent = |query: &PopulationQuery| now.duration_since(query.began_at).abs() <= CONTINUED_WITHIN;
        Ok(Self {
            population: population.filter(|list| fits(&list.domains, list.cloud_managed)),
            begun: query.filter(|query| fits(&query.domains, query.cloud_managed) && is_recent(query)),
            has_query,
        })
    }

    /// The query to run now. A list that cannot be read is forgotten.
    async fn round(&mut self, blobs: &dyn BlobStore) -> Result<PopulationRound, StoreError> {
        if let Some(begun) = &self.begun {
            match population::members(blobs, begun.list()).await? {
                Some(members) => return Ok(PopulationRound::going_on(begun, members)),
                None => self.begun = None,
            }
        }
        if let Some(list) = &self.population {
            match population::members(blobs, list.list()).await? {
                Some(members) => return Ok(PopulationRound::since(members, list.delta_link.clone())),
                None => self.population = None,
            }
        }
        Ok(PopulationRound::full_list())
    }

    /// The users of the last list, if there is one.
    async fn last_members(&self, blobs: &dyn BlobStore) -> Result<Option<Vec<UserId>>, StoreError> {
        match &self.population {
            Some(list) => population::members(blobs, list.list()).await,
            None => Ok(None),
        }
    }

    /// The segments of the list that [`Self::round`] has read: where they have not changed, they are not written again.
    fn segments(&self) -> &[SegmentLink] {
        let begun = self.begun.as_ref().map(|begun| &begun.segments);
        begun.or(self.population.as_ref().map(|list| &list.segments)).map_or(&[], |segments| segments)
    }

    /// The segments that a list names, with those of the new one.
    fn named_with(&self, new: &[SegmentLink]) -> BTreeSet<Digest> {
        let population = self.population.iter().flat_map(|list| &list.segments);
        let begun = self.begun.iter().flat_map(|begun| &begun.segments);
        population.chain(begun).chain(new).map(|link| link.sha256).collect()
    }

    fn unreferenced(&self) -> Option<&UnreferencedSegments> {
        self.population.as_ref()?.unreferenced.as_ref()
    }

    fn is_old(&self, now: Timestamp) -> bool {
        self.population.as_ref().is_none_or(|list| now.duration_since(list.taken_at).abs() > LINK_KEPT_FOR)
    }

    /// How many users are in one list and not in the other: who joined, and who left.
    async fn differences(&self, blobs: &dyn BlobStore, members: &[UserId]) -> Result<(usize, usize), StoreError> {
        let Some(list) = &self.population else { return Ok((members.len(), 0)) };
        let compared = population::compare(blobs, list.list(), members).await?;
        Ok(compared.map_or((members.len(), 0), |(common, left)| (members.len() - common, left)))
    }
}

/// Without groups and pilot list, which changes of users do not show: a user that joins a group has not changed.
async fn refresh_all(
    graph: &Graph,
    scope: &Scope,
    blobs: &dyn BlobStore,
    now: Timestamp,
    is_over: &impl Fn() -> bool,
    listed: Option<UnboundedSender<Vec<UserId>>>,
) -> Result<Option<RefreshedPopulation>, SweepError> {
    let domains: Vec<String> = scope.domains.iter().cloned().collect();
    let mut stored = StoredLists::read(blobs, &domains, scope, now).await?;
    let round = stored.round(blobs).await?;
    let round = match round.run(graph, scope, is_over, listed).await {
        Ok(round) => round,
        Err(SweepError::Graph(error)) if error.is_transient() => {
            let Some(members) = stored.last_members(blobs).await? else { return Err(SweepError::Graph(error)) };
            tracing::warn!(%error, "the list of users could not be refreshed: the users of the last list are swept");
            return Ok(Some(RefreshedPopulation { members, joined: 0, left: 0, is_full_list: false, pages: 0 }));
        }
        Err(error) => {
            if stored.begun.is_some() {
                // Whatever is wrong with it, the next run begins anew.
                blobs.delete(Container::State, names::POPULATION_QUERY).await?;
            }
            return Err(error);
        }
    };
    let PopulationRound { pages, is_full_list, .. } = round;
    if !round.is_whole {
        let query = PopulationQuery {
            v: V1OrV2::V2,
            began_at: stored.begun.as_ref().map_or(now, |begun| begun.began_at),
            next_link: round.link.unwrap_or_default(),
            pages,
            is_full_list,
            domains,
            cloud_managed: scope.cloud_managed,
            members: Vec::new(),
            segments: population::store(blobs, &round.members, stored.segments()).await?,
        };
        documents::replace(blobs, Container::State, names::POPULATION_QUERY, &query).await?;
        tracing::info!(pages, "the run is over before all users are listed: the next one goes on from here");
        return Ok(None);
    }
    let (joined, left) = match is_full_list || stored.begun.is_some() {
        true => stored.differences(blobs, &round.members).await?,
        false => (round.joined, round.left),
    };
    if is_full_list || joined + left > 0 || stored.is_old(now) {
        let segments = population::store(blobs, &round.members, stored.segments()).await?;
        let named = stored.named_with(&segments);
        let list = Population {
            v: V1OrV2::V2,
            taken_at: now,
            delta_link: round.link.unwrap_or_default(),
            domains,
            cloud_managed: scope.cloud_managed,
            members: Vec::new(),
            segments,
            unreferenced: Some(population::collect(blobs, stored.unreferenced(), &named, now).await?),
        };
        documents::replace(blobs, Container::State, names::POPULATION, &list).await?;
    }
    if stored.has_query {
        blobs.delete(Container::State, names::POPULATION_QUERY).await?;
    }
    Ok(Some(RefreshedPopulation { members: round.members, joined, left, is_full_list, pages }))
}
