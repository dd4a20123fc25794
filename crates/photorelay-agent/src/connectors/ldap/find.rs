//! Finds the one user object on which two independent identifiers agree, or none.
//!
//! Every user with the anchor or the SID is searched for, so that a second user with one of them is not overlooked. Where
//! the anchor's attribute has no index, that reads the whole directory; then the SID alone may identify the user if its
//! owner has the anchor and the `anchor_index` knows no other user with it. Only the full search ever refuses.
//! Where it is required, the object has to name the user's object ID in Entra ID besides.
//! Refusals name objects by objectGUID, never by a user's name or account name.

use std::collections::BTreeSet;

use photorelay_core::contract::Identity;
use photorelay_core::id::UserId;
use uuid::Uuid;

use super::anchor_index::{AnchorIndex, key};
use super::attributes::{ACCOUNT, CONSISTENCY, EXTERNAL_ID, GUID, SID, USERS};
use super::identifiers::{escaped, guid, guid_of_anchor, sid_bytes};
use super::search::DirectoryEntry;
use super::settings::LdapSettings;
use crate::connectors::ConnectorError;

/// What a search has to return for [`DirectoryIdentity::choose`], and the photo.
pub(super) fn attributes(settings: &LdapSettings) -> Vec<String> {
    let known = [GUID, CONSISTENCY, SID, ACCOUNT, &settings.attribute].into_iter().map(str::to_owned);
    let external_id = settings.require_external_id.then(|| EXTERNAL_ID.to_owned());
    known.chain(settings.anchor_attribute.clone()).chain(external_id).collect()
}

/// Users, enabled or disabled, whom one of these filters finds.
pub(super) fn among_users(filters: &str) -> String {
    format!("(&{USERS}(|{filters}))")
}

/// The identifiers of the user to find. They are personal data, so there is no Debug.
pub(super) struct DirectoryIdentity {
    anchor: Option<Anchor>,
    sid: Option<Vec<u8>>,
    account: Option<String>,
    /// What the object must have besides, if that is required.
    external_id: Option<String>,
}

enum Anchor {
    Guid([u8; 16]),
    Text { attribute: String, value: String },
}

impl DirectoryIdentity {
    /// An identity with fewer than two identifiers is refused before the directory is asked.
    pub(super) fn of(identity: &Identity, settings: &LdapSettings) -> Result<Self, ConnectorError> {
        let refused = |reason: &str| ConnectorError::Refused(reason.to_owned());
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let anchor = match (given(&identity.anchor), &settings.anchor_attribute) {
            (None, _) => None,
            (Some(value), Some(attribute)) => Some(Anchor::Text { attribute: attribute.clone(), value }),
            (Some(value), None) => Some(Anchor::Guid(guid_of_anchor(&value).ok_or_else(|| {
                refused(
                    "the anchor (onPremisesImmutableId) is not a GUID of sixteen bytes in base64: if another attribute \
                     is the source anchor, name it in PHOTORELAY_LDAP_ANCHOR_ATTRIBUTE",
                )
            })?)),
        };
        let sid = match given(&identity.sid) {
            None => None,
            Some(text) => Some(sid_bytes(&text).ok_or_else(|| refused("the SID is not one"))?),
        };
        let account = given(&identity.sam_account_name);
        if usize::from(anchor.is_some()) + usize::from(sid.is_some()) + usize::from(account.is_some()) < 2
            || (anchor.is_none() && sid.is_none())
        {
            return Err(refused(
                "fewer than two identifiers are known (anchor, SID, sAMAccountName): no user is chosen",
            ));
        }
        Ok(Self { anchor, sid, account, external_id: None })
    }

    /// The same; if the settings require it, the object that is chosen also names this user's object ID.
    pub(super) fn of_user(user: UserId, identity: &Identity, settings: &LdapSettings) -> Result<Self, ConnectorError> {
        let external_id = settings.require_external_id.then(|| format!("User_{user}"));
        Ok(Self { external_id, ..Self::of(identity, settings)? })
    }

    /// Finds who has the SID, always by an index. None if the SID or the anchor is not known. Like [`Self::by_all`], it is
    /// put into an "or" with those of other users.
    pub(super) fn by_sid(&self) -> Option<String> {
        self.anchor.as_ref()?;
        self.sid.as_ref().map(|sid| format!("({SID}={})", escaped(sid)))
    }

