//! Reads of Graph that the users of one message make together, in one `$batch`: photos, and the metadata that confirms
//! them.
//!
//! A user's read begins after the user came, so that what it returns is never older than what the user did before. It
//! begins when enough have come, when no other user of the message can come, or when the first one has waited for a short
//! time; so no user waits long for one who is slow. Nothing is kept: everyone comes once, and reads alone after that.

use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use photorelay_core::id::UserId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::graph::BatchedAnswer;

/// When the users who have come are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct SharedReadTerms {
    /// As many at a time.
    pub(super) most: usize,
    /// The longest that the first one waits for others.
    pub(super) patience: Duration,
}

enum Arrival<T> {
    Came(UserId, oneshot::Sender<BatchedAnswer<T>>),
    DoesNotCome,
}

/// The right of one user to one shared read.
pub(super) struct Seat<T>(Option<mpsc::UnboundedSender<Arrival<T>>>);

impl<T> Seat<T> {
    /// Of a user who has no company.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Waits for the shared read. [`BatchedAnswer::Unclear`] asks for a read of the user's own, and is the answer whenever
    /// there is no company.
    pub(super) async fn read(&mut self, user: UserId) -> BatchedAnswer<T> {
        let Some(arrivals) = self.0.take() else { return BatchedAnswer::Unclear };
        let (answer, answered) = oneshot::channel();
        if arrivals.send(Arrival::Came(user, answer)).is_err() {
            return BatchedAnswer::Unclear;
        }
        answered.await.unwrap_or(BatchedAnswer::Unclear)
    }
}

impl<T> Drop for Seat<T> {
    fn drop(&mut self) {
        if let Some(arrivals) = self.0.take() {
            // Without a receiver, no other user waits for this one.
            let _ = arrivals.send(Arrival::DoesNotCome);
        }
    }
}

/// Where users come together for one kind of read.
pub(super) struct Meeting<T> {
    arrivals: mpsc::UnboundedReceiver<Arrival<T>>,
    terms: SharedReadTerms,
    expected: usize,
    waiting: Vec<(UserId, oneshot::Sender<BatchedAnswer<T>>)>,
    since: Instant,
}

impl<T> Meeting<T> {
    /// A meeting, and the seats of so many users.
    pub(super) fn of(users: usize, terms: SharedReadTerms) -> (Self, Vec<Seat<T>>) {
        let (seat, arrivals) = mpsc::unbounded_channel();
        let seats = (0..users).map(|_| Seat(Some(seat.clone()))).collect();
        (Self { arrivals, terms, expected: users, waiting: Vec::new(), since: Instant::now() }, seats)
    }

    /// Reads for those who come, until all seats are taken or given up.
    pub(super) async fn serve<F>(mut self, read: impl Fn(Vec<UserId>) -> F)
    where
        F: Future<Output = Vec<(UserId, BatchedAnswer<T>)>>,
    {
        let mut under_way = FuturesUnordered::new();
        loop {
            if self.is_due() {
                let some = self.waiting.drain(..self.waiting.len().min(self.terms.most)).collect();
                under_way.push(answered(some, &read));
                continue;
            }
            tokio::select! {
                Some(arrival) = self.arrivals.recv() => self.note(arrival),
                Some(()) = under_way.next() => {}
                () = tokio::time::sleep_until(self.since + self.terms.patience), if !self.waiting.is_empty() => {}
                else => break,
            }
        }
    }

    fn note(&mut self, arrival: Arrival<T>) {
        self.expected = self.expected.saturating_sub(1);
        let Arrival::Came(user, answer) = arrival else { return };
        if self.waiting.is_empty() {
            self.since = Instant::now();
        }
        self.waiting.push((user, answer));
    }

    fn is_due(&self) -> bool {
        let is_late = || self.since.elapsed() >= self.terms.patience;
        let come = self.waiting.len();
        come >= self.terms.most || (come > 0 && (self.expected == 0 || is_late()))
    }
}

async fn answered<T, F>(waiting: Vec<(UserId, oneshot::Sender<BatchedAnswer<T>>)>, read: &impl Fn(Vec<UserId>) -> F)
where
    F: Future<Output = Vec<(UserId, BatchedAnswer<T>)>>,
{
    let users: Vec<UserId> = waiting.iter().map(|(user, _)| *user).collect();
    // A read of one is that user's own, as it always was.
    let mut answers = if users.len() > 1 { read(users).await } else { Vec::new() };
    for (user, waiter) in waiting {
        let found = answers.iter().position(|(answered, _)| *answered == user);
        let answer = found.map_or(BatchedAnswer::Unclear, |at| answers.swap_remove(at).1);
        // A user who has given up waits no more.
        let _ = waiter.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn user(number: u8) -> UserId {
        UserId::from_uuid(uuid::Uuid::from_bytes([number; 16]))
    }

    /// The sizes of the reads that came of so many users, of whom these stay away.
    async fn reads(users: u8, away: &[u8], terms: SharedReadTerms) -> Vec<usize> {
        let (meeting, seats) = Meeting::<UserId>::of(users.into(), terms);
        let sizes = Mutex::new(Vec::new());
        let read = |asked: Vec<UserId>| {
            sizes.lock().unwrap().push(asked.len());
            async move { asked.into_iter().rev().map(|user| (user, BatchedAnswer::Known(user))).collect() }
        };
        let come = (0..users).zip(seats).map(|(number, mut seat)| async move {
            if away.contains(&number) {
                return;
            }
            match seat.read(user(number)).await {
                BatchedAnswer::Known(answered) => assert_eq!(answered, user(number)),
                other => assert!(matches!(other, BatchedAnswer::Unclear)),
            }
            assert!(matches!(seat.read(user(number)).await, BatchedAnswer::Unclear), "everyone comes once");
        });
        tokio::join!(meeting.serve(read), futures::future::join_all(come));
        sizes.into_inner().unwrap()
    }

    const PATIENT: SharedReadTerms = SharedReadTerms { most: 4, patience: Duration::from_secs(3600) };

    #[tokio::test]
    async fn users_who_come_together_are_read_together_and_each_gets_their_own_answer() {
        assert_eq!(reads(10, &[], PATIENT).await, [4, 4, 2]);
        assert_eq!(reads(10, &[0, 3, 9], PATIENT).await, [4, 3]);
    }

    #[tokio::test]
    async fn one_who_comes_alone_reads_alone() {
        assert!(reads(1, &[], PATIENT).await.is_empty());
        assert!(reads(5, &[0, 1, 2, 3], PATIENT).await.is_empty());
        assert_eq!(reads(5, &[], PATIENT).await, [4]);
    }

    #[tokio::test]
    async fn no_user_waits_for_ever_for_one_who_does_not_come() {
        let terms = SharedReadTerms { most: 4, patience: Duration::from_millis(1) };
        let (meeting, mut seats) = Meeting::<()>::of(3, terms);
        let _slow = seats.pop();
        let come = seats.into_iter().zip(1..).map(|(mut seat, number)| async move { seat.read(user(number)).await });
        let read = |asked: Vec<UserId>| {
            assert_eq!(asked.len(), 2);
            async move { asked.into_iter().map(|user| (user, BatchedAnswer::Known(()))).collect() }
        };
        tokio::select! {
            () = meeting.serve(read) => panic!("one seat is still there"),
            answers = futures::future::join_all(come) => {
                assert!(answers.iter().all(|answer| matches!(answer, BatchedAnswer::Known(()))));
            }
        }
    }
}
