//! The people of the simulated tenant, made from the seed.
//!
//! Half-true combinations on purpose: apostrophes and accents, `null` next to `false`, guests and cloud-only accounts.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::wire::graph_time;

const GIVEN: [&str; 32] = [
    "Anna",
    "Björn",
    "Chloé",
    "Dmitri",
    "Elif",
    "Farah",
    "Grace",
    "Hiro",
    "Inés",
    "Jürgen",
    "Kofi",
    "Leïla",
    "Mateo",
    "Nadia",
    "Oluwaseun",
    "Priya",
    "Quentin",
    "Rosa",
    "Sinéad",
    "Tomasz",
    "Ursula",
    "Vikram",
    "Wanjiru",
    "Ximena",
    "Yusuf",
    "Zoë",
    "Amir",
    "Beatriz",
    "Cem",
    "Daniela",
    "Emil",
    "Fatima",
];
const FAMILY: [&str; 29] = [
    "O'Brien",
    "Müller",
    "Nguyen",
    "Smith",
    "García",
    "Kowalski",
    "Okafor",
    "Tanaka",
    "D'Angelo",
    "Ivanova",
    "Larsen",
    "Haddad",
    "Silva",
    "Janssen",
    "Rossi",
    "Novák",
    "Kaya",
    "Singh",
    "Mwangi",
    "Dubois",
    "O'Connor",
    "Fernández",
    "Öztürk",
    "Lindqvist",
    "Papadopoulos",
    "Cohen",
    "Andersson",
    "Berger",
    "Moreau",
];
const DOMAIN: &str = "contoso.test";

/// A person as Graph knows them. Every field can be edited by a test.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct User {
    pub id: Uuid,
    pub display_name: String,
    pub given_name: Option<String>,
    pub surname: Option<String>,
    pub user_principal_name: String,
    pub mail: Option<String>,
    pub job_title: Option<String>,
    /// `Member` or `Guest`.
    pub user_type: String,
    pub account_enabled: bool,
    /// `true` synchronised, `false` no longer, `None` never.
    pub on_premises_sync_enabled: Option<bool>,
    pub on_premises_immutable_id: Option<String>,
    pub on_premises_sam_account_name: Option<String>,
    pub on_premises_distinguished_name: Option<String>,
    pub on_premises_domain_name: Option<String>,
    pub on_premises_security_identifier: Option<String>,
    pub on_premises_user_principal_name: Option<String>,
    pub on_premises_last_sync_date_time: Option<Timestamp>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("id", &self.id).finish_non_exhaustive()
    }
}

impl User {
    /// A synchronised member. `number` keeps the names unique.
    pub fn synchronised(number: usize, dice: &mut fastrand::Rng) -> Self {
        let mut user = Self::cloud_only(number, dice);
        let family = user.surname.clone().unwrap_or_default();
        let given = user.given_name.clone().unwrap_or_default();
        let stem: String =
            format!("{}{}", plain(&given).chars().next().unwrap_or('x'), plain(&family).replace('\'', ""));
        let sam = format!("{}{number}", stem.chars().take(12).collect::<String>());
        user.on_premises_sync_enabled = Some(true);
        user.on_premises_immutable_id = Some(STANDARD.encode(guid(dice).to_bytes_le()));
        user.on_premises_distinguished_name =
            Some(format!("CN={} {number},OU=People,DC=contoso,DC=test", user.display_name));
        user.on_premises_domain_name = Some(DOMAIN.into());
        user.on_premises_security_identifier =
            Some(format!("S-1-5-21-1004336348-1177238915-682003330-{}", 1104 + number));
        user.on_premises_user_principal_name = Some(format!("{sam}@{DOMAIN}"));
        user.on_premises_last_sync_date_time = Timestamp::from_second(1_780_000_000 + number as i64).ok();
        user.on_premises_sam_account_name = Some(sam);
        user
    }

    /// A member that never came from the on-premises directory.
    pub fn cloud_only(number: usize, dice: &mut fastrand::Rng) -> Self {
        let (given, family) = (GIVEN[number % GIVEN.len()], FAMILY[number % FAMILY.len()]);
        let address = format!("{}.{}{number}@{DOMAIN}", plain(given), plain(family));
        Self {
            id: guid(dice),
            display_name: format!("{given} {family}"),
            given_name: Some(given.into()),
            surname: Some(family.into()),
            mail: Some(address.replace('\'', "")),
            user_principal_name: address,
            job_title: Some("Engineer".into()),
            user_type: "Member".into(),
            account_enabled: true,
            on_premises_sync_enabled: None,
            on_premises_immutable_id: None,
            on_premises_sam_account_name: None,
            on_premises_distinguished_name: None,
            on_premises_domain_name: None,
            on_premises_security_identifier: None,
            on_premises_user_principal_name: None,
            on_premises_last_sync_date_time: None,
        }
    }

