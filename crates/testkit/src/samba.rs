//! A Samba domain controller and its users, made and read with OpenLDAP's own tools: what the agent claims is never
//! taken from the agent.
//!
//! `cargo xtask test` provisions the domain and starts one controller for all tests, each of which has an organizational
//! unit of its own. Tests that stop theirs or count its changes start one for themselves.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::process::{PATIENCE, Variables, until};
use crate::world::{World, guid};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use graph_sim::ProvisionedAccount;
use photorelay_agent::connectors::ldap::{DEFAULT_TIMEOUT, LdapConnector, LdapSettings, SignIn};
use photorelay_core::id::UserId;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use uuid::Uuid;

/// In the folder of a domain controller.
const LOG: &str = "samba.log";

/// A domain controller that a test may use.
#[derive(Debug)]
pub struct Samba {
    pub address: String,
    pub ca_file: PathBuf,
    /// Where users of this test is.
    pub unit: String,
    /// The process, if it is this test's own; it ends with it.
    own: Option<(Child, TempDir)>,
}

/// A user object as the directory made it.
#[derive(Debug, Clone)]
pub struct Account {
    pub dn: String,
    pub name: String,
    pub guid: Vec<u8>,
    pub sid: String,
}

impl Account {
    /// Its objectGUID as Entra ID writes an anchor.
    pub fn anchor(&self) -> String {
        STANDARD.encode(&self.guid)
    }

    /// From now on this user of the simulator is synchronised from the account.
    pub fn is(&self, world: &World, at: usize, anchor: &str) -> UserId {
        let user = world.user(at);
        let edit = |person: &mut graph_sim::SimUser| {
            person.on_premises_immutable_id = Some(anchor.to_owned());
            person.on_premises_security_identifier = Some(self.sid.clone());
            person.on_premises_sam_account_name = Some(self.name.clone());
        };
        world.sim.tenant().edit_user(guid(user), edit).unwrap();
        user
    }

    /// From now on it is what Entra ID made of this user of the simulator, who is managed in the cloud.
    pub fn is_provisioned(&self, world: &World, user: UserId) {
        let account = ProvisionedAccount {
            distinguished_name: self.dn.clone(),
            domain_name: "contoso.test".to_owned(),
            sam_account_name: self.name.clone(),
            security_identifier: self.sid.clone(),
            user_principal_name: format!("{}@contoso.test", self.name),
        };
        world.sim.tenant().provision(guid(user), account).unwrap();
    }
}

impl Samba {
    /// The one that all tests use, with a unit for this test.
    pub async fn shared() -> Self {
        let address = variable("PHOTORELAY_TEST_LDAP_URL").replace("ldaps://", "");
        Self::with_unit(address, variable("PHOTORELAY_TEST_LDAP_CA_FILE").into(), None).await
    }

    /// One of the test's own, which no other test changes.
    pub async fn own() -> Self {
        // Samba puts a socket there, whose name must be short.
        let folder = TempDir::new().unwrap();
        let child = serve(folder.path());
        let (file, ca_file) = (folder.path().join("address"), folder.path().join("ca.pem"));
        let address = || std::fs::read_to_string(&file).unwrap().trim().to_owned();
        let starts = async {
            until(async || file.exists()).await;
            answering(&address(), &ca_file).await;
        };
        in_time(folder.path(), starts).await;
        let address = address();
        Self::with_unit(address, ca_file, Some((child, folder))).await
    }

    async fn with_unit(address: String, ca_file: PathBuf, own: Option<(Child, TempDir)>) -> Self {
        let unit = format!("OU={},OU=People,{}", Uuid::new_v4(), variable("PHOTORELAY_TEST_LDAP_BASE_DN"));
        let samba = Self { address, ca_file, unit, own };
        samba.change(&format!("dn: {}\nchangetype: add\nobjectClass: organizationalUnit\n", samba.unit)).await;
        samba
    }

    /// The same domain controller, to be read while this test stops and starts it.
    pub fn observer(&self) -> Self {
        let (address, ca_file, unit) = (self.address.clone(), self.ca_file.clone(), self.unit.clone());
        Self { address, ca_file, unit, own: None }
    }

    pub async fn stop(&mut self) {
        self.own.as_mut().expect("only one's own is stopped").0.kill().await.unwrap();
    }

    /// The same domain at the same address.
    pub async fn start_again(&mut self) {
        let (child, folder) = self.own.as_mut().expect("only one's own is started");
        *child = serve(folder.path());
        in_time(folder.path(), answering(&self.address, &self.ca_file)).await;
    }

