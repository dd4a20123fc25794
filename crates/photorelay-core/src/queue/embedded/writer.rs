//! The thread that owns the queue file: takes what was asked for, does it in one transaction, commits, answers.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::arrivals::Arrivals;
use super::options::EmbeddedQueueOptions;
use super::table::{self, LeasedMessage, QueueTable, failure};
use crate::clock::Clock;
use crate::queue::{Delivery, Leased, Outgoing, PopReceipt};
use crate::store::{BoxError, StoreError};

/// How many requests share one commit.
const MOST_PER_COMMIT: usize = 512;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

pub(super) enum WriterRequest {
    Ensure { queue: Box<str>, reply: Reply<()> },
    Send { queue: Box<str>, messages: Vec<Outgoing>, reply: Reply<()> },
    Receive { queue: Box<str>, max: u32, lease: Duration, reply: Reply<Vec<Delivery>> },
    Renew { queue: Box<str>, held: LeasedMessage, delay: Duration, reply: Reply<Leased<PopReceipt>> },
    Delete { queue: Box<str>, held: LeasedMessage, reply: Reply<Leased<()>> },
    Count { queue: Box<str>, reply: Reply<u64> },
    NextDue { queue: Box<str>, reply: Reply<Option<i64>> },
    PeekAll { queue: Box<str>, reply: Reply<Vec<Bytes>> },
}

impl WriterRequest {
    fn writes(&self) -> bool {
        !matches!(self, WriterRequest::Count { .. } | WriterRequest::NextDue { .. } | WriterRequest::PeekAll { .. })
    }
}

/// What a request came to, kept until the commit: gives it, or the failure of the whole group in its place.
type Answer = Box<dyn FnOnce(Option<&StoreError>)>;

fn answer<T: 'static>(reply: Reply<T>, result: Result<T, StoreError>) -> Answer {
    // Whoever asked may have gone away; what was done stays done.
    Box::new(move |failed| drop(reply.send(failed.map_or(result, |error| Err(repeated(error))))))
}

/// The same error once more, for another request of the group.
fn repeated(error: &StoreError) -> StoreError {
    let text = |source: &BoxError| BoxError::from(source.to_string());
    match error {
        StoreError::Unavailable { doing, source } => {
            StoreError::Unavailable { doing: doing.clone(), source: text(source) }
        }
        StoreError::Denied { doing, source } => StoreError::Denied { doing: doing.clone(), source: text(source) },
        StoreError::Missing { what } => StoreError::Missing { what: what.clone() },
        StoreError::Full { doing } => StoreError::Full { doing: doing.clone() },
        StoreError::TooLarge { what, bytes, limit } => {
            StoreError::TooLarge { what: what.clone(), bytes: *bytes, limit: *limit }
        }
        StoreError::Invalid { doing, source } => StoreError::Invalid { doing: doing.clone(), source: text(source) },
    }
}

/// Opens the file on a thread of its own and returns when it is ready.
pub(super) fn start(
    path: PathBuf,
    options: EmbeddedQueueOptions,
    mut requests: mpsc::Receiver<WriterRequest>,
    arrivals: Arc<Arrivals>,
) -> Result<JoinHandle<()>, StoreError> {
    let (ready, opened) = std::sync::mpsc::sync_channel(1);
    let doing = format!("opening the queue file {}", path.display());
    let thread = thread::Builder::new()
        .name("queue-writer".to_owned())
        .spawn(move || {
            let opening =
                |error: &rusqlite::Error| failure(error, &format!("opening the queue file {}", path.display()));
            let connection = match table::open(&path, options.largest_file) {
                Ok(connection) => connection,
                Err(error) => return drop(ready.send(Err(opening(&error)))),
            };
            match QueueTable::new(&connection) {
                Ok(table) => {
                    if ready.send(Ok(())).is_ok() {
                        let mut writer = Writer {
                            table,
                            clock: options.clock,
                            arrivals,
                            known: HashMap::new(),
                            writing: false,
                            failed: None,
                        };
                        writer.run(&mut requests);
                    }
                }
                Err(error) => drop(ready.send(Err(opening(&error)))),
            }
        })
        .map_err(|error| StoreError::Unavailable { doing: doing.clone(), source: error.into() })?;
    match opened.recv() {
        Ok(result) => result.map(|()| thread),
        Err(gone) => Err(StoreError::Unavailable { doing, source: gone.into() }),
    }
}

struct Writer<'c> {
    table: QueueTable<'c>,
    clock: Clock,
    arrivals: Arc<Arrivals>,
    /// Queues that are there. None is ever removed.
    known: HashMap<Box<str>, i64>,
    /// Whether the group at hand is in a transaction, and why that has failed.
    writing: bool,
    failed: Option<StoreError>,
}

