//! The people of a new tenant, made from the seed.
//!
//! Half-true combinations on purpose: apostrophes and accents, `null` next to `false`, guests and cloud-only accounts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::dice::guid;
use super::user::SimUser;

#[rustfmt::skip]
const GIVEN: [&str; 32] = [
    "Anna", "Björn", "Chloé", "Dmitri", "Elif", "Farah", "Grace", "Hiro",
    "Inés", "Jürgen", "Kofi", "Leïla", "Mateo", "Nadia", "Oluwaseun", "Priya",
    "Quentin", "Rosa", "Sinéad", "Tomasz", "Ursula", "Vikram", "Wanjiru", "Ximena",
    "Yusuf", "Zoë", "Amir", "Beatriz", "Cem", "Daniela", "Emil", "Fatima",
];
#[rustfmt::skip]
const FAMILY: [&str; 29] = [
    "O'Brien", "Müller", "Nguyen", "Smith", "García", "Kowalski", "Okafor", "Tanaka",
    "D'Angelo", "Ivanova", "Larsen", "Haddad", "Silva", "Janssen", "Rossi", "Novák",
    "Kaya", "Singh", "Mwangi", "Dubois", "O'Connor", "Fernández", "Öztürk", "Lindqvist",
    "Papadopoulos", "Cohen", "Andersson", "Berger", "Moreau",
];
const DOMAIN: &str = "contoso.test";

impl SimUser {
    /// A member that is synchronized from on premises. `number` keeps the names unique.
    pub(crate) fn synchronized(number: usize, dice: &mut fastrand::Rng) -> Self {
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

    /// A member that was never synchronized.
    pub(crate) fn cloud_only(number: usize, dice: &mut fastrand::Rng) -> Self {
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
            employee_id: Some(format!("{}", 100_001 + number)),
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

    pub(crate) fn guest(number: usize, dice: &mut fastrand::Rng) -> Self {
        let mut user = Self::cloud_only(number, dice);
        user.user_principal_name =
            format!("{}_fabrikam.test#EXT#@{DOMAIN}", user.user_principal_name.replace('@', "_"));
        user.user_type = "Guest".into();
        user
    }
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
    fn names_are_unique_and_ascii_where_they_must_be() {
        let mut dice = fastrand::Rng::with_seed(1);
        let people: Vec<_> = (0..2_000).map(|n| SimUser::synchronized(n, &mut dice)).collect();
        let sams: std::collections::HashSet<_> =
            people.iter().map(|user| user.on_premises_sam_account_name.clone().unwrap()).collect();
        assert_eq!(sams.len(), people.len());
        assert!(sams.iter().all(|sam| sam.is_ascii() && sam.len() <= 20 && !sam.contains('\'')));
        assert!(people.iter().all(|user| user.user_principal_name.is_ascii()));
        assert!(people.iter().any(|user| user.user_principal_name.contains('\'')));
    }
}
