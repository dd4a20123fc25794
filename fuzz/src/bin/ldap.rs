//! What a domain controller answers: entries, values, results, and bytes that are none of these.
#![no_main]

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use photorelay_agent::connectors::ldap::{DirectoryScope, LdapConnector, LdapSettings, SignIn};
use photorelay_agent::connectors::{Connector, ConnectorError, EntryRef};
use photorelay_core::contract::Identity;
use photorelay_core::id::UserId;
use photorelay_core::process::install_crypto_provider;
use photorelay_fuzz::ber::{Element, Elements, message, read_message};
use photorelay_fuzz::{Limits, Script, assert_one_line, assert_tells_no_secret, contain_panics, guard};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

const LIMITS: Limits = Limits { memory: 32 << 20, processor_time: Duration::from_secs(2) };
const OPERATIONS: u8 = 6;
const ADA: &str = "<GUID=a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1>";

/// Protocol operations (RFC 4511, section 4), as tags.
const BIND: u8 = 0x60;
const SEARCH: u8 = 0x63;
const ENTRY: u8 = 0x64;
const MODIFY: u8 = 0x66;
const REFERENCE: u8 = 0x73;
const INTERMEDIATE: u8 = 0x79;
/// `success`, without a name and without a text.
const SUCCESS: [u8; 7] = [0x0a, 1, 0, 4, 0, 4, 0];

/// How much of the script answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The server describes itself and its schema as it should; the script answers what follows.
    Known,
    /// The same, and the anchor has an index.
    Indexed,
    /// The script answers every search.
    Searches,
    /// The script's bytes come in place of messages.
    Raw,
}
const MODES: [Mode; 4] = [Mode::Known, Mode::Indexed, Mode::Searches, Mode::Raw];

/// What one input makes the server say.
#[derive(Debug)]
struct Scripted {
    mode: Mode,
    rest: Vec<u8>,
    searches: usize,
}

type Shared = Arc<Mutex<Scripted>>;

struct Directory {
    runtime: Runtime,
    url: String,
    script: Shared,
    password: NamedTempFile,
}

thread_local! {
    static DIRECTORY: RefCell<Directory> = RefCell::new(Directory::start().expect("a directory"));
}

impl Directory {
    fn start() -> io::Result<Self> {
        // Where a client waits for what does not come, the time is over at once.
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build()?;
        let script = Arc::new(Mutex::new(Scripted { mode: Mode::Known, rest: Vec::new(), searches: 0 }));
        let password = NamedTempFile::new()?;
        std::fs::write(&password, "c4-nary")?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let url = format!("ldap+plain://{}", listener.local_addr()?);
        let scripted = Arc::clone(&script);
        runtime.spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&scripted)));
            }
        });
        Ok(Self { runtime, url, script, password })
    }

    fn settings(&self) -> LdapSettings {
        LdapSettings {
            servers: vec![self.url.parse().expect("a server")],
            base: "DC=contoso,DC=test".to_owned(),
            sign_in: SignIn::Password {
                bind_as: "agent@contoso.test".to_owned(),
                file: self.password.path().to_owned(),
            },
            ca_file: None,
            attribute: "thumbnailPhoto".to_owned(),
            anchor_attribute: None,
            require_external_id: false,
            scope: DirectoryScope { filter: Some("(department=Sales)".to_owned()), ..DirectoryScope::default() },
            timeout: Duration::from_secs(1),
            connections: 1,
        }
    }
}

fuzz_target!(init: { install_crypto_provider(); contain_panics() }, |input: &[u8]| {
    DIRECTORY.with_borrow(|directory| {
        guard(input, LIMITS, |input| {
            let script = Script::of(input);
            let mode = script.choose(&MODES);
            *directory.script.lock().unwrap_or_else(PoisonError::into_inner) =
                Scripted { mode, rest: script.body.to_vec(), searches: 0 };
            let connector = LdapConnector::new(directory.settings());
            directory.runtime.block_on(ask(&connector, script.operation(OPERATIONS), mode));
        });
    });
});

