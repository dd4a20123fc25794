//! What waits for operators, what they decide and ask for, and the record that is left of it.

use photorelay_core::contract::{
    self, ApprovalReason, AuditEntry, Cause, CauseKind, Decision, DeletionSlot, EntryKind, Note, NoteKind,
    PendingApproval, ShownValue, UndoneChange, V1, Verdict, WriteBack,
};
use photorelay_core::id::Digest;
use photorelay_core::operator::OperatorSignature;

use crate::{entry, golden, time, user};

#[test]
fn an_entry_that_an_operator_asked_for_is_as_agreed() {
    let cause = Cause { kind: CauseKind::Operator, ..entry().cause };
    let (by, reason) = (Some("CONTOSO\\ada".to_owned()), Some("ticket 4711".to_owned()));
    golden("audit-entry-restored.json", &AuditEntry { kind: EntryKind::Restored, cause, by, reason, ..entry() });
}

#[test]
fn the_note_is_as_agreed() {
    let note = Note {
        v: V1,
        user_id: user(),
        seq: 3,
        target: "ad".to_owned(),
        note: NoteKind::DryRun,
        reason: "would write 6800 bytes".to_owned(),
        shows: None,
        undone: None,
        agent: "agent-1".to_owned(),
        at: time(),
    };
    golden("note.json", &note);
    let (by, why) = ("CONTOSO\\ada".to_owned(), Some("ticket 4711".to_owned()));
    let undone = Some(UndoneChange { before: Some(Digest::of(b"thumbnail")), by, reason: why });
    let shows = Some(ShownValue { sha256: None });
    golden("note-undone.json", &Note { note: NoteKind::Held, shows, undone, ..note });
}

#[test]
fn approvals_decisions_and_deletion_slots_are_as_agreed() {
    let (target, agent) = ("ad".to_owned(), "agent-1".to_owned());
    let value = Digest::of(b"a value of somebody else");
    let (user_id, seq, at) = (user(), 3, time());
    let reason = "the person has no photo any more".to_owned();
    let held_for = ApprovalReason::Removal;
    let (to, by) = (target.clone(), agent.clone());
    let (receipts, agent_name) = (0, by);
    let held =
        PendingApproval { v: V1, user_id, seq, target: to, held_for, value, receipts, reason, agent: agent_name, at };
    golden("held.json", &held);
    golden("held-again.json", &PendingApproval { held_for: ApprovalReason::Foreign, receipts: 1, ..held });
    let (verdict, to) = (Verdict::Approved, target.clone());
    let (by, why) = (None, None);
    let decision = Decision { v: V1, user_id, seq, target: to, held_for, value, verdict, by, reason: why, at };
    golden("decision.json", &decision);
    let (by, why) = (Some("CONTOSO\\ada".to_owned()), Some("ticket 4711".to_owned()));
    golden("decision-signed.json", &Decision { by, reason: why, ..decision });
    golden("brake-slot.json", &DeletionSlot { v: V1, user_id, seq, target, agent, at });
}

#[test]
fn a_request_to_undo_is_as_agreed_and_names_an_operator() {
    let (by, reason) = ("CONTOSO\\ada".parse().unwrap(), Some("ticket 4711".parse().unwrap()));
    let signature = OperatorSignature { by, reason };
    let request = WriteBack::asking_to_undo(&entry(), Digest::of(b"entry 3"), &signature);
    let request = WriteBack { time: time(), ..request };
    golden("write-back-undo.json", &request);
    let mut nameless = serde_json::to_value(&request).unwrap();
    nameless["data"].as_object_mut().unwrap().remove("undo");
    assert!(contract::parse::<WriteBack>(nameless.to_string().as_bytes()).is_err());
}