    /// The same as environment variables of the program, by way of this address.
    pub fn variables(&self, address: &str) -> Variables {
        vec![
            ("PHOTORELAY_LDAP_URLS", format!("ldaps://{address}")),
            ("PHOTORELAY_LDAP_BASE_DN", self.unit.clone()),
            ("PHOTORELAY_LDAP_BIND_DN", variable("PHOTORELAY_TEST_LDAP_BIND_DN")),
            ("PHOTORELAY_LDAP_PASSWORD_FILE", variable("PHOTORELAY_TEST_LDAP_PASSWORD_FILE")),
            ("PHOTORELAY_LDAP_CA_FILE", self.ca_file.display().to_string()),
        ]
    }

    /// Settings of an agent that may write photos below the test's unit and nothing else.
    pub fn settings(&self) -> LdapSettings {
        LdapSettings {
            servers: vec![format!("ldaps://{}", self.address).parse().unwrap()],
            base: self.unit.clone(),
            sign_in: signed_in_with(variable("PHOTORELAY_TEST_LDAP_PASSWORD_FILE").into()),
            ca_file: Some(self.ca_file.clone()),
            attribute: "thumbnailPhoto".to_owned(),
            anchor_attribute: None,
            require_external_id: false,
            scope: Default::default(),
            timeout: DEFAULT_TIMEOUT,
            connections: 1,
        }
    }

    pub fn target(&self) -> LdapConnector {
        LdapConnector::new(self.settings())
    }

    /// A user below the test's unit. The account's name is random.
    pub async fn add(&self, name: &str) -> Account {
        let account = format!("u{}", &Uuid::new_v4().simple().to_string()[..15]);
        self.add_called(&format!("CN={name},{}", self.unit), &account).await
    }

    pub async fn add_called(&self, dn: &str, account: &str) -> Account {
        let (encoded, name) = (STANDARD.encode(dn), STANDARD.encode(account));
        // A disabled account needs no password, and may have a photo like any other.
        let user = "objectClass: user\nuserAccountControl: 514";
        self.change(&format!("dn:: {encoded}\nchangetype: add\n{user}\nsAMAccountName:: {name}\n")).await;
        let guid = self.values(dn, "objectGUID").await.remove(0);
        let sid = sid_text(&self.values(dn, "objectSid").await[0]);
        Account { dn: dn.to_owned(), name: account.to_owned(), guid, sid }
    }

    /// So many users at once.
    pub async fn add_many(&self, count: usize) -> Vec<Account> {
        let stem = &Uuid::new_v4().simple().to_string()[..10];
        let names: Vec<String> = (0..count).map(|at| format!("u{stem}{at:04}")).collect();
        let add = |name: &String| {
            let unit = &self.unit;
            format!(
                "dn: CN={name},{unit}\nchangetype: add\nobjectClass: user\nuserAccountControl: 514\nsAMAccountName: {name}\n\n"
            )
        };
        self.change(&names.iter().map(add).collect::<String>()).await;
        let found = self.people("(objectClass=user)", &["sAMAccountName", "objectGUID", "objectSid"]).await.unwrap();
        assert_eq!(found.len(), count);
        let account = |mut entry: Attributes| {
            let name = String::from_utf8(entry.remove("sAMAccountName").unwrap()).unwrap();
            let (guid, sid) = (entry.remove("objectGUID").unwrap(), sid_text(&entry["objectSid"]));
            Account { dn: format!("CN={name},{}", self.unit), name, guid, sid }
        };
        found.into_iter().map(account).collect()
    }

    pub async fn set(&self, account: &Account, attribute: &str, value: &[u8]) {
        let (dn, value) = (STANDARD.encode(&account.dn), STANDARD.encode(value));
        self.change(&format!("dn:: {dn}\nchangetype: modify\nreplace: {attribute}\n{attribute}:: {value}\n")).await;
    }

    /// The one photo that `ldapsearch` sees.
    pub async fn photo(&self, account: &Account) -> Option<Vec<u8>> {
        let mut values = self.values(&account.dn, "thumbnailPhoto").await;
        assert!(values.len() <= 1);
        values.pop()
    }

    /// One value of each of these attributes, for users of the unit who fits the filter; none if the domain
    /// controller does not answer.
    pub async fn people(&self, filter: &str, attributes: &[&str]) -> Option<Vec<Attributes>> {
        let mut command = tool("ldapsearch", &self.address, &self.ca_file);
        command.args(["-LLL", "-o", "ldif-wrap=no", "-s", "one", "-b", &self.unit, filter]).args(attributes);
        let output = command.output().await.unwrap();
        if !output.status.success() {
            return None;
        }
        let ldif = String::from_utf8(output.stdout).unwrap();
        let entries = ldif.split("\n\n").filter(|entry| !entry.trim().is_empty());
        Some(entries.map(|entry| entry.lines().filter_map(value).collect()).collect())
    }