impl Writer<'_> {
    fn run(&mut self, requests: &mut mpsc::Receiver<WriterRequest>) {
        let mut group = Vec::with_capacity(MOST_PER_COMMIT);
        let mut answers = Vec::with_capacity(MOST_PER_COMMIT);
        let mut woken = Vec::new();
        while requests.blocking_recv_many(&mut group, MOST_PER_COMMIT) > 0 {
            self.begin(group.iter().any(WriterRequest::writes));
            let now = self.clock.now().as_millisecond();
            answers.extend(group.drain(..).map(|request| self.handle(request, now, &mut woken)));
            self.commit();
            if let Some(error) = &self.failed {
                tracing::error!(%error, requests = answers.len(), "the embedded queues could not commit");
            }
            answers.drain(..).for_each(|answer| answer(self.failed.as_ref()));
            woken.drain(..).for_each(|queue: Box<str>| self.arrivals.notify(&queue));
        }
    }

    fn begin(&mut self, writing: bool) {
        self.writing = writing;
        self.failed = None;
        if writing && let Err(error) = self.table.begin() {
            self.failed = Some(failure(&error, "writing to the queue file"));
        }
    }

    fn commit(&mut self) {
        if self.writing
            && self.failed.is_none()
            && let Err(error) = self.table.commit()
        {
            self.failed = Some(failure(&error, "committing to the queue file"));
        }
        if self.failed.is_some() {
            self.table.roll_back();
            // A queue that was made in this transaction is not there after all.
            self.known.clear();
        }
    }

    fn handle(&mut self, request: WriterRequest, now: i64, woken: &mut Vec<Box<str>>) -> Answer {
        match request {
            WriterRequest::Ensure { queue, reply } => {
                let done = self.unless_failed().and_then(|()| {
                    let done = self.table.ensure(&queue);
                    self.outcome(done, "creating a queue")
                });
                answer(reply, done)
            }
            WriterRequest::Send { queue, messages, reply } => {
                let done = self.queue(&queue).and_then(|id| {
                    let done = messages.iter().try_for_each(|message| self.table.insert(id, now, message));
                    self.outcome(done, "sending a message")
                });
                wake(woken, queue);
                answer(reply, done)
            }
            WriterRequest::Receive { queue, max, lease, reply } => {
                let received = self.queue(&queue).and_then(|id| {
                    let received = self.table.receive(id, now, max, lease);
                    self.outcome(received, "receiving messages")
                });
                answer(reply, received)
            }
            WriterRequest::Renew { queue, held, delay, reply } => {
                let renewed = self.queue(&queue).and_then(|id| {
                    let renewed = self.table.renew(id, now, &held, delay);
                    self.outcome(renewed, "renewing a lease")
                });
                wake(woken, queue);
                answer(reply, renewed.map(|receipt| receipt.map_or(Leased::Lost, Leased::Yes)))
            }
            WriterRequest::Delete { queue, held, reply } => {
                let deleted = self.queue(&queue).and_then(|id| {
                    let deleted = self.table.delete(id, &held);
                    self.outcome(deleted, "deleting a message")
                });
                answer(reply, deleted.map(|deleted| if deleted { Leased::Yes(()) } else { Leased::Lost }))
            }
            WriterRequest::Count { queue, reply } => {
                let count = self.queue(&queue).and_then(|id| {
                    let count = self.table.count(id);
                    self.outcome(count, "counting messages")
                });
                answer(reply, count)
            }
            WriterRequest::NextDue { queue, reply } => {
                let due = self.queue(&queue).and_then(|id| {
                    let due = self.table.next_due(id);
                    self.outcome(due, "looking for messages")
                });
                answer(reply, due)
            }
            WriterRequest::PeekAll { queue, reply } => {
                let bodies = self.queue(&queue).and_then(|id| {
                    let bodies = self.table.peek(id);
                    self.outcome(bodies, "reading messages")
                });
                answer(reply, bodies)
            }
        }
    }

    /// One failing statement undoes itself only. But after some failures SQLite gives the whole transaction up, with
    /// all that was done before in it, and then the whole group has failed.
    fn outcome<T>(&mut self, result: rusqlite::Result<T>, doing: &str) -> Result<T, StoreError> {
        result.map_err(|error| {
            if self.writing && !self.table.in_transaction() {
                self.failed = Some(failure(&error, doing));
            }
            failure(&error, doing)
        })
    }

    fn unless_failed(&self) -> Result<(), StoreError> {
        self.failed.as_ref().map_or(Ok(()), |error| Err(repeated(error)))
    }

    fn queue(&mut self, name: &str) -> Result<i64, StoreError> {
        self.unless_failed()?;
        if let Some(id) = self.known.get(name) {
            return Ok(*id);
        }
        let found = self.table.find(name);
        match self.outcome(found, "looking for a queue")? {
            Some(id) => {
                self.known.insert(name.into(), id);
                Ok(id)
            }
            None => Err(StoreError::Missing { what: format!("the queue `{name}`") }),
        }
    }
}

fn wake(woken: &mut Vec<Box<str>>, queue: Box<str>) {
    if !woken.contains(&queue) {
        woken.push(queue);
    }
}
