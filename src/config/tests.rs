//! Every problem is reported, at once and without a secret.

use super::*;

const WHOLE: [(&str, &str); 5] = [
    ("PHOTORELAY_TENANT_ID", "84bd8158-6d4d-4958-8b9f-9d6445542f95"),
    ("PHOTORELAY_CLIENT_ID", "24d3b144-21ae-4080-943f-7067b395b913"),
    ("PHOTORELAY_CLIENT_SECRET", "the-client-secret"),
    ("PHOTORELAY_CLIENT_STATE", "0123456789abcdef"),
    ("PhotoStorage__path", "data"),
];

/// What is wrong with a whole configuration after these changes; an empty value takes a setting away.
fn problems(changes: &[(&str, &str)]) -> String {
    let environment: Environment = WHOLE.iter().chain(changes).copied().collect();
    match AppConfig::read(&environment, ConfigPurpose::Notifications) {
        Ok(_) => String::new(),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn a_whole_configuration_is_taken() {
    assert_eq!(problems(&[]), "");
}

#[test]
fn all_problems_are_reported_at_once_without_a_secret() {
    let reported = problems(&[
        ("PHOTORELAY_TENANT_ID", "contoso"),
        ("PHOTORELAY_CLIENT_STATE", "short"),
        ("PHOTORELAY_GRAPH_URL", "http://graph.example.net"),
        ("PHOTORELAY_TARGETS", "ad"),
        ("PHOTORELAY_RENDITIONS", "thumbnailPhoto"),
        ("PHOTORELAY_SCOPE_GROUPS", "1f2c0b0e-0000-4000-8000-000000000001, not-an-id"),
        ("PHOTORELAY_SCOPE_DOMAINS", "contoso.test,"),
        ("PHOTORELAY_LOG_FORMAT", "xml"),
        ("PHOTORELAY_IDENTITY_EXTRA", "mail,displayName"),
    ]);
    for setting in [
        "TENANT_ID",
        "CLIENT_STATE",
        "GRAPH_URL",
        "TARGETS",
        "RENDITIONS",
        "SCOPE_GROUPS",
        "SCOPE_DOMAINS",
        "LOG_FORMAT",
        "IDENTITY_EXTRA",
    ] {
        assert!(reported.contains(&format!("PHOTORELAY_{setting}")), "{setting} is missing in {reported}");
    }
    assert!(!reported.contains("short") && !reported.contains("the-client-secret"), "{reported}");
}

#[test]
fn without_a_client_state_the_program_refuses_to_start() {
    assert!(problems(&[("PHOTORELAY_CLIENT_STATE", "")]).contains("PHOTORELAY_CLIENT_STATE_FILE"));
    assert!(problems(&[("PHOTORELAY_CLIENT_STATE", "@Microsoft.KeyVault(SecretUri=x)")]).contains("not resolved"));
}

#[test]
fn the_embedded_store_refuses_to_start_inside_azure() {
    assert!(problems(&[("WEBSITE_INSTANCE_ID", "1")]).contains("lost with the instance"));
}

#[test]
fn storage_is_one_of_both_and_whole() {
    let blob = ("PhotoStorage__blobServiceUri", "https://st.blob.core.windows.net/?sv=1&sig=secret");
    let queue = ("PhotoStorage__queueServiceUri", "https://st.queue.core.windows.net/?sv=1&sig=secret");
    let no_path = ("PhotoStorage__path", "");
    assert!(problems(&[blob, queue]).contains("keep one"));
    assert!(problems(&[no_path, blob]).contains("both or neither"));
    assert_eq!(problems(&[no_path, blob, queue]), "");
    let bare = ("PhotoStorage__blobServiceUri", "https://st.blob.core.windows.net/");
    assert_eq!(problems(&[no_path, bare, queue]), "", "the credential for Graph also signs in to the storage");
    let alone: Environment = [bare, queue].into_iter().collect();
    assert!(read_storage(&alone).unwrap_err().to_string().contains("PhotoStorage__credential"));
}

#[test]
fn no_setting_shows_what_a_url_carries_as_a_key() {
    const KEY: &str = "the-key";
    let decorated = |host: &str| format!("https://user:{KEY}@{host}/x?code={KEY}#{KEY}");
    let events = format!("EventHub:https://{KEY}@ns.servicebus.windows.net/eventhubname/hub?tenantId={KEY}");
    let configurations = [
        vec![("PHOTORELAY_PUBLIC_URL", decorated("relay.test"))],
        vec![("PHOTORELAY_EVENT_DELIVERY", events)],
        vec![
            ("PhotoStorage__path", String::new()),
            ("PhotoStorage__blobServiceUri", decorated("st.test")),
            ("PhotoStorage__queueServiceUri", decorated("st.test")),
        ],
    ];
    for changes in configurations {
        let whole = WHOLE.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let environment: Environment = whole.chain(changes).collect();
        let shown = format!("{:?}", AppConfig::read(&environment, ConfigPurpose::Notifications).unwrap());
        for secret in [KEY, "the-client-secret", "0123456789abcdef"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    for name in ["PHOTORELAY_GRAPH_URL", "PHOTORELAY_AUTHORITY_URL"] {
        for url in
            [format!("https://x.test/?k={KEY}"), format!("https://x.test/#{KEY}"), format!("https://{KEY}@x.test")]
        {
            let reported = problems(&[(name, &url)]);
            assert!(reported.contains(name) && !reported.contains(KEY), "{reported}");
        }
    }
}

#[test]
fn no_duration_is_so_long_that_it_cannot_be_added_to_a_time() {
    for name in ["PHOTORELAY_HOLD_SECONDS", "PHOTORELAY_LEASE_SECONDS", "PHOTORELAY_SWEEP_SECONDS"] {
        assert!(problems(&[(name, &u64::MAX.to_string())]).contains(name));
    }
}