    /// Grows with every change of anything in the directory.
    pub async fn highest_usn(&self) -> u64 {
        self.committed_usn().await.expect("the domain controller answers")
    }

    /// The same; none if the domain controller does not answer.
    pub async fn committed_usn(&self) -> Option<u64> {
        let usn = self.read("", "highestCommittedUSN").await.ok()?.remove(0);
        Some(String::from_utf8(usn).unwrap().parse().unwrap())
    }

    /// The SID of an object.
    pub async fn sid(&self, dn: &str) -> String {
        sid_text(&self.values(dn, "objectSid").await[0])
    }

    /// Applies LDIF as the administrator.
    pub async fn change(&self, ldif: &str) {
        let mut command = tool("ldapmodify", &self.address, &self.ca_file);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(ldif.as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub async fn values(&self, dn: &str, attribute: &str) -> Vec<Vec<u8>> {
        self.read(dn, attribute).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// An `Err` is what `ldapsearch` says.
    async fn read(&self, dn: &str, attribute: &str) -> Result<Vec<Vec<u8>>, String> {
        let mut command = tool("ldapsearch", &self.address, &self.ca_file);
        command.args(["-LLL", "-o", "ldif-wrap=no", "-s", "base", "-b", dn, "(objectClass=*)", attribute]);
        let output = command.output().await.unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let ldif = String::from_utf8(output.stdout).unwrap();
        Ok(ldif.lines().filter_map(value).filter(|(name, _)| name == attribute).map(|(_, value)| value).collect())
    }
}

/// What an entry holds, by the names of its attributes.
pub type Attributes = HashMap<String, Vec<u8>>;

/// The attribute and the value that a line of LDIF holds.
fn value(line: &str) -> Option<(String, Vec<u8>)> {
    let (name, value) = line.split_once(':')?;
    let value = match value.strip_prefix(':') {
        Some(encoded) => STANDARD.decode(encoded.trim()).unwrap(),
        None => value.trim().as_bytes().to_vec(),
    };
    Some((name.to_owned(), value))
}

/// With the agent's account, and the password in this file.
pub fn signed_in_with(file: PathBuf) -> SignIn {
    SignIn::Password { bind_as: variable("PHOTORELAY_TEST_LDAP_BIND_DN"), file }
}

fn serve(folder: &Path) -> Child {
    let mut shell = Command::new("sh");
    shell.arg(variable("PHOTORELAY_TEST_LDAP_SERVE")).arg(variable("PHOTORELAY_TEST_LDAP_PROVISIONED")).arg(folder);
    // It ends with this pipe, however the test ends.
    let log = File::options().create(true).append(true).open(folder.join(LOG)).unwrap();
    shell.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true);
    shell.spawn().expect("sh starts Samba")
}

/// Waits for the domain controller of this folder, and shows the end of its log if it does not come.
async fn in_time(folder: &Path, comes: impl Future<Output = ()>) {
    if tokio::time::timeout(PATIENCE, comes).await.is_err() {
        let log = std::fs::read(folder.join(LOG)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(40)..].join("\n");
        panic!(
            "the domain controller in {} does not answer after {PATIENCE:?}; its log ends:\n{end}",
            folder.display()
        );
    }
}

/// Returns when a bind over verified TLS succeeds.
async fn answering(address: &str, ca_file: &Path) {
    until(async || {
        let mut search = tool("ldapsearch", address, ca_file);
        search.args(["-s", "base", "-b", "", "1.1"]).stdout(Stdio::null()).stderr(Stdio::null());
        search.status().await.unwrap().success()
    })
    .await;
}

fn tool(name: &str, address: &str, ca_file: &Path) -> Command {
    let mut command = Command::new(name);
    command.args([
        "-o",
        "nettimeout=30",
        "-x",
        "-H",
        &format!("ldaps://{address}"),
        "-D",
        &variable("PHOTORELAY_TEST_LDAP_ADMIN_DN"),
    ]);
    command.args(["-y", &variable("PHOTORELAY_TEST_LDAP_ADMIN_PASSWORD_FILE")]).env("LDAPTLS_CACERT", ca_file);
    command
}

fn sid_text(bytes: &[u8]) -> String {
    let parts = bytes[8..].chunks_exact(4).map(|part| u32::from_le_bytes(part.try_into().unwrap()).to_string());
    format!("S-{}-{}-{}", bytes[0], bytes[7], parts.collect::<Vec<_>>().join("-"))
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration but what started Samba for them")]
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`, which starts Samba"))
}
