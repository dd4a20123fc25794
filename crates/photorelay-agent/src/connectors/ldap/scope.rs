//! Which users the agent writes, in the directory's own terms. The directory itself is asked, once a user was found.

use super::attributes::USERS;
use super::identifiers::escaped;

/// Members of a group, also by way of other groups ([MS-ADTS] 3.1.1.3.4.4.3, LDAP_MATCHING_RULE_TRANSITIVE_EVAL).
const IN_CHAIN: &str = "memberOf:1.2.840.113556.1.4.1941:";

/// Every user below the base, if it is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectoryScope {
    /// Below one of these.
    pub units: Vec<String>,
    /// A member of this group, also by way of other groups. An account's primary group is none of them.
    pub group: Option<String>,
    /// Fits this filter.
    pub filter: Option<String>,
}

impl DirectoryScope {
    /// Units are separated by semicolons, because their names have commas.
    pub fn new(units: Option<&str>, group: Option<String>, filter: Option<String>) -> Result<Self, String> {
        let units = units.unwrap_or_default().split(';').map(str::trim).filter(|unit| !unit.is_empty());
        let filter = filter.map(|filter| filter.trim().to_owned());
        if let Some(filter) = &filter {
            check_filter(filter)?;
        }
        Ok(Self { units: units.map(str::to_owned).collect(), group, filter })
    }

    pub(super) fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    /// The bases below one of which a user has to be.
    pub(super) fn bases<'a>(&'a self, everywhere: &'a str) -> impl Iterator<Item = &'a str> {
        let everywhere = self.units.is_empty().then_some(everywhere);
        self.units.iter().map(String::as_str).chain(everywhere)
    }

    /// Finds the user with this objectGUID, escaped, if it is in the group and fits the filter.
    pub(super) fn filter_for(&self, guid: &str) -> String {
        format!("(&{USERS}(objectGUID={guid}){})", self.conditions())
    }

    /// What group and filter ask of a user, to be put into `(&...)`.
    pub(super) fn conditions(&self) -> String {
        let group = self.group.as_ref().map(|group| format!("({IN_CHAIN}={})", escaped(group.as_bytes())));
        [group.unwrap_or_default(), self.filter.clone().unwrap_or_default()].concat()
    }
}

/// The parser also takes a bare item, which is no filter once it stands beside others.
fn check_filter(filter: &str) -> Result<(), String> {
    if !filter.starts_with('(') {
        return Err(format!("an LDAP filter has parentheses around it: ({filter})"));
    }
    ldap3::parse_filter(filter).map(drop).map_err(|_| {
        "not one LDAP filter, such as (department=Sales) or (&(department=Sales)(l=Vienna)); there are no blanks between \
         its parts"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_separated_by_semicolons_and_a_filter_has_to_be_one() {
        let scope = DirectoryScope::new(Some("OU=a,DC=x; OU=b,DC=x;"), None, None).unwrap();
        assert_eq!(scope.bases("DC=x").collect::<Vec<_>>(), ["OU=a,DC=x", "OU=b,DC=x"]);
        assert_eq!(DirectoryScope::default().bases("DC=x").collect::<Vec<_>>(), ["DC=x"]);
        assert!(DirectoryScope::new(None, None, Some("(department=Sales)".to_owned())).is_ok());
        for wrong in ["department", "(a=b)(c=d)", "(a=b))", ")(", ""] {
            assert!(DirectoryScope::new(None, None, Some(wrong.to_owned())).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_filter_that_cannot_stand_beside_others_is_refused_with_the_reason() {
        let refused = |filter: &str| DirectoryScope::new(None, None, Some(filter.to_owned())).unwrap_err();
        assert!(refused("department=Sales").contains("(department=Sales)"));
        assert!(refused("(&(department=Sales) (l=Vienna))").contains("no blanks"));
        let scope = DirectoryScope::new(None, None, Some(" (department=Sales)\n".to_owned())).unwrap();
        assert!(ldap3::parse_filter(scope.filter_for("\\00")).is_ok());
    }

    #[test]
    fn the_name_of_a_group_cannot_break_out_of_its_filter() {
        let group = Some("CN=a)(cn=*,DC=x".to_owned());
        let scope = DirectoryScope { group, ..DirectoryScope::default() };
        assert!(!scope.filter_for("00").contains("cn=*"));
    }
}
