//! A delta query: page after page of `users/delta`, merged into the members of a list.
//!
//! It holds 16 bytes for each member, and the pages that were read last.

use photorelay_core::contract::PopulationQuery;
use photorelay_core::id::UserId;
use tokio::sync::mpsc::UnboundedSender;

use super::error::SweepError;
use crate::graph::{DeltaPage, DeltaUser, Graph};
use crate::jobs::scope::Scope;

/// A link may expire while its round runs.
const MAX_RESYNCS: u32 = 2;
/// A page has some hundred users.
const MAX_PAGES: u32 = 100_000;
/// What the pages say about users is merged into the list when it is about so many.
const MERGED_AT: usize = 50_000;

/// A delta query, and how far it has come.
pub(super) struct PopulationRound {
    /// In the order of ids, without duplicates.
    pub(super) members: Vec<UserId>,
    /// Leads to the next page, or after the last one to the next round. None: the first page of a full list.
    pub(super) link: Option<String>,
    pub(super) pages: u32,
    pub(super) is_full_list: bool,
    pub(super) is_whole: bool,
    /// Members that came and went since the round began in this run.
    pub(super) joined: usize,
    pub(super) left: usize,
    /// Whether users belong to the list, in the order in which the pages said so, and not merged into it yet.
    mentions: Vec<(UserId, bool)>,
}

impl PopulationRound {
    pub(super) fn full_list() -> Self {
        Self {
            members: Vec::new(),
            link: None,
            pages: 0,
            is_full_list: true,
            is_whole: false,
            joined: 0,
            left: 0,
            mentions: Vec::new(),
        }
    }

    pub(super) fn since(members: Vec<UserId>, link: String) -> Self {
        Self { members, link: Some(link), is_full_list: false, ..Self::full_list() }
    }

    pub(super) fn going_on(query: &PopulationQuery, members: Vec<UserId>) -> Self {
        let link = Some(query.next_link.clone());
        Self { members, link, pages: query.pages, is_full_list: query.is_full_list, ..Self::full_list() }
    }

    /// Reads page by page to the end, or until it is over, but one page at least. Where the link has expired, all users
    /// are listed. `listed` receives the users of each page of a full list, some of them more than once.
    pub(super) async fn run(
        mut self,
        graph: &Graph,
        scope: &Scope,
        is_over: &impl Fn() -> bool,
        listed: Option<UnboundedSender<Vec<UserId>>>,
    ) -> Result<Self, SweepError> {
        let mut resyncs = 0;
        while self.pages < MAX_PAGES {
            self.pages += 1;
            match graph.users_delta(self.link.as_deref()).await? {
                DeltaPage::More { users, next } => {
                    self.apply(scope, &users, listed.as_ref());
                    self.link = Some(next);
                    if is_over() {
                        self.merge();
                        return Ok(self);
                    }
                }
                DeltaPage::Last { users, link } => {
                    self.apply(scope, &users, listed.as_ref());
                    self.merge();
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

    fn apply(&mut self, scope: &Scope, users: &[DeltaUser], listed: Option<&UnboundedSender<Vec<UserId>>>) {
        let belongs = |user: &DeltaUser| if user.removed { Some(false) } else { scope.may_belong(user) };
        let before = self.mentions.len();
        self.mentions.extend(users.iter().filter_map(|user| Some((user.id, belongs(user)?))));
        if let Some(listed) = listed.filter(|_| self.is_full_list) {
            let mentioned = self.mentions[before..].iter();
            // Nothing listens any more after a failure, which is reported where it happened.
            let _ = listed.send(mentioned.filter(|(_, belongs)| *belongs).map(|(user, _)| *user).collect());
        }
        if self.mentions.len() >= MERGED_AT {
            self.merge();
        }
    }

    /// Users repeat, and the last mention counts.
    fn merge(&mut self) {
        let mut mentions = std::mem::take(&mut self.mentions);
        mentions.reverse();
        mentions.sort_by_key(|(user, _)| *user);
        mentions.dedup_by_key(|(user, _)| *user);
        mentions.retain(|(user, belongs)| self.members.binary_search(user).is_ok() != *belongs);
        let (came, went): (Vec<_>, Vec<_>) = mentions.into_iter().partition(|(_, belongs)| *belongs);
        self.joined += came.len();
        self.left += went.len();
        if !went.is_empty() {
            let mut went = went.into_iter().map(|(user, _)| user).peekable();
            self.members.retain(|member| went.next_if_eq(member).is_none());
        }
        self.members.extend(came.into_iter().map(|(user, _)| user));
        // Two runs that are in order each: the stable sort merges them.
        self.members.sort();
    }
}
