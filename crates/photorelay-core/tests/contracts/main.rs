//! Contracts: stored data stays readable, byte for byte. Changing a golden file requires a new version.

mod figures;
mod heartbeats;
mod hop_times;
mod operators;
mod population;
mod previews;

use std::fmt::Debug;
use std::path::PathBuf;

use photorelay_core::contract::{
    self, Absence, AuditEntry, Cause, CauseKind, CheckMessage, Checkpoint, CheckpointLink, CheckpointPage,
    ContinueSweep, Contract, ContractError, DailyWrites, DeadLetter, EntryKind, EventType, FetchPolicy, FileVersion,
    FolderOwner, FoundBy, Head, Identity, LifecycleEvent, LifecycleMessage, MetadataFile, NotificationActivity,
    ObjectClaim, PageLink, PhotoFacts, ReceiptEnd, ReconciliationCursor, RenditionFacts, Seen, StopSwitch, Succession,
    SweepCursor, SweepLease, SweepUnderWay, SweptLast, TrailEnd, V1, V1OrV2, WriteBack,
};
use photorelay_core::id::{Digest, TenantId, UserId};
use serde_json::{Value, json};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn user() -> UserId {
    "1f2c0b0e-0000-4000-8000-000000000001".parse().unwrap()
}

fn tenant() -> TenantId {
    "84bd8158-6d4d-4958-8b9f-9d6445542f95".parse().unwrap()
}

fn time() -> jiff::Timestamp {
    "2026-05-24T22:24:31.306Z".parse().unwrap()
}

fn entry() -> AuditEntry {
    let photo = Digest::of(b"photo");
    AuditEntry {
        v: V1OrV2::V1,
        seq: 3,
        previous: Digest::of(b"entry 2"),
        tenant_id: tenant(),
        user_id: user(),
        kind: EntryKind::Captured,
        cause: Cause::new(CauseKind::Notification, "4bf92f3577b34da6a3ce929d0e0e4736"),
        begun_at: None,
        observed_at: time(),
        seen: Seen { sha256: Some(photo), media_etag: Some("\"BA09D118\"".to_owned()) },
        photo: Some(PhotoFacts {
            sha256: photo,
            bytes: 95_328,
            content_type: "image/jpeg".to_owned(),
            width: 648,
            height: 648,
            fingerprint: Some("1:00ff".to_owned()),
        }),
        renditions: vec![RenditionFacts {
            name: "thumbnailPhoto".to_owned(),
            sha256: Digest::of(b"thumbnail"),
            bytes: 6_800,
            width: 96,
            height: 96,
        }],
        identity: Identity {
            anchor: Some("MyIRAFVEd2aImaq7zN3u/w==".to_owned()),
            sid: Some("S-1-5-21-1004336348-1177238915-682003330-1104".to_owned()),
            sam_account_name: Some("ada".to_owned()),
            domain: Some("contoso.test".to_owned()),
            ..Identity::default()
        },
        by: None,
        reason: None,
        traceparent: Some(TRACEPARENT.to_owned()),
    }
}

/// The serialised contract, pretty-printed, equals the golden file, which parses back to the same contract.
fn golden<C: Contract + PartialEq + Debug>(name: &str, contract: &C) {
    let bytes = contract::to_bytes(contract);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/contracts/golden").join(name);
    let written: Value = serde_json::from_slice(&bytes).unwrap();
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; it should hold\n{}", path.display(), serde_json::to_string_pretty(&written).unwrap())
    });
    let expected: Value = serde_json::from_str(&expected).unwrap();
    assert_eq!(written, expected, "{name}: an intended change requires a new version of the contract");
    assert_eq!(&contract::parse::<C>(expected.to_string().as_bytes()).unwrap(), contract);
}

#[test]
fn the_sweep_documents_are_as_agreed() {
    let current = Some(SweepUnderWay { began_at: time(), done_to: Some(user()) });
    golden("sweep.json", &SweepCursor { v: V1, previous: Some(time()), current });
    golden("sweep-lease.json", &SweepLease { v: V1, until: time() });
    golden("continue-sweep.json", &ContinueSweep { v: V1, continue_sweep: time() });
}

#[test]
fn what_is_known_of_an_unreadable_user_is_as_agreed() {
    let (reason, operation) = ("403 ErrorAccessDenied".to_owned(), "read photo metadata".to_owned());
    let (since, next_check_at) = (time(), time());
    let unreadable =
        contract::UnreadableUser { v: V1, user_id: user(), reason, operation, failures: 3, since, next_check_at };
    golden("unreadable-user.json", &unreadable);
}

#[test]
fn the_decode_marker_is_as_agreed() {
    let (sha256, program) = (Digest::of(b"photo"), "0.1.0".to_owned());
    let marker =
        contract::DecodeMarker { v: V1, user_id: user(), sha256, begun: 3, refused: true, program, at: time() };
    golden("decode-marker.json", &marker);
}

