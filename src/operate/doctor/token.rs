//! The token that the credential yields, and the roles in it.
//!
//! The claims help the operator and are never trusted. Graph decides.

use photorelay_core::diagnosis::CheckResult;
use photorelay_core::id::TenantId;

use crate::config::AppConfig;
use crate::graph::TokenSource;

const TOKEN: &str = "token";
const ROLES: &str = "roles";

const USERS: &str = "User.Read.All";
const PHOTOS: &str = "ProfilePhoto.Read.All";
const GROUPS: &str = "GroupMember.Read.All";
/// `doctor` reads `photoUpdateSettings` with it.
const SETTINGS: &str = "PeopleSettings.Read.All";

pub(super) async fn check(tokens: &dyn TokenSource, config: &AppConfig, results: &mut Vec<CheckResult>) {
    let token = match tokens.token().await {
        Ok(token) => token,
        Err(error) => {
            let fix = if error.is_transient() {
                "check that this machine reaches PHOTORELAY_AUTHORITY_URL, then try again"
            } else {
                "check PHOTORELAY_TENANT_ID, PHOTORELAY_CLIENT_ID and that the secret or certificate has not expired"
            };
            results.push(CheckResult::error(TOKEN, error.to_string(), fix));
            return;
        }
    };
    let Some(claims) = token.claims() else {
        results.push(CheckResult::ok(TOKEN, "the credential yields one"));
        results.push(CheckResult::warning(
            ROLES,
            "the token does not say",
            format!("look at the application's permissions: it needs {USERS} and {PHOTOS}"),
        ));
        return;
    };
    match claims.tid.as_deref().map(str::parse::<TenantId>) {
        Some(Ok(other)) if other != config.graph.tenant_id => results.push(CheckResult::error(
            TOKEN,
            format!("it is for the tenant {other}, not for {}", config.graph.tenant_id),
            "set PHOTORELAY_TENANT_ID to the tenant of the credential, or use a credential of this one",
        )),
        _ => results.push(CheckResult::ok(TOKEN, "the credential yields one")),
    }
    results.push(judge(&claims.roles, !config.scope.groups.is_empty()));
}

fn judge(roles: &[String], reads_groups: bool) -> CheckResult {
    let has = |wanted: &str| roles.iter().any(|role| role == wanted);
    let is_useful = |role: &str| [USERS, PHOTOS, SETTINGS].contains(&role) || (reads_groups && role == GROUPS);
    let surplus: Vec<&str> = roles.iter().map(String::as_str).filter(|role| !is_useful(role)).collect();
    let grant = |role: &str| format!("grant the application role {role} and give administrator consent");
    if !has(USERS) {
        // A role to write does not stand in for the role to read where subscriptions are made.
        return CheckResult::error(ROLES, format!("{USERS} is missing"), grant(USERS));
    }
    if reads_groups && !has(GROUPS) {
        let says = format!("{GROUPS} is missing, and PHOTORELAY_SCOPE_GROUPS is set");
        return CheckResult::error(ROLES, says, grant(GROUPS));
    }
    if !has(PHOTOS) {
        return CheckResult::warning(
            ROLES,
            format!("{PHOTOS} is missing; photos are read by {USERS} alone"),
            grant(PHOTOS),
        );
    }
    if !surplus.is_empty() {
        let says = format!("more than photorelay needs: {}", surplus.join(", "));
        return CheckResult::warning(ROLES, says, "remove them: a stolen credential has them too");
    }
    CheckResult::ok(ROLES, roles.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use photorelay_core::diagnosis::Level;

    #[test]
    fn too_few_roles_are_an_error_and_too_many_a_warning() {
        let level =
            |roles: &[&str]| judge(&roles.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>(), false).level;
        assert_eq!(level(&[USERS, PHOTOS]), Level::Ok);
        assert_eq!(level(&[USERS, PHOTOS, "PeopleSettings.Read.All"]), Level::Ok);
        assert_eq!(level(&[USERS]), Level::Warning);
        assert_eq!(level(&[PHOTOS, "User.ReadWrite.All"]), Level::Error);
        assert_eq!(level(&[USERS, PHOTOS, "Directory.ReadWrite.All"]), Level::Warning);
        assert_eq!(level(&[USERS, PHOTOS, GROUPS]), Level::Warning);
        let with_groups = |roles: [&str; 3]| judge(&roles.map(str::to_owned), true).level;
        assert_eq!(with_groups([USERS, PHOTOS, GROUPS]), Level::Ok);
        assert_eq!(with_groups([USERS, PHOTOS, SETTINGS]), Level::Error);
    }
}
