//! Reads whose photos are carried.

use std::fmt::Display;
use std::str::FromStr;

use photorelay_core::settings::Reader;

use crate::graph::MAX_GROUPS;
use crate::jobs::scope::Scope;

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Scope> {
    let domains = list::<String>(reader, "PHOTORELAY_SCOPE_DOMAINS");
    let groups = list(reader, "PHOTORELAY_SCOPE_GROUPS");
    let users = list(reader, "PHOTORELAY_SCOPE_USERS");
    let cloud_managed = reader.flag("PHOTORELAY_SCOPE_CLOUD_MANAGED");
    let (domains, groups, users) = (domains?, groups?, users?);
    if groups.len() > MAX_GROUPS {
        reader.problem(&format!("PHOTORELAY_SCOPE_GROUPS names more than {MAX_GROUPS} groups: put them into one"));
        return None;
    }
    let domains = domains.iter().map(|domain| domain.to_lowercase()).collect();
    Some(Scope { domains, groups, users: users.into_iter().collect(), cloud_managed })
}

/// Values with commas between them; none where one is wrong.
fn list<T: FromStr<Err: Display>>(reader: &mut Reader<'_>, name: &str) -> Option<Vec<T>> {
    let Some(text) = reader.optional::<String>(name) else { return Some(Vec::new()) };
    let values: Result<Vec<T>, String> = text
        .split(',')
        .map(|value| match value.trim() {
            "" => Err("an empty value".to_owned()),
            value => value.parse().map_err(|error: T::Err| error.to_string()),
        })
        .collect();
    values.map_err(|error| reader.problem(&format!("{name}: {error}"))).ok()
}
