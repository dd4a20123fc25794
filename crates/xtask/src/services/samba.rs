//! A Samba Active Directory domain controller for `contoso.test`, on a loopback address of its own.
//!
//! Samba takes no other ports than 389 and 636, so this one service needs root. The domain is made once for each
//! version of Samba; a run serves a copy, with certificates that can be verified, so that nothing that a test writes
//! outlives it. Readiness is a bind over TLS with the agent's account.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::service::{ServiceVariables, TestService};
use crate::checkout::{self, Checkout};
use crate::{apt, process};

/// What Debian and Ubuntu call the parts.
const PACKAGES: [&str; 10] = [
    "samba",
    "samba-ad-dc",
    "samba-ad-provision",
    "samba-dsdb-modules",
    "samba-vfs-modules",
    "ldb-tools",
    "ldap-utils",
    "openssl",
    // For the agent's feature `kerberos`.
    "libkrb5-dev",
    "libclang-dev",
];
const BASE: &str = "DC=contoso,DC=test";
const AGENT: &str = "photorelay-agent@contoso.test";
const ADMINISTRATOR: &str = "administrator@contoso.test";
/// The exit status of `ldapsearch` while nothing listens.
const NO_CONTACT: i32 = 255;

pub(super) struct SambaService;

impl TestService for SambaService {
    fn name(&self) -> &'static str {
        "samba"
    }

    fn install(&self, checkout: &Checkout) -> Result<()> {
        ensure!(
            apt::is_root()?,
            "a domain controller listens on ports 389 and 636, which only root may do: run this as root, for example in \
             a container"
        );
        if !is_installed() {
            eprintln!("installing Samba once (some seconds)");
            apt::install(&PACKAGES)?;
            ensure!(is_installed(), "apt-get installed no domain controller that works");
        }
        let recipe = script(checkout, "provision.sh");
        let mut stamp = Vec::new();
        for part in ["provision.sh", "cloud-attributes.ldif", "cloud-classes.ldif"] {
            let file = script(checkout, part);
            stamp.extend(std::fs::read(&file).with_context(|| format!("{} is missing", file.display()))?);
        }
        stamp.extend(process::output(Command::new("samba").arg("--version"))?.into_bytes());
        let folder = provisioned(checkout);
        if std::fs::read(folder.join("stamp")).is_ok_and(|made| made == stamp) {
            return Ok(());
        }
        // Made beside it and then renamed, so that there is always a whole domain or none.
        let making = folder.with_extension(format!("making-{}", std::process::id()));
        checkout::remove(&making)?;
        std::fs::create_dir_all(checkout.tools())?;
        eprintln!("provisioning the domain of the tests once (some seconds)");
        let made = Command::new("sh").arg(&recipe).arg(&making).stdin(Stdio::null()).output()?;
        ensure!(made.status.success(), "no domain was made: {}", String::from_utf8_lossy(&made.stderr));
        std::fs::write(making.join("stamp"), stamp)?;
        checkout::remove(&folder)?;
        std::fs::rename(&making, &folder).with_context(|| format!("{} could not be made", folder.display()))
    }

    fn command(&self, checkout: &Checkout, folder: &Path, _tied: bool) -> Result<Command> {
        // It ends with its standard input by itself, if that is a pipe. The shell becomes Samba and keeps its id.
        let mut shell = Command::new("sh");
        shell.arg(script(checkout, "serve.sh")).arg(provisioned(checkout)).arg(folder);
        Ok(shell)
    }

    fn ready(&self, checkout: &Checkout, log: &str) -> Result<Option<ServiceVariables>> {
        let Some((address, folder)) = announced(log) else { return Ok(None) };
        let file = |folder: &Path, name: &str| folder.join(name).display().to_string();
        let (provisioned, folder) = (provisioned(checkout), Path::new(folder));
        let (authority, password) = (file(folder, "ca.pem"), file(&provisioned, "agent-password"));
        let (kerberos, keytab) = (file(folder, "krb5.conf"), file(&provisioned, "agent.keytab"));
        if !answers(address, &authority, &password)? {
            return Ok(None);
        }
        let variables = [
            ("PHOTORELAY_TEST_LDAP_URL", format!("ldaps://{address}")),
            ("PHOTORELAY_TEST_LDAP_CA_FILE", authority),
            ("PHOTORELAY_TEST_LDAP_BASE_DN", BASE.to_owned()),
            ("PHOTORELAY_TEST_LDAP_BIND_DN", AGENT.to_owned()),
            ("PHOTORELAY_TEST_LDAP_PASSWORD_FILE", password),
            ("PHOTORELAY_TEST_LDAP_KRB5_CONFIG", kerberos),
            ("PHOTORELAY_TEST_LDAP_KEYTAB", keytab),
            // With this account the tests prepare and break what the agent works on.
            ("PHOTORELAY_TEST_LDAP_ADMIN_DN", ADMINISTRATOR.to_owned()),
            ("PHOTORELAY_TEST_LDAP_ADMIN_PASSWORD_FILE", file(&provisioned, "admin-password")),
            // Tests that stop their domain controller start one of their own: `sh serve.sh PROVISIONED FOLDER`.
            ("PHOTORELAY_TEST_LDAP_PROVISIONED", provisioned.display().to_string()),
            ("PHOTORELAY_TEST_LDAP_SERVE", script(checkout, "serve.sh").display().to_string()),
        ];
        Ok(Some(variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
    }
}

fn provisioned(checkout: &Checkout) -> PathBuf {
    checkout.tools().join("samba-domain")
}

fn script(checkout: &Checkout, name: &str) -> PathBuf {
    checkout.xtask().join("samba").join(name)
}

fn is_installed() -> bool {
    process::works(Command::new("samba").arg("--version"))
        && process::works(Command::new("samba-tool").arg("--version"))
        && process::works(Command::new("ldbsearch").arg("--version"))
        && process::works(Command::new("ldapsearch").arg("-VV"))
        && process::works(Command::new("openssl").arg("version"))
        && process::works(Command::new("krb5-config").arg("--version"))
}

/// The address and the folder that `serve.sh` prints before it becomes Samba.
fn announced(log: &str) -> Option<(&str, &str)> {
    log.lines().find_map(|line| line.strip_prefix("serves ")?.split_once(" from "))
}

/// `false` while nothing listens; any answer but a success is an error, because waiting does not help.
fn answers(address: &str, authority: &str, password: &str) -> Result<bool> {
    let mut search = Command::new("ldapsearch");
    search.args(["-x", "-LLL", "-H", &format!("ldaps://{address}"), "-D", AGENT, "-y", password]);
    search.args(["-b", "", "-s", "base", "highestCommittedUSN"]);
    search.env("LDAPTLS_CACERT", authority).stdin(Stdio::null());
    let output = search.output().context("ldapsearch could not be started")?;
    match output.status.code() {
        Some(0) => Ok(true),
        Some(NO_CONTACT) => Ok(false),
        _ => bail!("Samba refuses the agent's account: {}", String::from_utf8_lossy(&output.stderr)),
    }
}
