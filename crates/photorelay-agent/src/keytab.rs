//! Which kinds of keys a keytab holds: since 2026, domain controllers issue no tickets for RC4, so one without AES keys
//! signs in nowhere. The keys themselves are never looked at.
//!
//! The format is MIT's: <https://web.mit.edu/kerberos/krb5-latest/doc/formats/keytab_file_format.html>

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use photorelay_core::diagnosis::CheckResult;

/// A keytab has some hundred bytes for each key.
const MAX_BYTES: u64 = 1024 * 1024;
const VERSION: [u8; 2] = [5, 2];
/// aes128 and aes256 with SHA-1 (RFC 3962) and with SHA-2 (RFC 8009).
const AES: [u16; 4] = [17, 18, 19, 20];

pub(crate) fn check(path: &Path) -> CheckResult {
    const CHECK: &str = "keytab";
    const FIX: &str = "make a keytab with AES keys, such as by `ktpass /crypto AES256-SHA1`, and let the account use AES \
                       (msDS-SupportedEncryptionTypes)";
    let shown = path.display();
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes));
    if let Err(error) = read {
        let fix = "correct KRB5_CLIENT_KTNAME, or let the agent's account read the file";
        return CheckResult::error(CHECK, format!("{shown}: {error}"), fix);
    }
    match encryption_types(&bytes) {
        None => CheckResult::error(CHECK, format!("{shown} is no keytab"), FIX),
        Some(kinds) if kinds.is_empty() => CheckResult::error(CHECK, format!("{shown} holds no key"), FIX),
        Some(kinds) if AES.iter().any(|aes| kinds.contains(aes)) => {
            CheckResult::ok(CHECK, format!("{shown} holds AES keys"))
        }
        Some(_) => {
            let says = format!("{shown} holds no AES key, and domain controllers issue no tickets for RC4 any more");
            CheckResult::error(CHECK, says, FIX)
        }
    }
}

/// None if it is no keytab.
fn encryption_types(keytab: &[u8]) -> Option<BTreeSet<u16>> {
    let mut rest = keytab.strip_prefix(&VERSION)?;
    let mut kinds = BTreeSet::new();
    while !rest.is_empty() {
        let size = i32::from_be_bytes(take(&mut rest, 4)?.try_into().ok()?);
        let entry = take(&mut rest, usize::try_from(size.unsigned_abs()).ok()?)?;
        // A negative size is a hole that a deleted entry left.
        if size > 0 {
            kinds.insert(encryption_type(entry)?);
        }
    }
    Some(kinds)
}

/// Behind the principal's realm and components, its name type, a time and the version of the key.
fn encryption_type(mut entry: &[u8]) -> Option<u16> {
    let components = number(&mut entry)?;
    for _ in 0..=components {
        let length = number(&mut entry)?;
        take(&mut entry, usize::from(length))?;
    }
    take(&mut entry, 4 + 4 + 1)?;
    number(&mut entry)
}

fn number(rest: &mut &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(take(rest, 2)?.try_into().ok()?))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    rest.split_off(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RC4: u16 = 23;

    fn entry(kind: u16) -> Vec<u8> {
        let counted = |text: &str| [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat();
        let principal = [&[0, 1], counted("CONTOSO.TEST").as_slice(), &counted("agent")].concat();
        let key = [&kind.to_be_bytes()[..], &[0, 2], b"kk"].concat();
        let entry = [principal, vec![0, 0, 0, 1, 0, 0, 0, 0, 3], key].concat();
        [&(entry.len() as i32).to_be_bytes(), entry.as_slice()].concat()
    }

    fn says(content: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        format!("{:?}", check(file.path()))
    }

    #[test]
    fn a_keytab_needs_a_key_for_aes() {
        let hole = [&(-3_i32).to_be_bytes()[..], &[0; 3]].concat();
        let keytab = |kinds: &[u16]| {
            let entries: Vec<u8> = kinds.iter().flat_map(|kind| entry(*kind)).collect();
            [&VERSION[..], &hole, &entries].concat()
        };
        assert!(says(&keytab(&[RC4, 18])).contains("holds AES keys"));
        assert!(says(&keytab(&[RC4])).contains("holds no AES key"));
        assert!(says(&keytab(&[])).contains("holds no key"));
    }

    #[test]
    fn what_is_cut_off_or_something_else_is_no_keytab() {
        let whole = [&VERSION[..], &entry(18)].concat();
        for content in [&b""[..], b"PK", &whole[..whole.len() - 1], &[5, 2, 0x7f, 0xff, 0xff, 0xff]] {
            assert!(says(content).contains("is no keytab"), "{content:?}");
        }
        assert!(format!("{:?}", check(Path::new("/nowhere/agent.keytab"))).contains("KRB5_CLIENT_KTNAME"));
    }
}