#[test]
fn the_audit_entry_is_as_agreed_and_the_first_version_stays_readable() {
    golden("audit-entry.json", &entry());
    let second = AuditEntry { v: V1OrV2::V2, ..entry() };
    let holds_fingerprint = contract::parse::<AuditEntry>(&contract::to_bytes(&second));
    assert!(matches!(holds_fingerprint, Err(ContractError::Invalid(_))), "{holds_fingerprint:?}");
    let photo = second.photo.clone().map(|photo| PhotoFacts { fingerprint: None, ..photo });
    golden("audit-entry-v2.json", &AuditEntry { photo, ..second });
    let third = json!({ "v": 3 }).to_string();
    let newer = contract::parse::<AuditEntry>(third.as_bytes());
    assert!(matches!(newer, Err(ContractError::Newer { found: 3, known: 2 })), "{newer:?}");
}

#[test]
fn an_extended_identity_is_as_agreed_and_keeps_events_small() {
    let mut entry = entry();
    entry.identity.employee_id = Some("100042".to_owned());
    entry.identity.user_principal_name = Some("ada@contoso.test".to_owned());
    entry.identity.mail = Some("ada.lovelace@contoso.test".to_owned());
    golden("audit-entry-identity.json", &entry);
    let event = WriteBack::announcing(&entry, Digest::of(b"entry 3")).unwrap();
    golden("write-back-identity.json", &event);
    let printed = format!("{entry:?} {event:?}");
    assert!(!printed.contains("100042") && !printed.contains("contoso"), "{printed}");

    let longest = Some("x".repeat(256));
    let Identity { anchor, sid, sam_account_name, domain, employee_id, user_principal_name, mail } =
        &mut entry.identity;
    for value in [anchor, sid, sam_account_name, domain, employee_id, user_principal_name, mail] {
        value.clone_from(&longest);
    }
    let event = contract::to_bytes(&WriteBack::announcing(&entry, Digest::ZERO).unwrap());
    contract::parse::<WriteBack>(&event).unwrap();
}

#[test]
fn the_checkpoint_and_its_page_are_as_agreed() {
    let page = CheckpointPage {
        v: V1,
        ends: vec![TrailEnd { user_id: user(), seq: 3, sha256: Digest::of(b"entry 3"), receipts: Vec::new() }],
    };
    golden("checkpoint-page.json", &page);
    let receipt = ReceiptEnd { target: "ad".to_owned(), seq: 3, number: 2, sha256: Digest::of(b"receipt") };
    let mut with_receipts = page.clone();
    with_receipts.ends[0].receipts.push(receipt);
    golden("checkpoint-page-receipts.json", &with_receipts);
    let checkpoint = Checkpoint {
        v: V1,
        day: "2026-05-24".parse().unwrap(),
        taken_at: time(),
        previous: Some(CheckpointLink { day: "2026-05-23".parse().unwrap(), sha256: Digest::of(b"checkpoint") }),
        people: 1,
        pages: vec![PageLink { sha256: Digest::of(&contract::to_bytes(&page)), first: user(), last: user() }],
    };
    golden("checkpoint.json", &checkpoint);
}

#[test]
fn a_refused_entry_is_as_agreed() {
    let refused = AuditEntry {
        kind: EntryKind::Refused,
        photo: None,
        renditions: Vec::new(),
        reason: Some("the photo ends before all of it was there".to_owned()),
        ..entry()
    };
    golden("audit-entry-refused.json", &refused);
}

#[test]
fn the_write_back_event_is_as_agreed_and_small() {
    let event = WriteBack::announcing(&entry(), Digest::of(b"entry 3")).unwrap();
    golden("write-back.json", &event);
    assert!(contract::to_bytes(&event).len() < 4096);
}

#[test]
fn a_removal_event_carries_no_photo() {
    let removed = AuditEntry { kind: EntryKind::Removed, photo: None, renditions: Vec::new(), ..entry() };
    golden("write-back-removed.json", &WriteBack::announcing(&removed, Digest::of(b"entry 3")).unwrap());
}

#[test]
fn refused_entries_are_not_announced_and_forgotten_ones_as_removals() {
    let announced = |kind| WriteBack::announcing(&AuditEntry { kind, ..entry() }, Digest::ZERO);
    assert_eq!(announced(EntryKind::Refused), None);
    let erased = announced(EntryKind::Forgotten).unwrap();
    assert_eq!((erased.event_type, erased.data.photo), (EventType::Removed, None));
}

#[test]
fn the_check_message_is_as_agreed() {
    let check = CheckMessage {
        v: V1,
        cause: Cause::new(CauseKind::Sweep, "2026-05-24T22"),
        users: vec![user()],
        fetch_policy: FetchPolicy::Always,
        attempt: 2,
        absence: Some(Absence { seq: 3, first_seen_at: time() }),
        traceparent: Some(TRACEPARENT.to_owned()),
    };
    golden("check.json", &check);
}

#[test]
fn the_head_is_as_agreed() {
    let head = Head {
        media_etag: Some("\"BA09D118\"".to_owned()),
        sha256: Some(Digest::of(b"photo")),
        settled: true,
        fetched_at: Some(time()),
        ..Head::at(user(), 3, time())
    };
    golden("head.json", &head);
}

