//! Properties of users that are personal data and that no directory needs. Read only if the operator asks for them.

use std::str::FromStr;

const KNOWN: [&str; 3] = ["employeeId", "userPrincipalName", "mail"];

/// The properties to read beside those that find the on-premises account; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdentityExtra(Vec<&'static str>);

impl IdentityExtra {
    /// What is appended to a `$select`.
    pub(super) fn select(&self) -> String {
        self.0.iter().map(|name| format!(",{name}")).collect()
    }
}

impl FromStr for IdentityExtra {
    type Err = String;

    /// Names as Graph spells them, separated by commas.
    fn from_str(text: &str) -> Result<Self, String> {
        let known = |name: &str| KNOWN.into_iter().find(|known| *known == name);
        let mut names = Vec::new();
        for name in text.split(',').map(str::trim) {
            let name = known(name).ok_or_else(|| format!("`{name}` is none of {}", KNOWN.join(", ")))?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(Self(names))
    }
}
