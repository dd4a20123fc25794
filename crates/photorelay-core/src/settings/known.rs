//! The name of every setting of both programs, which share files of settings: one that neither reads is a mistake, and a
//! mistake in `PHOTORELAY_DRY_RUN` writes to a directory.

/// How different a name may be that is proposed instead, from 0 (anything) to 1 (the same).
const RESEMBLANCE: f64 = 0.8;

/// Every name that begins with `PHOTORELAY_`; a secret may also be in the file that `{name}_FILE` names.
pub const SETTINGS: &[&str] = &[
    "PHOTORELAY_AGENT_NAME",
    "PHOTORELAY_AGENT_TARGET",
    "PHOTORELAY_AUTHORITY_URL",
    "PHOTORELAY_CAPTURES_PER_DAY",
    "PHOTORELAY_CLIENT_CERTIFICATE",
    "PHOTORELAY_CLIENT_CERTIFICATE_FILE",
    "PHOTORELAY_CLIENT_ID",
    "PHOTORELAY_CLIENT_SECRET",
    "PHOTORELAY_CLIENT_SECRET_FILE",
    "PHOTORELAY_CLIENT_STATE",
    "PHOTORELAY_CLIENT_STATE_FILE",
    "PHOTORELAY_CLIENT_STATE_PREVIOUS",
    "PHOTORELAY_CLIENT_STATE_PREVIOUS_FILE",
    "PHOTORELAY_CREDENTIAL",
    "PHOTORELAY_DRY_RUN",
    "PHOTORELAY_EVENT_DELIVERY",
    "PHOTORELAY_FOLDER_MANIFEST",
    "PHOTORELAY_FOLDER_MORE_RENDITIONS",
    "PHOTORELAY_FOLDER_NAME",
    "PHOTORELAY_FOLDER_PATH",
    "PHOTORELAY_FOLDER_RENDITION",
    "PHOTORELAY_FOREIGN",
    "PHOTORELAY_FORWARD_SCOPE",
    "PHOTORELAY_FORWARD_SECRET",
    "PHOTORELAY_FORWARD_SECRET_FILE",
    "PHOTORELAY_FORWARD_URL",
    "PHOTORELAY_GRAPH_URL",
    "PHOTORELAY_HOLD_SECONDS",
    "PHOTORELAY_IDENTITY_EXTRA",
    "PHOTORELAY_LDAP_ANCHOR_ATTRIBUTE",
    "PHOTORELAY_LDAP_ATTRIBUTE",
    "PHOTORELAY_LDAP_BASE_DN",
    "PHOTORELAY_LDAP_BIND_DN",
    "PHOTORELAY_LDAP_CA_FILE",
    "PHOTORELAY_LDAP_CONNECTIONS",
    "PHOTORELAY_LDAP_PASSWORD_FILE",
    "PHOTORELAY_LDAP_REQUIRE_EXTERNAL_ID",
    "PHOTORELAY_LDAP_SCOPE_FILTER",
    "PHOTORELAY_LDAP_SCOPE_GROUP",
    "PHOTORELAY_LDAP_SCOPE_UNITS",
    "PHOTORELAY_LDAP_SIGN_IN",
    "PHOTORELAY_LDAP_TIMEOUT_SECONDS",
    "PHOTORELAY_LDAP_URLS",
    "PHOTORELAY_LEASE_SECONDS",
    "PHOTORELAY_LISTEN",
    "PHOTORELAY_LOG",
    "PHOTORELAY_LOG_FORMAT",
    "PHOTORELAY_MANAGED_IDENTITY",
    "PHOTORELAY_MIM_ANCHOR",
    "PHOTORELAY_MIM_CHECKSUM",
    "PHOTORELAY_MIM_PATH",
    "PHOTORELAY_MIM_PUBLISH_SECONDS",
    "PHOTORELAY_MIM_RENDITION",
    "PHOTORELAY_MIM_SCRIPTS",
    "PHOTORELAY_MIM_SHRINK_PERCENT",
    "PHOTORELAY_MIM_STATE",
    "PHOTORELAY_MIM_TOMBSTONE_DAYS",
    "PHOTORELAY_PASS_HOURS",
    "PHOTORELAY_PHOTOS_BEHIND_PROXY",
    "PHOTORELAY_PHOTOS_CERTIFICATE_FILE",
    "PHOTORELAY_PHOTOS_KEY_FILE",
    "PHOTORELAY_PHOTOS_LISTEN",
    "PHOTORELAY_PHOTOS_PER_MINUTE",
    "PHOTORELAY_PHOTOS_REFRESH_SECONDS",
    "PHOTORELAY_PILOT",
    "PHOTORELAY_PUBLIC_URL",
    "PHOTORELAY_REMOVAL",
    "PHOTORELAY_REMOVALS_PER_DAY",
    "PHOTORELAY_RENDITIONS",
    "PHOTORELAY_SCOPE_CLOUD_MANAGED",
    "PHOTORELAY_SCOPE_DOMAINS",
    "PHOTORELAY_SCOPE_GROUPS",
    "PHOTORELAY_SCOPE_USERS",
    "PHOTORELAY_SWEEP_SECONDS",
    "PHOTORELAY_TARGETS",
    "PHOTORELAY_TENANT_ID",
    "PHOTORELAY_WRITES_PER_DAY",
    "PHOTORELAY_WRITES_PER_MINUTE",
];

const PREFIX: &str = "PHOTORELAY_";

/// Used by the tests, which start programs with everything that was set for themselves.
const OF_TESTS: &str = "PHOTORELAY_TEST_";

/// What is wrong with a name, if it looks like a setting and is none.
pub(super) fn problem(name: &str) -> Option<String> {
    let own = name.strip_prefix(PREFIX)?;
    if name.starts_with(OF_TESTS) || SETTINGS.contains(&name) {
        return None;
    }
    // What all names have in common makes none of them alike.
    let alike = SETTINGS.iter().map(|known| (strsim::jaro_winkler(own, known.trim_start_matches(PREFIX)), known));
    let alike = alike.filter(|(resemblance, _)| *resemblance >= RESEMBLANCE);
    Some(match alike.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
        Some((_, known)) => format!("{name} is not a setting: did you mean {known}?"),
        None => format!("{name} is not a setting"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_setting_is_answered_with_the_nearest_one() {
        for (mistyped, meant) in [
            ("PHOTORELAY_DRYRUN", "PHOTORELAY_DRY_RUN"),
            ("PHOTORELAY_LDAP_URL", "PHOTORELAY_LDAP_URLS"),
            ("PHOTORELAY_WRITE_PER_DAY", "PHOTORELAY_WRITES_PER_DAY"),
            ("PHOTORELAY_TENANTID", "PHOTORELAY_TENANT_ID"),
        ] {
            let problem = problem(mistyped).unwrap();
            assert_eq!(problem, format!("{mistyped} is not a setting: did you mean {meant}?"));
        }
        for far in ["PHOTORELAY_FOO", "PHOTORELAY_"] {
            assert_eq!(problem(far), Some(format!("{far} is not a setting")));
        }
        for known in SETTINGS.iter().chain(&["PHOTORELAY_TEST_SEED", "HOME", "PhotoStorage__path"]) {
            assert_eq!(problem(known), None);
        }
    }
}
