//! `$filter` of `GET /users`: conditions `startsWith(property,'text')` joined by `or`, on the properties for which Graph
//! documents `startsWith` without advanced query parameters.
//! <https://learn.microsoft.com/graph/aad-advanced-queries>
//!
//! Any other filter is refused as one that the simulator does not have.

use crate::model::SimUser;

use super::{ApiCall, ApiResult, ApiState};

const PROPERTIES: [&str; 3] = ["displayName", "userPrincipalName", "onPremisesSamAccountName"];

/// None of its conditions: everyone is listed.
#[derive(Debug)]
pub(super) struct Filter(Option<Vec<(String, String)>>);

impl Filter {
    pub(super) fn of(state: &ApiState, call: &ApiCall) -> ApiResult<Self> {
        let Some(text) = call.query_option("$filter") else { return Ok(Self(None)) };
        match conditions(text) {
            Some(conditions) => Ok(Self(Some(conditions))),
            None => {
                let what = "a $filter of another form than startsWith(property,'text') or ...";
                Err(state.refuse(call, "not_simulated", &[("what", what)]))
            }
        }
    }

    /// Strings are compared without regard to case.
    pub(super) fn admits(&self, user: &SimUser) -> bool {
        let Some(conditions) = &self.0 else { return true };
        conditions.iter().any(|(property, text)| {
            let value = match property.as_str() {
                "displayName" => Some(&user.display_name),
                "userPrincipalName" => Some(&user.user_principal_name),
                _ => user.on_premises_sam_account_name.as_ref(),
            };
            value.is_some_and(|value| value.to_lowercase().starts_with(&text.to_lowercase()))
        })
    }
}

/// `None` if it is of another form. A quote within a text is doubled.
fn conditions(mut rest: &str) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    loop {
        let (property, after) = rest.strip_prefix("startsWith(")?.split_once(",'")?;
        if !PROPERTIES.contains(&property) {
            return None;
        }
        let (text, after) = literal(after)?;
        found.push((property.to_owned(), text));
        match after.strip_prefix(')')? {
            "" => return Some(found),
            more => rest = more.strip_prefix(" or ")?,
        }
    }
}

/// The text up to its closing quote, and what follows it.
fn literal(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut rest = quoted;
    loop {
        let (before, after) = rest.split_once('\'')?;
        text.push_str(before);
        match after.strip_prefix('\'') {
            Some(more) => {
                text.push('\'');
                rest = more;
            }
            None => return Some((text, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_whole_or_refused() {
        let one = conditions("startsWith(displayName,'O''Brien, (J)')").unwrap();
        assert_eq!(one, [("displayName".to_owned(), "O'Brien, (J)".to_owned())]);
        assert_eq!(conditions("startsWith(displayName,'a') or startsWith(userPrincipalName,'a')").unwrap().len(), 2);
        for other in [
            "",
            "displayName eq 'a'",
            "startsWith(mail,'a')",
            "startsWith(displayName,'a",
            "startsWith(displayName,'a') or ",
        ] {
            assert_eq!(conditions(other), None, "{other}");
        }
    }
}