    /// Whether exactly one user has the SID, and has the anchor, and no other user is known to have the anchor.
    pub(super) fn is_plain(&self, entries: &[DirectoryEntry], anchor_index: &AnchorIndex) -> bool {
        let mut with_sid = entries.iter().filter(|entry| entry.value(SID) == self.sid.as_deref());
        let (Some(anchor), Some(entry), None) = (&self.anchor, with_sid.next(), with_sid.next()) else { return false };
        let own = usize::from(!entry.values(anchor.attribute()).is_empty());
        anchor.is_of(entry) && anchor_index.holders(&anchor.key()) <= own
    }

    /// Finds who has the anchor or the SID. The name of an account may be another user's by now, so it is not searched
    /// for.
    pub(super) fn by_all(&self) -> String {
        let anchor = self.anchor.as_ref().map(Anchor::filter).unwrap_or_default();
        let sid = self.sid.as_ref().map(|sid| format!("({SID}={})", escaped(sid))).unwrap_or_default();
        format!("{anchor}{sid}")
    }

    /// The one object on which everything agrees, and its objectGUID.
    pub(super) fn choose<'a>(
        &self,
        entries: &'a [DirectoryEntry],
    ) -> Result<(&'a DirectoryEntry, Uuid), ConnectorError> {
        let with = |has: &dyn Fn(&DirectoryEntry) -> bool| -> Vec<&'a DirectoryEntry> {
            entries.iter().filter(|e| has(e)).collect()
        };
        let by_anchor = self.anchor.as_ref().map(|anchor| with(&|entry| anchor.is_of(entry)));
        let by_sid = self.sid.as_ref().map(|sid| with(&|entry| entry.value(SID) == Some(sid)));
        let refused = |why: &str| {
            let side =
                |found: &Option<Vec<&DirectoryEntry>>| found.as_ref().map_or("not known".to_owned(), |f| shown(f));
            let found = format!("anchor: {}; SID: {}", side(&by_anchor), side(&by_sid));
            Err(ConnectorError::Refused(format!("{why} ({found})")))
        };
        let chosen = match (&by_anchor, &by_sid) {
            (Some(anchor), Some(sid)) => match (anchor.as_slice(), sid.as_slice()) {
                ([anchor], [sid]) if anchor.value(GUID) == sid.value(GUID) => *anchor,
                ([], []) => return refused("no user has the anchor or the SID"),
                _ => return refused("anchor and SID do not name one and the same user"),
            },
            // One of them is not known: the account name has to agree with the other.
            (Some(found), None) | (None, Some(found)) => match found.as_slice() {
                [one] if self.has_account_name(one) => *one,
                [_] => return refused("the sAMAccountName of the user found is another"),
                [] => return refused("no user is found"),
                _ => return refused("several users are found"),
            },
            (None, None) => return refused("neither anchor nor SID is known"),
        };
        if let Some(why) = self.external_id_problem(chosen) {
            return refused(why);
        }
        match chosen.value(GUID).and_then(guid) {
            Some(guid) => Ok((chosen, guid)),
            None => refused("the user has no objectGUID that can be read"),
        }
    }

    fn external_id_problem(&self, entry: &DirectoryEntry) -> Option<&'static str> {
        let wanted = self.external_id.as_deref()?.as_bytes();
        match entry.values(EXTERNAL_ID) {
            [] => Some(
                "the user found has no msDS-ExternalDirectoryObjectId, which PHOTORELAY_LDAP_REQUIRE_EXTERNAL_ID requires",
            ),
            [found] if found.eq_ignore_ascii_case(wanted) => None,
            _ => Some("the msDS-ExternalDirectoryObjectId of the user found names another object of Entra ID"),
        }
    }

    fn has_account_name(&self, entry: &DirectoryEntry) -> bool {
        let (known, found) = (self.account.as_deref(), entry.text(ACCOUNT));
        known.zip(found).is_some_and(|(known, found)| known.to_lowercase() == found.to_lowercase())
    }
}

impl Anchor {
    fn attribute(&self) -> &str {
        match self {
            Self::Guid(_) => CONSISTENCY,
            Self::Text { attribute, .. } => attribute,
        }
    }

    fn key(&self) -> Vec<u8> {
        match self {
            Self::Guid(guid) => guid.to_vec(),
            Self::Text { value, .. } => key(value.as_bytes(), true),
        }
    }

    fn filter(&self) -> String {
        match self {
            // Entra Connect takes objectGUID as the anchor of those whose mS-DS-ConsistencyGuid is empty.
            Self::Guid(guid) => {
                let guid = escaped(guid);
                format!("({CONSISTENCY}={guid})(&({GUID}={guid})(!({CONSISTENCY}=*)))")
            }
            Self::Text { attribute, value } => format!("({attribute}={})", escaped(value.as_bytes())),
        }
    }

