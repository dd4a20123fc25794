//! Every contract: documents in the storage and messages in the queues.
#![no_main]

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use photorelay_core::contract::{
    self, AuditEntry, CheckMessage, Checkpoint, CheckpointPage, ContinueSweep, Contract, ContractError, DailyWrites,
    DeadLetter, Decision, DecodeMarker, DeletionSlot, FolderOwner, Head, Heartbeat, LifecycleMessage, MetadataFile,
    Note, NotificationActivity, ObjectClaim, PendingApproval, Population, PopulationQuery, PopulationSegment, Receipt,
    ReconciliationCursor, StopSwitch, Succession, SweepCursor, SweepLease, SweptLast, UnreadableUser, WriteBack,
};
use photorelay_core::id::Digest;
use photorelay_fuzz::{Limits, guard, watch_panics};

const LIMITS: Limits = Limits { memory: 32 << 20, processor_time: Duration::from_secs(2) };

fuzz_target!(init: watch_panics(), |input: &[u8]| {
    guard(input, LIMITS, |input| {
        agents(input);
        app(input);
        if let Some(activity) = same_again::<NotificationActivity>(input) {
            let later = activity.notified(Timestamp::UNIX_EPOCH);
            same_again::<NotificationActivity>(&contract::to_bytes(&later)).expect("the next activity");
        }
        if let Some(entry) = same_again::<AuditEntry>(input) {
            announced(&entry);
        }
    });
});

fn agents(input: &[u8]) {
    same_again::<DailyWrites>(input);
    same_again::<Decision>(input);
    same_again::<DeletionSlot>(input);
    same_again::<FolderOwner>(input);
    same_again::<Heartbeat>(input);
    same_again::<Note>(input);
    same_again::<ObjectClaim>(input);
    same_again::<PendingApproval>(input);
    same_again::<Receipt>(input);
    same_again::<ReconciliationCursor>(input);
    same_again::<StopSwitch>(input);
    same_again::<Succession>(input);
    same_again::<WriteBack>(input);
}

fn app(input: &[u8]) {
    same_again::<CheckMessage>(input);
    same_again::<Checkpoint>(input);
    same_again::<CheckpointPage>(input);
    same_again::<ContinueSweep>(input);
    same_again::<DeadLetter>(input);
    same_again::<DecodeMarker>(input);
    same_again::<Head>(input);
    same_again::<LifecycleMessage>(input);
    same_again::<MetadataFile>(input);
    same_again::<Population>(input);
    same_again::<PopulationQuery>(input);
    same_again::<PopulationSegment>(input);
    same_again::<SweepCursor>(input);
    same_again::<SweepLease>(input);
    same_again::<SweptLast>(input);
    same_again::<UnreadableUser>(input);
}

/// A contract that can be read is written as one that means the same.
fn same_again<C: Contract + PartialEq + Debug>(input: &[u8]) -> Option<C> {
    let read: C = match contract::parse(input) {
        Ok(read) => read,
        Err(ContractError::TooLarge { .. }) => {
            assert!(input.len() > C::MAX_BYTES);
            return None;
        }
        Err(_) => return None,
    };
    let bytes = contract::to_bytes(&read);
    // What was left out is written as null, and a time with its seconds.
    if bytes.len() <= C::MAX_BYTES {
        assert_eq!(contract::parse::<C>(&bytes).expect("what was written can be read"), read);
    }
    Some(read)
}

/// An announcement is one that an agent takes, if it is small enough to be sent at all.
fn announced(entry: &AuditEntry) {
    let Some(event) = WriteBack::announcing(entry, Digest::ZERO) else { return };
    let bytes = contract::to_bytes(&event);
    if bytes.len() <= WriteBack::MAX_BYTES {
        let read: WriteBack = contract::parse(&bytes).expect("an announcement can be read");
        assert!(read.is_from(entry.tenant_id) && read.user_id() == Ok(entry.user_id));
    }
}
