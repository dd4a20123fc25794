//! The thread that owns the queue file: executes a group of requests in one transaction, commits, then replies.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::arrivals::Arrivals;
use super::identity::FileIdentity;
use super::options::EmbeddedQueueOptions;
use super::table::{self, LeasedMessage, QueueTable, failure};
use crate::clock::Clock;
use crate::queue::{Delivery, Leased, Outgoing, PopReceipt};
use crate::store::{BoxError, StoreError};

/// The maximum number of requests that share one commit.
const MOST_PER_COMMIT: usize = 512;

type Responder<T> = oneshot::Sender<Result<T, StoreError>>;

pub(super) enum WriterRequest {
    Ensure { queue: Box<str>, reply: Responder<()> },
    Send { queue: Box<str>, messages: Vec<Outgoing>, reply: Responder<()> },
    Receive { queue: Box<str>, max: u32, lease: Duration, reply: Responder<Vec<Delivery>> },
    Renew { queue: Box<str>, held: LeasedMessage, delay: Duration, reply: Responder<Leased<PopReceipt>> },
    Delete { queue: Box<str>, held: LeasedMessage, reply: Responder<Leased<()>> },
    Count { queue: Box<str>, reply: Responder<u64> },
    NextDue { queue: Box<str>, reply: Responder<Option<i64>> },
    PeekAll { queue: Box<str>, reply: Responder<Vec<Bytes>> },
}

impl WriterRequest {
    fn writes(&self) -> bool {
        !matches!(self, WriterRequest::Count { .. } | WriterRequest::NextDue { .. } | WriterRequest::PeekAll { .. })
    }
}

/// A reply that waits for the commit: sends the request's result, or the error that failed the whole group.
type PendingReply = Box<dyn FnOnce(Option<&StoreError>)>;

fn after_commit<T: 'static>(reply: Responder<T>, result: Result<T, StoreError>) -> PendingReply {
    // The caller may no longer wait; the work is done all the same.
    Box::new(move |failed| drop(reply.send(failed.map_or(result, |error| Err(repeated(error))))))
}

/// A copy of the error for another request of the group.
fn repeated(error: &StoreError) -> StoreError {
    let text = |source: &BoxError| BoxError::from(source.to_string());
    match error {
        StoreError::Unavailable { doing, source } => {
            StoreError::Unavailable { doing: doing.clone(), source: text(source) }
        }
        StoreError::Denied { doing, source } => StoreError::Denied { doing: doing.clone(), source: text(source) },
        StoreError::Missing { what } => StoreError::Missing { what: what.clone() },
        StoreError::Absent { folder } => StoreError::Absent { folder: folder.clone() },
        StoreError::Lost { folder } => StoreError::Lost { folder: folder.clone() },
        StoreError::Full { doing } => StoreError::Full { doing: doing.clone() },
        StoreError::TooLarge { what, bytes, limit } => {
            StoreError::TooLarge { what: what.clone(), bytes: *bytes, limit: *limit }
        }
        StoreError::Invalid { doing, source } => StoreError::Invalid { doing: doing.clone(), source: text(source) },
    }
}

