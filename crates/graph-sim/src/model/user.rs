//! A person as Graph knows them, and the properties that Graph shows.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::clock::graph_time;

/// Every field can be edited by a test.
#[derive(Clone, PartialEq, Eq)]
pub struct SimUser {
    pub id: Uuid,
    pub display_name: String,
    pub given_name: Option<String>,
    pub surname: Option<String>,
    pub user_principal_name: String,
    pub mail: Option<String>,
    pub job_title: Option<String>,
    pub employee_id: Option<String>,
    /// `Member` or `Guest`.
    pub user_type: String,
    pub account_enabled: bool,
    /// `true` synchronized, `false` no longer, `None` never, or managed in the cloud now.
    pub on_premises_sync_enabled: Option<bool>,
    pub on_premises_immutable_id: Option<String>,
    pub on_premises_sam_account_name: Option<String>,
    pub on_premises_distinguished_name: Option<String>,
    pub on_premises_domain_name: Option<String>,
    pub on_premises_security_identifier: Option<String>,
    pub on_premises_user_principal_name: Option<String>,
    pub on_premises_last_sync_date_time: Option<Timestamp>,
}

impl fmt::Debug for SimUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimUser").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Properties that can change.
#[rustfmt::skip]
const EDITABLE: [&str; 17] = [
    "displayName", "givenName", "surname", "userPrincipalName", "mail", "jobTitle", "employeeId", "userType",
    "accountEnabled",
    "onPremisesSyncEnabled", "onPremisesImmutableId", "onPremisesSamAccountName", "onPremisesDistinguishedName",
    "onPremisesDomainName", "onPremisesSecurityIdentifier", "onPremisesUserPrincipalName",
    "onPremisesLastSyncDateTime",
];

/// Properties that Graph shows without `$select`.
#[rustfmt::skip]
const DEFAULT_PROJECTION: [&str; 11] = [
    "businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation",
    "preferredLanguage", "surname", "userPrincipalName", "id",
];

impl SimUser {
    pub(crate) fn is_property(name: &str) -> bool {
        EDITABLE.contains(&name) || DEFAULT_PROJECTION.contains(&name)
    }

    /// The selected properties, or those that Graph shows without `$select`.
    pub(crate) fn projected(&self, select: Option<&[String]>) -> serde_json::Map<String, Value> {
        let take = |name: &str| Some((name.to_owned(), self.property(name)?));
        match select {
            Some(names) => names.iter().filter_map(|name| take(name)).collect(),
            None => DEFAULT_PROJECTION.iter().filter_map(|name| take(name)).collect(),
        }
    }

    /// The properties in which two states of a person differ.
    pub(crate) fn changed_properties(&self, after: &Self) -> Vec<&'static str> {
        EDITABLE.into_iter().filter(|name| self.property(name) != after.property(name)).collect()
    }

    /// The value of a Graph property; `None` for a property that the simulator does not know.
    fn property(&self, name: &str) -> Option<Value> {
        Some(match name {
            "id" => json!(self.id),
            "displayName" => json!(self.display_name),
            "givenName" => json!(self.given_name),
            "surname" => json!(self.surname),
            "userPrincipalName" => json!(self.user_principal_name),
            "mail" => json!(self.mail),
            "jobTitle" => json!(self.job_title),
            "employeeId" => json!(self.employee_id),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_property_has_a_value() {
        let user = SimUser::cloud_only(0, &mut fastrand::Rng::with_seed(1));
        assert!(EDITABLE.iter().chain(&DEFAULT_PROJECTION).all(|name| user.property(name).is_some()));
    }
}