#[test]
fn the_lifecycle_message_is_as_agreed() {
    let message = LifecycleMessage {
        v: V1,
        event: LifecycleEvent::ReauthorizationRequired,
        subscription_id: "7f105c7d-2dc5-4530-97cd-4e7ae6534c07".parse().unwrap(),
        traceparent: Some(TRACEPARENT.to_owned()),
    };
    golden("lifecycle.json", &message);
}

#[test]
fn claims_and_successions_are_as_agreed() {
    let (target, other) = ("ad".to_owned(), "1f2c0b0e-0000-4000-8000-000000000002".parse().unwrap());
    let object = Digest::of(b"<GUID=6b1c2f0e-0000-4000-8000-000000000001>");
    golden("claim.json", &ObjectClaim { v: V1, user_id: user(), target: target.clone(), object, at: time() });
    let succession = Succession { v: V1, target, earlier: user(), later: other, contested: false, at: time() };
    golden("succession.json", &succession);
}

#[test]
fn the_shared_state_of_agents_is_as_agreed() {
    let (target, agent) = ("ad".to_owned(), "agent-1".to_owned());
    let reason = Some("the photos of a merger are looked through first".to_owned());
    golden("stop.json", &StopSwitch { v: V1, target: target.clone(), reason, at: time() });
    let cursor = ReconciliationCursor {
        v: V1,
        target: target.clone(),
        agent: agent.clone(),
        settings: Digest::of(b"settings"),
        began_at: time(),
        at: time(),
        done_to: Some(user()),
        finished_at: None,
    };
    golden("pass.json", &cursor);
    let day = "2026-05-24".parse().unwrap();
    golden("writes.json", &DailyWrites { v: V1, target, agent, day, writes: 1_234 });
}

#[test]
fn a_dead_letter_is_as_agreed() {
    let (queue, reason) = ("photo-checks".to_owned(), "not a check message: not valid: expected value".to_owned());
    golden("dead-letter.json", &DeadLetter { v: V1, queue, reason, at: time(), body: b"nonsense".to_vec() });
}

#[test]
fn the_watchdog_documents_are_as_agreed() {
    golden("rhythm.json", &NotificationActivity::starting(time()));
    let found_by = Some(FoundBy { notification: 40, sweep: 2 });
    let (people, with_photo, differing, missing) = (2_200, 1_100, 12, 1);
    golden("watch.json", &SweptLast { v: V1, at: time(), people, with_photo, differing, missing, found_by });
}

#[test]
fn the_files_beside_files_are_as_agreed_also_without_a_version() {
    let owner = FolderOwner { v: V1, user_id: user(), anchor: Some("MyIRAFVEd2aImaq7zN3u/w==".to_owned()) };
    golden("folder-owner.json", &owner);
    let metadata = [("etag".to_owned(), "\"BA09D118\"".to_owned())].into();
    let beside = MetadataFile { v: V1, of: FileVersion(1_779_661_471_306_000_000, 95_328), metadata };
    golden("metadata-file.json", &beside);
    let unversioned = |mut written: Value| {
        written.as_object_mut().unwrap().remove("v");
        written.to_string().into_bytes()
    };
    assert_eq!(contract::parse::<FolderOwner>(&unversioned(json!(owner))).unwrap(), owner);
    assert_eq!(contract::parse::<MetadataFile>(&unversioned(json!(beside))).unwrap(), beside);
}

#[test]
fn a_newer_version_is_distinguished_from_nonsense() {
    let newer = json!({ "v": 2, "whatever": true }).to_string();
    assert!(matches!(contract::parse::<CheckMessage>(newer.as_bytes()), Err(ContractError::Newer { found: 2, .. })));
    for nonsense in ["", "null", "[]", "{}", r#"{"v":"1"}"#, r#"{"v":1,"users":[]}"#, r#"{"v":0}"#] {
        let parsed = contract::parse::<CheckMessage>(nonsense.as_bytes());
        assert!(matches!(parsed, Err(ContractError::Invalid(_))), "{nonsense}");
    }
}

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    let mut event = serde_json::to_value(WriteBack::announcing(&entry(), Digest::ZERO).unwrap()).unwrap();
    event["padding"] = json!("x".repeat(4096));
    let parsed = contract::parse::<WriteBack>(event.to_string().as_bytes());
    assert!(matches!(parsed, Err(ContractError::TooLarge { limit: 4096, .. })));
}

#[test]
fn unknown_members_are_ignored() {
    let mut later = serde_json::to_value(entry()).unwrap();
    later["aMemberOfTomorrow"] = json!({ "x": 1 });
    assert_eq!(contract::parse::<AuditEntry>(later.to_string().as_bytes()).unwrap(), entry());
}

#[test]
fn an_event_whose_id_and_subject_disagree_is_refused() {
    let mut event = serde_json::to_value(WriteBack::announcing(&entry(), Digest::ZERO).unwrap()).unwrap();
    event["subject"] = json!("users/1f2c0b0e-0000-4000-8000-000000000002");
    assert!(contract::parse::<WriteBack>(event.to_string().as_bytes()).is_err());
}