    fn is_of(&self, entry: &DirectoryEntry) -> bool {
        match self {
            Self::Guid(guid) => entry.value(CONSISTENCY).or_else(|| entry.value(GUID)) == Some(guid),
            Self::Text { attribute, .. } => {
                let own = self.key();
                entry.values(attribute).iter().any(|found| key(found, true) == own)
            }
        }
    }
}

fn shown(found: &[&DirectoryEntry]) -> String {
    let shown = |entry: &&DirectoryEntry| {
        entry.value(GUID).and_then(guid).map_or_else(|| "without objectGUID".to_owned(), |guid| guid.to_string())
    };
    let guids: BTreeSet<String> = found.iter().map(shown).collect();
    if guids.is_empty() { "none".to_owned() } else { guids.into_iter().collect::<Vec<_>>().join(", ") }
}

#[cfg(test)]
mod tests {
    use super::super::scope::DirectoryScope;
    use super::super::settings::{DEFAULT_TIMEOUT, SignIn};
    use super::*;

    const A: [u8; 16] = [0xA1; 16];
    const B: [u8; 16] = [0xB2; 16];
    const SID_A: &str = "S-1-5-21-1-2-3-1105";

    fn settings(anchor_attribute: Option<&str>) -> LdapSettings {
        LdapSettings {
            servers: Vec::new(),
            base: "DC=contoso,DC=test".to_owned(),
            sign_in: SignIn::Kerberos,
            ca_file: None,
            attribute: "thumbnailPhoto".to_owned(),
            anchor_attribute: anchor_attribute.map(str::to_owned),
            require_external_id: false,
            scope: DirectoryScope::default(),
            timeout: DEFAULT_TIMEOUT,
            connections: 1,
        }
    }

    fn identity(anchor: Option<&str>, sid: Option<&str>, account: Option<&str>) -> Identity {
        let owned = |value: Option<&str>| value.map(str::to_owned);
        Identity { anchor: owned(anchor), sid: owned(sid), sam_account_name: owned(account), ..Identity::default() }
    }

    fn anchor(guid: [u8; 16]) -> String {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(guid)
    }

    fn refusal<T>(result: Result<T, ConnectorError>) -> String {
        match result {
            Err(ConnectorError::Refused(reason)) => reason,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("a user was chosen"),
        }
    }

    #[test]
    fn anchor_and_sid_agree_on_one_user_whatever_the_account_is_called() {
        let wanted =
            DirectoryIdentity::of(&identity(Some(&anchor(B)), Some(SID_A), Some("old")), &settings(None)).ok().unwrap();
        let sid = sid_bytes(SID_A).unwrap();
        let entry = DirectoryEntry::new([(GUID, &A), ("ms-ds-consistencyguid", &B), (SID, &sid), (ACCOUNT, b"new")]);
        assert_eq!(wanted.choose(&[entry]).unwrap().1.to_string(), "a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1");
    }

    #[test]
    fn an_object_guid_is_nobodys_anchor_where_another_anchor_is_set() {
        let wanted =
            DirectoryIdentity::of(&identity(Some(&anchor(A)), Some(SID_A), None), &settings(None)).ok().unwrap();
        let sid = sid_bytes(SID_A).unwrap();
        let entry = DirectoryEntry::new([(GUID, &A), (CONSISTENCY, &B), (SID, &sid)]);
        assert!(refusal(wanted.choose(&[entry])).contains("anchor: none; SID: a1a1a1a1-"));
    }

    #[test]
    fn a_known_identifier_that_finds_nobody_or_two_refuses() {
        let wanted =
            DirectoryIdentity::of(&identity(Some(&anchor(A)), Some(SID_A), None), &settings(None)).ok().unwrap();
        let sid = sid_bytes(SID_A).unwrap();
        let first = || DirectoryEntry::new([(GUID, &A), (SID, &sid)]);
        let second = || DirectoryEntry::new([(GUID, &B), (CONSISTENCY, &A)]);
        assert!(wanted.choose(&[first()]).is_ok());
        assert!(refusal(wanted.choose(&[first(), second()])).contains("b2b2b2b2-"));
        assert!(refusal(wanted.choose(&[second()])).contains("SID: none"));
        assert!(refusal(wanted.choose(&[])).contains("no user has the anchor or the SID"));
    }

    #[test]
    fn without_a_sid_the_account_name_has_to_agree() {
        let wanted =
            |name| DirectoryIdentity::of(&identity(Some(&anchor(A)), None, Some(name)), &settings(None)).ok().unwrap();
        let entry = || DirectoryEntry::new([(GUID, &A), (ACCOUNT, b"jane*)(cn=")]);
        assert!(wanted("JANE*)(cn=").choose(&[entry()]).is_ok());
        assert!(refusal(wanted("jane").choose(&[entry()])).contains("sAMAccountName"));
        assert!(!wanted("jane*)(cn=").by_all().contains("jane"));
    }