    pub fn guest(number: usize, dice: &mut fastrand::Rng) -> Self {
        let mut user = Self::cloud_only(number, dice);
        user.user_principal_name =
            format!("{}_fabrikam.test#EXT#@{DOMAIN}", user.user_principal_name.replace('@', "_"));
        user.user_type = "Guest".into();
        user
    }

    /// The GUID behind the anchor, when the anchor is one.
    pub fn anchor_guid(&self) -> Option<Uuid> {
        let bytes = STANDARD.decode(self.on_premises_immutable_id.as_deref()?).ok()?;
        Some(Uuid::from_bytes_le(bytes.try_into().ok()?))
    }

    /// The value of a Graph property, or `None` when the simulator does not know the property.
    pub(crate) fn property(&self, name: &str) -> Option<Value> {
        Some(match name {
            "id" => json!(self.id),
            "displayName" => json!(self.display_name),
            "givenName" => json!(self.given_name),
            "surname" => json!(self.surname),
            "userPrincipalName" => json!(self.user_principal_name),
            "mail" => json!(self.mail),
            "jobTitle" => json!(self.job_title),
            "userType" => json!(self.user_type),
            "accountEnabled" => json!(self.account_enabled),
            "businessPhones" => json!([]),
            "mobilePhone" | "officeLocation" | "preferredLanguage" => Value::Null,
            "onPremisesSyncEnabled" => json!(self.on_premises_sync_enabled),
            "onPremisesImmutableId" => json!(self.on_premises_immutable_id),
            "onPremisesSamAccountName" => json!(self.on_premises_sam_account_name),
            "onPremisesDistinguishedName" => json!(self.on_premises_distinguished_name),
            "onPremisesDomainName" => json!(self.on_premises_domain_name),
            "onPremisesSecurityIdentifier" => json!(self.on_premises_security_identifier),
            "onPremisesUserPrincipalName" => json!(self.on_premises_user_principal_name),
            "onPremisesLastSyncDateTime" => json!(self.on_premises_last_sync_date_time.map(graph_time)),
            _ => return None,
        })
    }
}

/// Properties that can change, by name.
pub(crate) const PROPERTIES: [&str; 16] = [
    "displayName",
    "givenName",
    "surname",
    "userPrincipalName",
    "mail",
    "jobTitle",
    "userType",
    "accountEnabled",
    "onPremisesSyncEnabled",
    "onPremisesImmutableId",
    "onPremisesSamAccountName",
    "onPremisesDistinguishedName",
    "onPremisesDomainName",
    "onPremisesSecurityIdentifier",
    "onPremisesUserPrincipalName",
    "onPremisesLastSyncDateTime",
];

/// Properties that an answer holds without `$select`.
pub(crate) const DEFAULT_PROJECTION: [&str; 11] = [
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
];

pub(crate) fn guid(dice: &mut fastrand::Rng) -> Uuid {
    uuid::Builder::from_random_bytes(dice.u128(..).to_le_bytes()).into_uuid()
}

/// Lower-case ASCII; the apostrophe stays, as it does in real user principal names.
fn plain(name: &str) -> String {
    let fold = |letter: char| match letter {
        'ö' | 'Ö' => 'o',
        'ü' => 'u',
        'é' | 'ë' => 'e',
        'ï' | 'í' => 'i',
        'á' => 'a',
        other => other,
    };
    name.chars().map(fold).collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchor_is_base64_of_the_windows_byte_order() {
        let mut user = User::synchronised(0, &mut fastrand::Rng::with_seed(1));
        user.on_premises_immutable_id = Some("MyIRAFVEd2aImaq7zN3u/w==".into());
        assert_eq!(user.anchor_guid().unwrap().to_string(), "00112233-4455-6677-8899-aabbccddeeff");
    }

    #[test]
    fn names_are_unique_and_ascii_where_they_must_be() {
        let mut dice = fastrand::Rng::with_seed(1);
        let people: Vec<_> = (0..2_000).map(|n| User::synchronised(n, &mut dice)).collect();
        let sams: std::collections::HashSet<_> =
            people.iter().map(|user| user.on_premises_sam_account_name.clone().unwrap()).collect();
        assert_eq!(sams.len(), people.len());
        assert!(sams.iter().all(|sam| sam.is_ascii() && sam.len() <= 20 && !sam.contains('\'')));
        assert!(people.iter().all(|user| user.user_principal_name.is_ascii()));
        assert!(people.iter().any(|user| user.user_principal_name.contains('\'')));
    }
}