async fn ask(connector: &LdapConnector, operation: u8, mode: Mode) {
    let (entry, photo) = (EntryRef(ADA.to_owned()), Bytes::from_static(b"photo"));
    let user: UserId = "1f2c0b0e-0000-4000-8000-000000000001".parse().expect("a GUID");
    // The server's own name is shown to operators.
    let failure = match operation {
        0 => connector.find(user, &identity()).await.map(|(found, _)| assert!(found.0.starts_with("<GUID="))).err(),
        1 => connector.read(&entry).await.err(),
        2 => connector.replace(&entry, Some(&photo), None).await.err(),
        3 => connector.replace(&entry, None, Some(&photo)).await.err(),
        4 => connector.last_change(&entry).await.err(),
        _ => {
            connector.run_checks().await;
            None
        }
    };
    if let Some(error) = failure.filter(|_| matches!(mode, Mode::Known | Mode::Indexed)) {
        assert_plain(&error);
    }
}

/// A server's text may hold a user's name.
fn assert_plain(error: &ConnectorError) {
    assert_tells_no_secret(&error.to_string());
    assert_one_line(&error.to_string());
}

fn identity() -> Identity {
    Identity {
        anchor: Some("oaGhoaGhoaGhoaGhoaGhoQ==".to_owned()),
        sid: Some("S-1-5-21-1-2-3-1105".to_owned()),
        sam_account_name: Some("ada".to_owned()),
        ..Identity::default()
    }
}

/// Answers one connection until the client ends it, or the script was raw.
async fn serve(mut connection: TcpStream, script: Shared) {
    while let Ok(request) = read_message(&mut connection).await {
        let (answer, is_last) = {
            let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
            (script.answer(request.number, request.operation), script.mode == Mode::Raw && request.operation != BIND)
        };
        if connection.write_all(&answer).await.is_err() || is_last {
            return;
        }
    }
}

impl Scripted {
    fn answer(&mut self, number: u32, operation: u8) -> Vec<u8> {
        match operation {
            BIND => message(number, &Element::new(0x61, &SUCCESS)),
            SEARCH => {
                self.searches += 1;
                match self.described() {
                    Some(entry) => [message(number, &entry), message(number, &Element::new(0x65, &SUCCESS))].concat(),
                    None => self.scripted(number, 0x65),
                }
            }
            MODIFY => self.scripted(number, 0x67),
            _ => Vec::new(),
        }
    }

    /// What a domain controller answers to the first three searches of a connection.
    fn described(&self) -> Option<Element> {
        let indexed = if self.mode == Mode::Indexed { "1" } else { "0" };
        let (name, value) = match (self.mode, self.searches) {
            (Mode::Known | Mode::Indexed, 1) => {
                ("schemaNamingContext", "CN=Schema,CN=Configuration,DC=contoso,DC=test")
            }
            (Mode::Known | Mode::Indexed, 2) => ("rangeUpper", "102400"),
            (Mode::Known | Mode::Indexed, 3) => ("searchFlags", indexed),
            _ => return None,
        };
        let values = Element::new(0x31, &Element::new(0x04, value.as_bytes()).bytes());
        let attribute = [Element::new(0x04, name.as_bytes()).bytes(), values.bytes()].concat();
        let attributes = Element::new(0x30, &Element::new(0x30, &attribute).bytes());
        Some(Element::new(ENTRY, &[Element::new(0x04, b"CN=x").bytes(), attributes.bytes()].concat()))
    }

    /// Elements of the script up to the first that ends an operation; success where there is none.
    fn scripted(&mut self, number: u32, end: u8) -> Vec<u8> {
        if self.mode == Mode::Raw {
            return std::mem::take(&mut self.rest);
        }
        let rest = std::mem::take(&mut self.rest);
        let mut elements = Elements::of(&rest);
        let mut answer = Vec::new();
        for element in elements.by_ref() {
            answer.extend(message(number, &element));
            if !matches!(element.tag, ENTRY | REFERENCE | INTERMEDIATE) {
                self.rest = elements.rest().to_vec();
                return answer;
            }
        }
        answer.extend(message(number, &Element::new(end, &SUCCESS)));
        answer
    }
}