    #[test]
    fn where_it_is_required_the_object_also_names_the_user_in_entra_id() {
        let (user, sid) = (UserId::from_uuid(Uuid::from_u128(0xAB)), sid_bytes(SID_A).unwrap());
        let known = identity(Some(&anchor(A)), Some(SID_A), None);
        let required = LdapSettings { require_external_id: true, ..settings(None) };
        let wanted = DirectoryIdentity::of_user(user, &known, &required).ok().unwrap();
        let entry = |external_id: &str| {
            DirectoryEntry::new([(GUID, &A[..]), (SID, &sid), (EXTERNAL_ID, external_id.as_bytes())])
        };
        let named = format!("User_{user}");
        for right in [named.clone(), named.to_uppercase()] {
            assert!(wanted.choose(&[entry(&right)]).is_ok(), "{right}");
        }
        for other in ["User_", "User_00000000-0000-0000-0000-0000000000ac", &named[5..], &format!("{named} ")] {
            assert!(refusal(wanted.choose(&[entry(other)])).contains("names another object"), "{other}");
        }
        let without = || DirectoryEntry::new([(GUID, &A[..]), (SID, &sid)]);
        assert!(refusal(wanted.choose(&[without()])).contains("PHOTORELAY_LDAP_REQUIRE_EXTERNAL_ID"));
        let indifferent = DirectoryIdentity::of_user(user, &known, &settings(None)).ok().unwrap();
        assert!(indifferent.choose(&[without()]).is_ok());
    }

    #[test]
    fn the_sid_alone_says_who_it_is_if_its_owner_has_the_anchor_and_nobody_else() {
        let wanted =
            DirectoryIdentity::of(&identity(Some(&anchor(A)), Some(SID_A), None), &settings(None)).ok().unwrap();
        let sid = sid_bytes(SID_A).unwrap();
        let by_guid = || DirectoryEntry::new([(GUID, &A), (SID, &sid)]);
        let by_consistency = || DirectoryEntry::new([(GUID, &B), (CONSISTENCY, &A), (SID, &sid)]);
        let held_by = |holders: usize| {
            let mut anchor_index = AnchorIndex::default();
            (0..holders).for_each(|_| anchor_index.count(&A));
            anchor_index
        };
        assert!(wanted.is_plain(&[by_guid()], &held_by(0)));
        assert!(wanted.is_plain(&[by_consistency()], &held_by(0)), "read again after the anchor index was built");
        assert!(wanted.is_plain(&[by_consistency()], &held_by(1)));
        assert!(!wanted.is_plain(&[by_guid()], &held_by(1)), "another user has it");
        assert!(!wanted.is_plain(&[by_consistency()], &held_by(2)));
        assert!(!wanted.is_plain(&[by_guid(), by_consistency()], &held_by(0)));
        assert!(!wanted.is_plain(&[DirectoryEntry::new([(GUID, &B), (SID, &sid)])], &held_by(0)), "another anchor");
        assert!(!wanted.is_plain(&[], &held_by(0)));
    }

    #[test]
    fn one_identifier_is_not_enough_and_a_wrong_one_is_told() {
        let reason = |identity| refusal(DirectoryIdentity::of(&identity, &settings(None)));
        assert!(reason(identity(Some(&anchor(A)), None, None)).contains("fewer than two"));
        assert!(reason(identity(None, Some(SID_A), Some(""))).contains("fewer than two"));
        assert!(reason(identity(Some("c2hvcnQ="), Some(SID_A), None)).contains("sixteen bytes"));
        assert!(reason(identity(Some(&anchor(A)), Some("S-1-5-*"), None)).contains("SID"));
    }

    #[test]
    fn a_text_anchor_is_compared_in_its_attribute_and_escaped() {
        let given = identity(Some("E*7"), Some(SID_A), None);
        let wanted = DirectoryIdentity::of(&given, &settings(Some("employeeID"))).ok().unwrap();
        assert!(wanted.by_all().contains("(employeeID=\\45\\2a\\37)"));
        let sid = sid_bytes(SID_A).unwrap();
        assert!(wanted.choose(&[DirectoryEntry::new([(GUID, &A), (SID, &sid), ("employeeId", b"e*7")])]).is_ok());
        assert!(wanted.choose(&[DirectoryEntry::new([(GUID, &A), (SID, &sid), ("employeeID", b"E77")])]).is_err());
    }
}
