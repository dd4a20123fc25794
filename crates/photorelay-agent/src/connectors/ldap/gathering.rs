//! Gathers the look-ups that wait at one moment, so that they share a search. One that is alone goes at once; those that
//! are asked while a search is under way share the next one.
//!
//! It must never answer a look-up from a search that began before the look-up was asked. It owns the failure "the caller
//! who searched for the others was cancelled": they ask again.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot::{self, error::TryRecvError};

use super::search::DirectoryEntry;

/// The look-ups of a connector that wait.
#[derive(Debug, Default)]
pub(super) struct LookUps {
    pub(super) finding: Gathering<SharedAnswer>,
    pub(super) reading: Gathering<SharedAnswer>,
}

/// What one search says of each user that it was for.
#[derive(Debug, Clone)]
pub(super) enum SharedAnswer {
    /// Everything that the directory holds of them.
    Whole(Arc<Vec<DirectoryEntry>>),
    /// The same; it was for one user only, so it is the last word.
    Own(Arc<Vec<DirectoryEntry>>),
    /// Nothing.
    Unclear,
    /// The connection was lost on it.
    Down(String),
}

/// Look-ups in the order in which they were asked. What they ask is personal data, so Debug does not show it.
pub(super) struct Gathering<A> {
    waiting: Mutex<VecDeque<LookUp<A>>>,
    /// Held by the caller who searches.
    turn: tokio::sync::Mutex<()>,
}

struct LookUp<A> {
    asked: String,
    answer: oneshot::Sender<A>,
}

/// What one search may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct GatheringLimits {
    pub(super) look_ups: usize,
    /// Of what all of them ask, in bytes; a single one may be longer.
    pub(super) bytes: usize,
}

impl<A> Default for Gathering<A> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<A> fmt::Debug for Gathering<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gathering").finish_non_exhaustive()
    }
}

impl<A: Clone> Gathering<A> {
    /// The answer to a search for what is asked, together with what others ask who wait.
    pub(super) async fn ask<S>(&self, asked: &str, limits: GatheringLimits, search: impl Fn(Vec<String>) -> S) -> A
    where
        S: Future<Output = A>,
    {
        loop {
            let (answer, mut answered) = oneshot::channel();
            self.waiting().push_back(LookUp { asked: asked.to_owned(), answer });
            let _turn = tokio::select! {
                biased;
                own = &mut answered => match own {
                    Ok(own) => return own,
                    Err(_) => continue,
                },
                turn = self.turn.lock() => turn,
            };
            loop {
                match answered.try_recv() {
                    Ok(own) => return own,
                    Err(TryRecvError::Closed) => break,
                    Err(TryRecvError::Empty) => {}
                }
                let (asked, askers): (Vec<_>, Vec<_>) =
                    self.take(limits).into_iter().map(|look_up| (look_up.asked, look_up.answer)).unzip();
                let found = search(asked).await;
                for asker in askers {
                    // One who was cancelled meanwhile does not listen any more.
                    let _ = asker.send(found.clone());
                }
            }
        }
    }

    /// The oldest look-ups whose callers still wait; at least one.
    fn take(&self, limits: GatheringLimits) -> Vec<LookUp<A>> {
        let mut waiting = self.waiting();
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while let Some(next) = waiting.front()
            && (taken.is_empty() || (taken.len() < limits.look_ups && bytes + next.asked.len() <= limits.bytes))
        {
            bytes += next.asked.len();
            taken.extend(waiting.pop_front().filter(|look_up| !look_up.answer.is_closed()));
        }
        taken
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<LookUp<A>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures::future::join_all;
    use futures::{FutureExt, poll};
    use tokio::sync::Semaphore;

    use super::*;

    const LIMITS: GatheringLimits = GatheringLimits { look_ups: 3, bytes: 100 };

    /// Searches that end when they are let go, and what each of them was for.
    struct Searches {
        gathering: Gathering<usize>,
        seen: RefCell<Vec<String>>,
        may_end: Semaphore,
    }

    impl Searches {
        fn new() -> Self {
            Self { gathering: Gathering::default(), seen: RefCell::default(), may_end: Semaphore::new(0) }
        }

        async fn ask(&self, asked: &str) -> usize {
            let search = async |asked: Vec<String>| {
                self.seen.borrow_mut().push(asked.concat());
                let number = self.seen.borrow().len();
                self.may_end.acquire().await.unwrap().forget();
                number
            };
            self.gathering.ask(asked, LIMITS, search).await
        }

        async fn answers(&self, asked: &[&str]) -> Vec<usize> {
            let mut all = Box::pin(join_all(asked.iter().map(|asked| self.ask(asked))));
            assert!(poll!(&mut all).is_pending());
            self.may_end.add_permits(asked.len());
            all.await
        }

        fn seen(&self) -> Vec<String> {
            self.seen.borrow().clone()
        }
    }

    #[tokio::test]
    async fn who_is_alone_goes_at_once_and_those_who_come_meanwhile_share_the_next_search() {
        let searches = Searches::new();
        assert_eq!(searches.answers(&["a", "b", "c", "d", "e", "f"]).await, [1, 2, 2, 2, 3, 3]);
        assert_eq!(searches.seen(), ["a", "bcd", "ef"]);
    }

    #[tokio::test]
    async fn what_is_long_is_asked_alone() {
        let searches = Searches::new();
        let long = "x".repeat(101);
        assert_eq!(searches.answers(&["a", "b", &long, "c"]).await, [1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn a_look_up_is_never_answered_by_a_search_that_began_before_it() {
        let searches = Searches::new();
        let mut first = Box::pin(searches.ask("a"));
        assert!(poll!(&mut first).is_pending());
        let mut later = Box::pin(searches.ask("a"));
        assert!(poll!(&mut later).is_pending());
        searches.may_end.add_permits(2);
        assert_eq!((first.await, later.await), (1, 2));
    }

    #[tokio::test]
    async fn those_for_whom_a_cancelled_caller_searched_ask_again() {
        let searches = Searches::new();
        let mut first = Box::pin(searches.ask("a"));
        assert!(poll!(&mut first).is_pending());
        let mut leading = Box::pin(searches.ask("b"));
        let mut other = Box::pin(searches.ask("c"));
        let mut gone = Box::pin(searches.ask("d"));
        for look_up in [&mut leading, &mut other, &mut gone] {
            assert!(poll!(look_up).is_pending());
        }
        searches.may_end.add_permits(1);
        assert_eq!(first.await, 1);
        assert!(poll!(&mut leading).is_pending(), "it searches for all three");
        drop((leading, gone));
        searches.may_end.add_permits(1);
        assert_eq!(other.now_or_never(), Some(3));
        assert_eq!(searches.seen(), ["a", "bcd", "c"]);
    }
}
