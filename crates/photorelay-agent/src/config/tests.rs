//! Every problem is reported, at once.

use photorelay_core::entra::CredentialConfig;

use super::*;

fn read(variables: &[(&str, &str)]) -> Result<ConnectorSettings, String> {
    let base = [("PHOTORELAY_TENANT_ID", "7b6a5c4d-0000-4000-8000-000000000001"), ("PhotoStorage__path", "/nowhere")];
    let environment: Environment = base.iter().chain(variables).copied().collect();
    AgentConfig::read(&environment).map(|config| config.connector).map_err(|problems| problems.to_string())
}

#[test]
fn exactly_one_of_folder_directory_and_feed_is_configured() {
    assert!(matches!(read(&[("PHOTORELAY_FOLDER_PATH", "/p")]), Ok(ConnectorSettings::Folder { .. })));
    assert!(read(&[]).unwrap_err().contains("PHOTORELAY_LDAP_URLS"));
    let both = read(&[("PHOTORELAY_FOLDER_PATH", "/p"), ("PHOTORELAY_LDAP_URLS", "ldaps://dc1")]);
    assert!(both.unwrap_err().contains("PHOTORELAY_FOLDER_PATH and PHOTORELAY_LDAP_URLS are set together"));
    let feed = ("PHOTORELAY_MIM_PATH", "/p");
    let Ok(ConnectorSettings::Mim(settings)) = read(&[feed]) else { panic!("no feed") };
    assert_eq!((settings.state, settings.tombstone_days), (std::path::Path::new("/p").join("state"), 90));
    assert!(read(&[feed, ("PHOTORELAY_FOLDER_PATH", "/p")]).is_err());
    let wrong = read(&[feed, ("PHOTORELAY_MIM_ANCHOR", "upn"), ("PHOTORELAY_MIM_CHECKSUM", "crc")]).unwrap_err();
    assert!(wrong.contains("userId, anchor") && wrong.contains("sha256, md5"), "{wrong}");
}

#[test]
fn the_agents_credential_signs_in_to_the_storage_too_unless_a_sas_is_given() {
    let with = |more: &[(&'static str, &'static str)]| {
        let base = [
            ("PHOTORELAY_TENANT_ID", "7b6a5c4d-0000-4000-8000-000000000001"),
            ("PHOTORELAY_FOLDER_PATH", "/p"),
            ("PhotoStorage__queueServiceUri", "https://a.queue.core.windows.net/"),
        ];
        let environment: Environment = base.iter().chain(more).copied().collect();
        AgentConfig::read(&environment).map(|config| config.azure.storage).map_err(|problems| problems.to_string())
    };
    let blob = ("PhotoStorage__blobServiceUri", "https://a.blob.core.windows.net/");
    let own = [blob, ("PHOTORELAY_CLIENT_ID", "agent"), ("PHOTORELAY_CLIENT_SECRET", "s3cret")];
    let Ok(StorageSettings::Azure { credential, .. }) = with(&own) else { panic!("no storage") };
    assert!(matches!(credential, Some(CredentialConfig::ClientSecret { .. })));
    assert!(with(&[blob]).unwrap_err().contains("PHOTORELAY_CLIENT_CERTIFICATE_FILE"));
}

#[test]
fn every_problem_with_the_directory_is_reported_at_once() {
    let reported = read(&[
        ("PHOTORELAY_LDAP_URLS", "ldap+plain://dc1"),
        ("PHOTORELAY_LDAP_PASSWORD_FILE", "/nowhere/password"),
        ("PHOTORELAY_LDAP_CA_FILE", "/nowhere/ca.pem"),
        ("PHOTORELAY_LDAP_ATTRIBUTE", "photo)("),
        ("PHOTORELAY_LDAP_ANCHOR_ATTRIBUTE", "*"),
        ("PHOTORELAY_LDAP_SCOPE_FILTER", "department=Sales)"),
    ])
    .unwrap_err();
    for name in
        ["URLS", "BASE_DN", "BIND_DN", "PASSWORD_FILE", "CA_FILE", "ATTRIBUTE", "ANCHOR_ATTRIBUTE", "SCOPE_FILTER"]
    {
        assert!(reported.contains(&format!("PHOTORELAY_LDAP_{name}")), "{name} is missing in {reported}");
    }
}

#[test]
#[cfg(not(feature = "kerberos"))]
fn a_program_without_kerberos_says_so_before_it_starts() {
    let with = |sign_in: &str| read(&[("PHOTORELAY_LDAP_SIGN_IN", sign_in)]).unwrap_err();
    assert!(with("kerberos").contains("--features kerberos"));
    assert!(with("ntlm").contains("none of password, kerberos"));
}

#[test]
fn the_attribute_is_thumbnail_photo_unless_another_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let file = file.path().to_str().unwrap();
    let given = [
        ("PHOTORELAY_LDAP_URLS", "ldaps://dc1,ldaps://dc2"),
        ("PHOTORELAY_LDAP_BASE_DN", "DC=contoso,DC=test"),
        ("PHOTORELAY_LDAP_BIND_DN", "agent@contoso.test"),
        ("PHOTORELAY_LDAP_PASSWORD_FILE", file),
    ];
    let Ok(ConnectorSettings::Ldap(settings)) = read(&given) else { panic!("no directory") };
    assert_eq!((settings.attribute.as_str(), settings.servers.len()), ("thumbnailPhoto", 2));
}
