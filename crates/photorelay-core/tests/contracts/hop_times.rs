//! The times by which the way of a change is traced. Documents of before have none of them.

use photorelay_core::contract::{
    AuditEntry, Cause, CauseKind, CheckMessage, FetchPolicy, Outcome, Receipt, V1, WriteBack,
};
use photorelay_core::id::Digest;

use crate::{entry, golden, time, user};

#[test]
fn the_times_of_each_hop_are_as_agreed() {
    let cause = Cause { at: Some(time()), ..Cause::new(CauseKind::Notification, "4bf92f3577b34da6a3ce929d0e0e4736") };
    let check = CheckMessage {
        v: V1,
        cause: cause.clone(),
        users: vec![user()],
        fetch_policy: FetchPolicy::IfChanged,
        attempt: 0,
        absence: None,
        traceparent: None,
    };
    golden("check-times.json", &check);
    let entry = AuditEntry { cause, begun_at: Some(time()), ..entry() };
    golden("audit-entry-times.json", &entry);
    let mut event = WriteBack::announcing(&entry, Digest::of(b"entry 3")).unwrap();
    event.data.announced_at = Some(time());
    golden("write-back-times.json", &event);
    let receipt = Receipt {
        v: V1,
        user_id: user(),
        seq: 3,
        target: "ad".to_owned(),
        outcome: Outcome::Written,
        reason: None,
        entry_sha256: Digest::of(b"entry 3"),
        before: None,
        after: Some(Digest::of(b"thumbnail")),
        server: "dc1.contoso.test".to_owned(),
        agent: "agent-1".to_owned(),
        announced_at: Some(time()),
        received_at: Some(time()),
        at: time(),
        traceparent: None,
    };
    golden("receipt-times.json", &receipt);
    golden(
        "receipt.json",
        &Receipt { announced_at: None, received_at: None, traceparent: entry.traceparent, ..receipt },
    );
}
