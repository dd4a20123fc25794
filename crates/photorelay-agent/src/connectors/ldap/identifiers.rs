//! Identifiers as Active Directory keeps them: bytes, written in filters with every byte escaped.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

/// An anchor that is the base64 form of a GUID's sixteen bytes in the directory's own (little-endian) order.
pub(super) fn guid_of_anchor(anchor: &str) -> Option<[u8; 16]> {
    STANDARD.decode(anchor).ok()?.try_into().ok()
}

/// A GUID that the directory returned.
pub(super) fn guid(bytes: &[u8]) -> Option<Uuid> {
    Some(Uuid::from_bytes_le(bytes.try_into().ok()?))
}

/// The bytes of `S-1-5-21-...`: revision, number of parts, six bytes big-endian, then each part little-endian
/// ([MS-DTYP] 2.4.2.2).
pub(super) fn sid_bytes(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.strip_prefix("S-")?.split('-');
    let revision: u8 = parts.next()?.parse().ok()?;
    let authority: u64 = parts.next()?.parse().ok()?;
    let parts = parts.map(|part| part.parse::<u32>().ok()).collect::<Option<Vec<_>>>()?;
    if authority >= 1 << 48 || !(1..=15).contains(&parts.len()) {
        return None;
    }
    let mut bytes = vec![revision, parts.len() as u8];
    bytes.extend_from_slice(&authority.to_be_bytes()[2..]);
    bytes.extend(parts.iter().flat_map(|part| part.to_le_bytes()));
    Some(bytes)
}

/// The text of a SID that the directory returned.
pub(super) fn sid_text(bytes: &[u8]) -> Option<String> {
    let (head, parts) = bytes.split_at_checked(8)?;
    let authority = head[2..].iter().fold(0_u64, |authority, byte| authority << 8 | u64::from(*byte));
    let (parts, rest) = parts.as_chunks::<4>();
    if !rest.is_empty() || parts.len() != usize::from(head[1]) {
        return None;
    }
    let parts: String = parts.iter().map(|part| format!("-{}", u32::from_le_bytes(*part))).collect();
    Some(format!("S-{}-{authority}{parts}", head[0]))
}

/// Every byte as `\xx`, which no value can break out of (RFC 4515).
pub(super) fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_written_in_the_order_of_the_directory() {
        let bytes = guid_of_anchor("4AQlP1BP8kCk7A5cHDqIsQ==").unwrap();
        assert_eq!(&bytes[..4], [0xe0, 0x04, 0x25, 0x3f]);
        assert!(guid(&bytes).unwrap().to_string().starts_with("3f2504e0-4f50-40f2-"));
    }

    #[test]
    fn an_anchor_of_another_length_is_no_guid() {
        for anchor in ["", "4AQlP1BP8kCk7A5cHDqIsbGx", "4AQl", "no base64", "*"] {
            assert_eq!(guid_of_anchor(anchor), None, "{anchor}");
        }
    }

    #[test]
    fn a_sid_is_turned_into_its_bytes() {
        // The example of "Well-known SIDs": the builtin administrators.
        let bytes = sid_bytes("S-1-5-32-544").unwrap();
        assert_eq!(bytes, [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0]);
        assert_eq!(sid_text(&bytes).as_deref(), Some("S-1-5-32-544"));
        for cut in 0..bytes.len() {
            assert_eq!(sid_text(&bytes[..cut]), None);
        }
        for wrong in ["", "S-1", "S-1-5", "S-1-5-x", "S-1-5-4294967296", "S-1-281474976710656-1", "s-1-5-32-544)(cn=*"]
        {
            assert_eq!(sid_bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn no_byte_of_a_value_is_read_as_a_filter() {
        assert_eq!(escaped(b"a)(*"), "\\61\\29\\28\\2a");
    }
}
