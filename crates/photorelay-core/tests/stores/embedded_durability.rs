//! What the queue file owes to a caller it has answered: seen from outside, by strace(1), on a process of its own.
//!
//! The process is this test program once more, which sends messages and prints each answer. strace lists its answers and
//! its syncs in their order, or kills it at one of its writes.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use photorelay_core::queue::embedded::EmbeddedQueues;
use photorelay_core::queue::{Outgoing, QueueStore};

const QUEUE: &str = "photo-checks";
const FOLDER: &str = "PHOTORELAY_TEST_FOLDER";
const CALLERS: &str = "PHOTORELAY_TEST_CALLERS";
const ANSWERED: &str = "answered ";
const PER_CALLER: usize = 4;

/// The process that is watched; by itself it is no test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the tests of this file"]
#[expect(clippy::disallowed_methods, reason = "what the tests of this file tell it")]
async fn sender() {
    let (folder, callers) = (std::env::var(FOLDER).unwrap(), std::env::var(CALLERS).unwrap());
    let queues = EmbeddedQueues::open(Path::new(&folder)).unwrap();
    queues.ensure_queue(QUEUE).await.unwrap();
    let callers = (0..callers.parse::<usize>().unwrap()).map(|caller| {
        let queues = &queues;
        async move {
            for at in 0..PER_CALLER {
                let body = format!("{caller}-{at}");
                queues.send(QUEUE, vec![Outgoing::now(body.clone())]).await.unwrap();
                println!("{ANSWERED}{body}");
            }
        }
    });
    futures::future::join_all(callers).await;
}

/// Runs the sender under strace with these options.
fn watched(folder: &Path, callers: usize, options: &[&str]) -> Output {
    let mut strace = Command::new("strace");
    strace.args(["--follow-forks", "--decode-fds=path", "--quiet=all"]).args(options).arg("--");
    strace.arg(std::env::current_exe().unwrap());
    strace.args(["--exact", "embedded_durability::sender", "--ignored", "--nocapture"]);
    strace.env(FOLDER, folder).env(CALLERS, callers.to_string());
    strace.output().expect("strace is missing: apt-get install strace")
}

/// What the answers and syncs of the sender were, in their order: none stands for a sync of the queue's log.
fn answers_and_syncs(callers: usize) -> Vec<Option<String>> {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("calls");
    let options = ["--trace=fsync,fdatasync,write", "--output", list.to_str().unwrap()];
    let output = watched(folder.path(), callers, &options);
    assert!(output.status.success(), "{output:?}");
    let list = std::fs::read_to_string(list).unwrap();
    let events = list.lines().filter_map(|line| match line.split_once(ANSWERED) {
        Some((_, answer)) => Some(Some(answer.split(['\\', '"']).next().unwrap().to_owned())),
        None => (line.contains("sync(") && line.contains("queues.sqlite-wal")).then_some(None),
    });
    events.collect()
}

#[test]
fn every_answer_to_a_lone_caller_comes_after_a_sync_of_its_own() {
    let events = answers_and_syncs(1);
    let answers: Vec<usize> = (0..events.len()).filter(|at| events[*at].is_some()).collect();
    assert_eq!(answers.len(), PER_CALLER, "{events:?}");
    for at in answers {
        assert!(at > 0 && events[at - 1].is_none(), "an answer without a sync: {events:?}");
    }
}

#[test]
fn callers_at_once_share_syncs_and_none_is_answered_before_one() {
    let callers = 32;
    let events = answers_and_syncs(callers);
    let syncs = events.iter().filter(|event| event.is_none()).count();
    assert_eq!(events.len() - syncs, callers * PER_CALLER);
    assert!(events[0].is_none(), "an answer before the first sync: {events:?}");
    assert!(syncs < callers * PER_CALLER / 2, "{syncs} syncs for {} answers", callers * PER_CALLER);
}

#[tokio::test]
async fn whatever_write_it_is_killed_at_what_was_answered_is_there_once() {
    dies_at("pwrite64", 5).await;
}

#[tokio::test]
async fn whatever_sync_it_is_killed_at_what_was_answered_is_there_once() {
    dies_at("fsync,fdatasync", 1).await;
}

/// Kills the sender at the first of these calls, at one some calls later, and so on, until it comes to its end.
async fn dies_at(calls: &str, step: usize) {
    let callers = 16;
    let mut killed = 0;
    loop {
        let folder = tempfile::tempdir().unwrap();
        let inject = format!("--inject={calls}:signal=SIGKILL:when={}", 1 + killed * step);
        let output = watched(folder.path(), callers, &[&format!("--trace={calls}"), &inject, "--output=/dev/null"]);
        holds_what_was_answered(folder.path(), &output, callers).await;
        if output.status.success() {
            break;
        }
        killed += 1;
    }
    assert!(killed > 3, "it was killed at {killed} calls only");
}

async fn holds_what_was_answered(folder: &Path, output: &Output, callers: usize) {
    let printed = String::from_utf8_lossy(&output.stdout);
    let answered: BTreeSet<&str> =
        printed.lines().filter_map(|line| line.split_once(ANSWERED)).map(|(_, at)| at).collect();
    let queues = EmbeddedQueues::open(folder).unwrap();
    queues.ensure_queue(QUEUE).await.unwrap();
    let stored = queues.peek_all(QUEUE).await.unwrap();
    let stored: Vec<&str> = stored.iter().map(|body| std::str::from_utf8(body).unwrap()).collect();
    let distinct: BTreeSet<&str> = stored.iter().copied().collect();
    assert_eq!(distinct.len(), stored.len(), "nothing is stored twice: {stored:?}");
    assert!(answered.is_subset(&distinct), "answered {answered:?}, stored {distinct:?}");
    assert_eq!(queues.count(QUEUE).await.unwrap(), distinct.len() as u64);
    assert!(
        distinct.len() <= answered.len() + callers,
        "what is stored without an answer is at most one message for each caller"
    );
    queues.send(QUEUE, vec![Outgoing::now("afterwards")]).await.unwrap();
}