/// Opens the file on its own thread and returns when it is ready.
pub(super) fn start(
    path: PathBuf,
    options: EmbeddedQueueOptions,
    mut requests: mpsc::Receiver<WriterRequest>,
    arrivals: Arc<Arrivals>,
) -> Result<(JoinHandle<()>, FileIdentity), StoreError> {
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
            let identity = match FileIdentity::of(&path) {
                Ok(identity) => identity,
                Err(error) => {
                    let doing = format!("opening the queue file {}", path.display());
                    return drop(ready.send(Err(StoreError::Unavailable { doing, source: error.into() })));
                }
            };
            match QueueTable::new(&connection) {
                Ok(table) => {
                    if ready.send(Ok(identity.clone())).is_ok() {
                        let mut writer = Writer {
                            table,
                            identity,
                            clock: options.clock,
                            arrivals,
                            known: HashMap::new(),
                            rows: Vec::new(),
                            senders: Vec::new(),
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
        Ok(result) => result.map(|identity| (thread, identity)),
        Err(gone) => Err(StoreError::Unavailable { doing, source: gone.into() }),
    }
}

struct Writer<'c> {
    table: QueueTable<'c>,
    identity: FileIdentity,
    clock: Clock,
    arrivals: Arc<Arrivals>,
    /// Existing queues, which are never removed.
    known: HashMap<Box<str>, i64>,
    /// What the current group sends and has not inserted yet, each with its queue, and who waits for it.
    rows: Vec<(i64, Outgoing)>,
    senders: Vec<Responder<()>>,
    /// Whether the current group is in a transaction.
    writing: bool,
    /// Why the current group's transaction has failed.
    failed: Option<StoreError>,
}

impl<'c> Writer<'c> {
    fn run(&mut self, requests: &mut mpsc::Receiver<WriterRequest>) {
        let mut group = Vec::with_capacity(MOST_PER_COMMIT);
        let mut replies = Vec::with_capacity(MOST_PER_COMMIT);
        let mut woken = Vec::new();
        while requests.blocking_recv_many(&mut group, MOST_PER_COMMIT) > 0 {
            self.begin(group.iter().any(WriterRequest::writes));
            let now = self.clock.now().as_millisecond();
            for request in group.drain(..) {
                self.handle(request, now, &mut replies, &mut woken);
            }
            self.insert(now, &mut replies);
            self.commit();
            if let Some(error) = &self.failed {
                tracing::error!(%error, requests = replies.len(), "the embedded queues could not commit");
            }
            replies.drain(..).for_each(|reply| reply(self.failed.as_ref()));
            woken.drain(..).for_each(|queue: Box<str>| self.arrivals.notify(&queue));
        }
    }

    fn begin(&mut self, writing: bool) {
        self.writing = writing;
        self.failed = self.identity.check().err();
        if writing
            && self.failed.is_none()
            && let Err(error) = self.table.begin()
        {
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
            // The rollback also undoes the creation of queues in this transaction.
            self.known.clear();
        }
    }

    fn handle(&mut self, request: WriterRequest, now: i64, replies: &mut Vec<PendingReply>, woken: &mut Vec<Box<str>>) {
        if !matches!(request, WriterRequest::Send { .. }) {
            // In their order: who receives gets what was sent before.
            self.insert(now, replies);
        }
        let reply = match request {
            WriterRequest::Send { queue, messages, reply } => match self.queue(&queue) {
                Ok(id) => {
                    self.rows.extend(messages.into_iter().map(|message| (id, message)));
                    self.senders.push(reply);
                    return wake(woken, queue);
                }
                Err(error) => after_commit(reply, Err(error)),
            },
            WriterRequest::Ensure { queue, reply } => {
                let done = self.unless_failed().and_then(|()| {
                    let done = self.table.ensure(&queue);
                    self.outcome(done, "creating a queue")
                });
                after_commit(reply, done)
            }
            WriterRequest::Receive { queue, max, lease, reply } => {
                let received =
                    self.in_queue(&queue, "receiving messages", |table, id| table.receive(id, now, max, lease));
                after_commit(reply, received)
            }
            WriterRequest::Renew { queue, held, delay, reply } => {
                let renewed = self.in_queue(&queue, "renewing a lease", |table, id| table.renew(id, now, &held, delay));
                wake(woken, queue);
                after_commit(reply, renewed.map(|receipt| receipt.map_or(Leased::Lost, Leased::Yes)))
            }
            WriterRequest::Delete { queue, held, reply } => {
                let deleted = self.in_queue(&queue, "deleting a message", |table, id| table.delete(id, &held));
                after_commit(reply, deleted.map(|deleted| if deleted { Leased::Yes(()) } else { Leased::Lost }))
            }
            WriterRequest::Count { queue, reply } => {
                after_commit(reply, self.in_queue(&queue, "counting messages", QueueTable::count))
            }
            WriterRequest::NextDue { queue, reply } => {
                after_commit(reply, self.in_queue(&queue, "finding the next message", QueueTable::next_due))
            }
            WriterRequest::PeekAll { queue, reply } => {
                after_commit(reply, self.in_queue(&queue, "reading messages", QueueTable::peek))
            }
        };
        replies.push(reply);
    }

    /// Inserts what was sent. If that fails, all of these senders are to send again, although some messages may be stored.
    fn insert(&mut self, now: i64, replies: &mut Vec<PendingReply>) {
        if self.senders.is_empty() {
            return;
        }
        let inserted = self.unless_failed().and_then(|()| {
            let inserted = self.table.insert(now, &self.rows);
            self.outcome(inserted, "sending messages")
        });
        self.rows.clear();
        let inserted = |reply| after_commit(reply, inserted.as_ref().copied().map_err(repeated));
        replies.extend(self.senders.drain(..).map(inserted));
    }

    /// Runs a statement on an existing queue.
    fn in_queue<T>(
        &mut self,
        queue: &str,
        doing: &str,
        run: impl FnOnce(&mut QueueTable<'c>, i64) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let id = self.queue(queue)?;
        let result = run(&mut self.table, id);
        self.outcome(result, doing)
    }

    /// A failing statement normally undoes only itself. After some failures, however, SQLite rolls back the whole
    /// transaction, and then the whole group has failed.
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
        match self.outcome(found, "finding a queue")? {
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
