use proptest::prelude::*;

use super::*;

#[test]
fn only_exact_entry_names_are_parsed_as_entries() {
    let user: UserId = "1f2c0b0e-0000-4000-8000-000000000001".parse().unwrap();
    assert_eq!(parse_audit_entry(&audit_entry(user, 7)), Some((user, 7)));
    for name in ["checkpoints/2026-01-01.json", "1f2c0b0e-0000-4000-8000-000000000001/7.json", "x/00000007.json"] {
        assert_eq!(parse_audit_entry(name), None, "{name}");
    }
}

#[test]
fn only_exact_names_are_parsed_as_checkpoints() {
    let day: Date = "2026-05-24".parse().unwrap();
    assert_eq!(parse_checkpoint(&checkpoint(day)), Some(day));
    assert!(is_checkpoint_page(&checkpoint_page(Digest::ZERO)) && checkpoint(day) < checkpoint_page(Digest::ZERO));
    for name in ["checkpoints/20260524.json", "checkpoints/2026-05-24T00.json", &checkpoint_page(Digest::ZERO)] {
        assert_eq!(parse_checkpoint(name), None, "{name}");
    }
    assert!(!is_checkpoint_page(&checkpoint(day)));
}

#[test]
fn only_exact_names_are_parsed_as_heads_and_receipts() {
    let user: UserId = "1f2c0b0e-0000-4000-8000-000000000001".parse().unwrap();
    assert_eq!(parse_head(&head(user)), Some(user));
    assert_eq!(parse_head("users/1F2C0B0E-0000-4000-8000-000000000001.json"), None);
    let first = ReceiptName::first(user, 7, "ad");
    assert_eq!(parse_receipt(&receipt(user, 7, "ad")), Some(first.clone()));
    let second = first.next();
    assert_eq!(second.to_string(), format!("{user}/00000007.ad.2.json"));
    assert_eq!(parse_receipt(&second.to_string()), Some(second));
    for wrong in ["00000007.ad.1.json", "00000007.ad.02.json", "00000007.ad.x.json", "00000007.ad.2.3.json"] {
        assert_eq!(parse_receipt(&format!("{user}/{wrong}")), None, "{wrong}");
    }
    assert_eq!(parse_receipt(&kept_value(user, Digest::ZERO)), None);
    assert_eq!(parse_kept_value(&kept_value(user, Digest::ZERO)), Some((user, Digest::ZERO)));
    assert_eq!(parse_kept_value(&receipt(user, 7, "ad")), None);
    assert_eq!(parse_receipt(&audit_entry(user, 7)), None);
    let recorded = ReceiptName::first(user, 7, "ad").next();
    assert_eq!(recorded_note(&recorded), format!("notes/{user}/00000007.ad.2.json"));
    assert_eq!(parse_recorded_note(&recorded_note(&recorded)), Some(recorded));
    assert_eq!(parse_recorded_note(&note(user, "ad")), None);
}

/// Names that are nearly what photorelay writes.
fn nearly_a_name() -> impl Strategy<Value = String> {
    let user = prop::sample::select(vec![
        "1f2c0b0e-0000-4000-8000-000000000001",
        "1F2c0b0e-0000-4000-8000-000000000001",
        "1f2c0b0e000040008000000000000001",
        "{1f2c0b0e-0000-4000-8000-00000000001}",
        "checkpoints",
    ]);
    let digits = "[+-]?0{0,9}[1-9]{0,3}|4294967295|4294967296|[0-9x]{8}";
    let target = prop::sample::select(vec!["", ".", ".ad", ".ad.", ".ad.2", ".ad.1", ".ad.02", ".ad.+2", ".ad.2.3"]);
    let end = prop::sample::select(vec![".json", ".jso", ""]);
    (user, digits, target, end).prop_map(|(user, digits, target, end)| format!("{user}/{digits}{target}{end}"))
}

proptest! {
    #[test]
    fn a_name_is_recognised_only_as_what_is_written_so(name in nearly_a_name()) {
        prop_assert!(parse_audit_entry(&name).is_none_or(|(user, seq)| audit_entry(user, seq) == name));
        prop_assert!(parse_receipt(&name).is_none_or(|receipt| receipt.to_string() == name));
        let head = format!("{HEADS_PREFIX}{}.json", name.split('/').next().unwrap_or_default());
        prop_assert!(parse_head(&head).is_none_or(|user| super::head(user) == head));
    }

    #[test]
    fn every_name_that_is_written_is_recognised(user: u128, seq: u32, number in 1_u32..) {
        let user = UserId::from_uuid(uuid::Uuid::from_u128(user));
        prop_assert_eq!(parse_audit_entry(&audit_entry(user, seq)), Some((user, seq)));
        let name = ReceiptName { number, ..ReceiptName::first(user, seq, "ad") };
        prop_assert_eq!(parse_receipt(&name.to_string()), Some(name));
        prop_assert_eq!(parse_head(&head(user)), Some(user));
    }
}
