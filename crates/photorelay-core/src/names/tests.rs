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
