//! The program that was built with the feature `kerberos`, in front of a real domain controller.
#![cfg(feature = "kerberos")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

#[expect(clippy::disallowed_methods, reason = "tests have no configuration but what started Samba for them")]
fn variable(name: &str) -> String {
    let name = format!("PHOTORELAY_TEST_LDAP_{name}");
    std::env::var(&name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`, which starts Samba"))
}

/// Clients know the domain controller by its address, for which it has no ticket before this.
fn name_the_service(address: &str) {
    let mut modify = Command::new("ldapmodify");
    modify.args(["-x", "-H", &variable("URL"), "-D", &variable("ADMIN_DN"), "-y", &variable("ADMIN_PASSWORD_FILE")]);
    modify.env("LDAPTLS_CACERT", variable("CA_FILE")).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = modify.spawn().unwrap();
    let dn = format!("CN=DC1,OU=Domain Controllers,{}", variable("BASE_DN"));
    let ldif =
        format!("dn: {dn}\nchangetype: modify\nadd: servicePrincipalName\nservicePrincipalName: ldap/{address}\n");
    child.stdin.take().unwrap().write_all(ldif.as_bytes()).unwrap();
    // 20: an earlier run on the same domain controller has named it already (attributeOrValueExists).
    assert!(matches!(child.wait().unwrap().code(), Some(0 | 20)));
}

fn doctor(keytab: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_photorelay-agent"));
    doctor.arg("doctor").env_clear().envs([
        ("PHOTORELAY_TENANT_ID", "7b6a5c4d-0000-4000-8000-000000000001"),
        ("PhotoStorage__path", folder.path().to_str().unwrap()),
        ("PHOTORELAY_LDAP_URLS", &variable("URL")),
        ("PHOTORELAY_LDAP_BASE_DN", &variable("BASE_DN")),
        ("PHOTORELAY_LDAP_CA_FILE", &variable("CA_FILE")),
        ("PHOTORELAY_LDAP_SIGN_IN", "kerberos"),
        ("KRB5_CONFIG", &variable("KRB5_CONFIG")),
        ("KRB5_CLIENT_KTNAME", keytab),
        ("KRB5CCNAME", "MEMORY:"),
    ]);
    doctor.output().unwrap()
}

#[test]
fn the_agent_signs_in_with_its_keytab_and_not_without() {
    name_the_service(variable("URL").strip_prefix("ldaps://").unwrap());
    let told = doctor(&variable("KEYTAB"));
    let told = String::from_utf8_lossy(&told.stdout);
    assert!(told.contains("signed in to dc1.contoso.test by verified TLS"), "{told}");

    let told = doctor("/nowhere/keytab");
    let told = String::from_utf8_lossy(&told.stdout);
    assert!(told.contains("no sign-in with Kerberos"), "{told}");
}
