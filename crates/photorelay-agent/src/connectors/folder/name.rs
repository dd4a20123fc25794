//! How a user's file is named: `{samAccountName}`, or another template over the properties that identify a user.
//!
//! A name never leaves the folder, and is one that every file system takes as it is, because folders are often shares. A
//! user without such a name is refused with a sentence that says why.

use std::str::FromStr;

use photorelay_core::contract::Identity;
use photorelay_core::id::UserId;

/// File systems take 255 bytes; `.jpg` and the name of a file beside it need some of them.
const MAX_BYTES: usize = 120;
/// Names that Windows keeps for itself, with any extension.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName(Vec<NamePart>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum NamePart {
    Text(String),
    Property(NameProperty),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameProperty {
    SamAccountName,
    UserId,
    EmployeeId,
    UserPrincipalName,
}

impl NameProperty {
    const ALL: [Self; 4] = [Self::SamAccountName, Self::UserId, Self::EmployeeId, Self::UserPrincipalName];

    fn name(self) -> &'static str {
        match self {
            Self::SamAccountName => "samAccountName",
            Self::UserId => "userId",
            Self::EmployeeId => "employeeId",
            Self::UserPrincipalName => "userPrincipalName",
        }
    }

    fn value(self, user: UserId, identity: &Identity) -> Option<String> {
        match self {
            Self::SamAccountName => identity.sam_account_name.clone().filter(|name| is_account_name(name)),
            Self::UserId => Some(user.to_string()),
            Self::EmployeeId => identity.employee_id.clone(),
            Self::UserPrincipalName => identity.user_principal_name.clone(),
        }
    }

    /// Why a user has no value.
    fn missing(self) -> String {
        match self {
            Self::SamAccountName => "no account name (sAMAccountName) that can name a file".to_owned(),
            Self::UserId | Self::EmployeeId | Self::UserPrincipalName => format!(
                "the audit entry has no {0}: add it to PHOTORELAY_IDENTITY_EXTRA of the function app, which records it with \
                 the user's next photo, or give the user one",
                self.name()
            ),
        }
    }
}

impl Default for FileName {
    fn default() -> Self {
        Self(vec![NamePart::Property(NameProperty::SamAccountName)])
    }
}

impl FileName {
    /// The file's name without its extension, in lower case; `Err` says why the user has none.
    pub(super) fn of(&self, user: UserId, identity: &Identity) -> Result<String, String> {
        let mut name = String::new();
        for part in &self.0 {
            match part {
                NamePart::Text(text) => name.push_str(text),
                NamePart::Property(property) => {
                    name.push_str(&property.value(user, identity).ok_or_else(|| property.missing())?);
                }
            }
        }
        let name = name.to_lowercase();
        if is_file_name(&name) {
            return Ok(name);
        }
        // The name itself is personal data.
        Err("the name that PHOTORELAY_FOLDER_NAME makes for this user cannot name a file: it is too long, or has \
             characters that file systems do not take"
            .to_owned())
    }
}

impl FromStr for FileName {
    type Err = String;

    /// Text with properties in braces, such as `badge-{employeeId}`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (property, after) = after.split_once('}').ok_or("a brace is not closed")?;
            let known = NameProperty::ALL.into_iter().find(|known| known.name() == property);
            let names = NameProperty::ALL.map(NameProperty::name).join(", ");
            parts.push(NamePart::Text(before.to_owned()));
            parts.push(NamePart::Property(known.ok_or_else(|| format!("`{property}` is none of {names}"))?));
            rest = after;
        }
        if parts.is_empty() {
            return Err("it names no property, such as {samAccountName}".to_owned());
        }
        parts.push(NamePart::Text(rest.to_owned()));
        parts.retain(|part| !matches!(part, NamePart::Text(text) if text.is_empty()));
        let fits = |part: &NamePart| !matches!(part, NamePart::Text(text) if text.contains(is_forbidden));
        if parts.iter().all(fits) {
            Ok(Self(parts))
        } else {
            Err("it has characters that file systems do not take".to_owned())
        }
    }
}

/// What Active Directory allows in an account name.
/// <https://learn.microsoft.com/windows/win32/adschema/a-samaccountname>
fn is_account_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && !name.contains(|c: char| is_forbidden(c) || "[];=,+@".contains(c))
}

fn is_file_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let device = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_device = DEVICES.contains(&device) && stem.len() - device.len() <= 1;
    (1..=MAX_BYTES).contains(&name.len())
        && !name.contains(is_forbidden)
        && !name.starts_with(['.', ' '])
        && !name.ends_with(['.', ' '])
        && !is_device
}

fn is_forbidden(c: char) -> bool {
    c.is_control() || "\"/\\:|*?<>{}".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> UserId {
        "1f2c0b0e-0000-4000-8000-000000000001".parse().unwrap()
    }

    fn named(template: &str, employee_id: &str) -> Result<String, String> {
        let identity = Identity {
            sam_account_name: Some("Ada".to_owned()),
            employee_id: Some(employee_id.to_owned()),
            user_principal_name: Some("ada@contoso.test".to_owned()),
            ..Identity::default()
        };
        template.parse::<FileName>().unwrap().of(user(), &identity)
    }

    #[test]
    fn a_template_is_text_and_properties() {
        assert_eq!(named("{samAccountName}", "7").unwrap(), "ada");
        assert_eq!(named("badge-{employeeId}_{userId}", "K7").unwrap(), format!("badge-k7_{}", user()));
        assert_eq!(named("{userPrincipalName}", "7").unwrap(), "ada@contoso.test");
        assert_eq!("{samAccountName}".parse(), Ok(FileName::default()));
    }

    #[test]
    fn a_name_that_cannot_name_a_file_is_refused_without_being_repeated() {
        let long = "7".repeat(121);
        for employee in
            ["../7", "a/b", "a\\b", "", ".7", "7.", "7 ", " 7", "a\nb", "c:7", "con", "COM1", "nul.7", "{7}", &long]
        {
            let refused = named("{employeeId}", employee).unwrap_err();
            assert!(refused.contains("PHOTORELAY_FOLDER_NAME") && !refused.contains("nul"), "{employee}: {refused}");
        }
        for employee in ["connie", "com12", "7.8", "\u{e4}"] {
            assert!(named("{employeeId}", employee).is_ok(), "{employee}");
        }
    }

    #[test]
    fn a_user_without_the_property_is_refused_with_what_to_do() {
        let refused =
            |template: &str| template.parse::<FileName>().unwrap().of(user(), &Identity::default()).unwrap_err();
        assert!(refused("{employeeId}").contains("PHOTORELAY_IDENTITY_EXTRA"));
        assert!(refused("{samAccountName}").contains("sAMAccountName"));
    }

    #[test]
    fn a_template_that_makes_no_names_is_refused() {
        for template in ["", "photo", "{mail}", "{employeeId", "../{employeeId}", "a|{employeeId}"] {
            assert!(template.parse::<FileName>().is_err(), "{template}");
        }
    }
}
