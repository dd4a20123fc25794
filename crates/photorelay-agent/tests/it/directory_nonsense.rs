//! A domain controller whose answers are not LDAP: the agent says so, repeats nothing of them, and goes on.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use photorelay_agent::connectors::ldap::{DEFAULT_TIMEOUT, DirectoryScope, LdapConnector, LdapSettings, SignIn};
use photorelay_agent::connectors::{Connector, ConnectorError, EntryRef, Replacement};
use photorelay_core::contract::Identity;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::directory::any_user;

/// Operations as tags of BER (RFC 4511, section 4), and the result `success` without a name and a text.
const BIND: u8 = 0x60;
const SEARCH: u8 = 0x63;
const CONTROLS: u8 = 0xa0;
const SUCCESS: [u8; 7] = [0x0a, 1, 0, 4, 0, 4, 0];
/// A name in Latin-1, which is no UTF-8.
const NAME: &[u8] = b"CN=J\xf6rg Roe,DC=contoso,DC=test";

/// A domain controller that describes itself as it should and then answers everything in one way.
struct Nonsense {
    target: LdapConnector,
    answer: Arc<Mutex<Vec<u8>>>,
    /// The number of the connection of each request, after those by which it describes itself.
    used: Arc<Mutex<Vec<usize>>>,
    _password: NamedTempFile,
    _server: JoinSet<()>,
}

impl Nonsense {
    async fn start() -> Self {
        Self::start_with("1", false).await
    }

    /// One name leads to several: each connection to another one.
    async fn start_several() -> Self {
        Self::start_with("1", true).await
    }

    /// The schema says that no index finds an anchor, so all users are read in pages.
    async fn start_without_index() -> Self {
        Self::start_with("0", false).await
    }

    async fn start_with(search_flags: &'static str, are_several: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ldap+plain://{}", listener.local_addr().unwrap());
        let password = NamedTempFile::new().unwrap();
        std::fs::write(&password, "secret").unwrap();
        let answer = Arc::new(Mutex::new(Vec::new()));
        let used = Arc::new(Mutex::new(Vec::new()));
        let (answered, noted) = (Arc::clone(&answer), Arc::clone(&used));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let number = connections.len();
                let host = are_several.then(|| format!("dc{number}"));
                let (answered, noted) = (Arc::clone(&answered), Arc::clone(&noted));
                connections.spawn(async move {
                    serve(client, (search_flags, host), answered, || noted.lock().unwrap().push(number)).await;
                });
            }
        });
        let target = LdapConnector::new(LdapSettings {
            servers: vec![url.parse().unwrap()],
            base: "DC=contoso,DC=test".to_owned(),
            sign_in: SignIn::Password { bind_as: "agent".to_owned(), file: password.path().to_owned() },
            ca_file: None,
            attribute: "thumbnailPhoto".to_owned(),
            anchor_attribute: None,
            require_external_id: false,
            scope: DirectoryScope::default(),
            timeout: DEFAULT_TIMEOUT,
            connections: 1,
        });
        Self { target, answer, used, _password: password, _server: server }
    }

    /// From now on.
    fn answers(&self, operations: &[Vec<u8>]) {
        *self.answer.lock().unwrap() = operations.concat();
    }
}

/// Repeats the operations of the answer in messages of their own, each with the number of the request and with the
/// controls that follow it.
async fn serve(
    mut client: TcpStream,
    (search_flags, host): (&str, Option<String>),
    answer: Arc<Mutex<Vec<u8>>>,
    note: impl Fn(),
) {
    let mut searches = 0;
    while let Some((number, operation)) = request(&mut client).await {
        searches += u8::from(operation == SEARCH);
        let operations = match (operation, searches) {
            (BIND, _) => element(0x61, &SUCCESS),
            (SEARCH, 1..=3) => {
                let described =
                    [("schemaNamingContext", "CN=Schema"), ("rangeUpper", "102400"), ("searchFlags", search_flags)];
                let (mut name, mut value) = described[usize::from(searches) - 1];
                if let (1, Some(host)) = (searches, &host) {
                    (name, value) = ("dnsHostName", host);
                }
                [entry(b"CN=x", name, value.as_bytes()), element(0x65, &SUCCESS)].concat()
            }
            _ => {
                note();
                answer.lock().unwrap().clone()
            }
        };
        let mut rest = operations.as_slice();
        while let [_, length, ..] = rest {
            let (mut operation, mut more) = rest.split_at(2 + usize::from(*length));
            if let [CONTROLS, length, ..] = more {
                (operation, more) = rest.split_at(operation.len() + 2 + usize::from(*length));
            }
            rest = more;
            let message = element(0x30, &[element(2, &[number]), operation.to_vec()].concat());
            if client.write_all(&message).await.is_err() {
                return;
            }
        }
    }
}

/// The number and the operation of the next request; every length but the first is short here.
async fn request(client: &mut TcpStream) -> Option<(u8, u8)> {
    let mut head = [0; 2];
    client.read_exact(&mut head).await.ok()?;
    let length = match head[1] {
        short @ ..=0x7f => usize::from(short),
        0x81 => usize::from(client.read_u8().await.ok()?),
        _ => usize::from(client.read_u16().await.ok()?),
    };
    let mut body = vec![0; length];
    client.read_exact(&mut body).await.ok()?;
    let [2, 1, number, operation, ..] = body[..] else { panic!("the number of the request is short") };
    Some((number, operation))
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    assert!(content.len() < 0x80, "its length would not be short");
    [&[tag, content.len() as u8], content].concat()
}

fn entry(name: &[u8], attribute: &str, value: &[u8]) -> Vec<u8> {
    let values = element(0x31, &element(4, value));
    let attribute = element(0x30, &[element(4, attribute.as_bytes()), values].concat());
    element(0x64, &[element(4, name), element(0x30, &attribute)].concat())
}

fn done() -> Vec<u8> {
    element(0x65, &SUCCESS)
}

/// The control of a page after which there are more (RFC 2696).
fn more_pages() -> Vec<u8> {
    let value = element(0x30, &[element(2, &[0]), element(4, b"next")].concat());
    let control = element(0x30, &[element(4, b"1.2.840.113556.1.4.319"), element(4, &value)].concat());
    element(CONTROLS, &control)
}

fn jane() -> EntryRef {
    EntryRef("<GUID=a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1>".to_owned())
}

fn anyone() -> Identity {
    Identity {
        anchor: Some("oaGhoaGhoaGhoaGhoaGhoQ==".to_owned()),
        sid: Some("S-1-5-21-1-2-3-1105".to_owned()),
        sam_account_name: None,
        domain: None,
        ..Identity::default()
    }
}

/// The answer is an error that names no user, and the next right answer is taken.
async fn goes_on(directory: &Nonsense, error: ConnectorError) {
    let text = error.to_string();
    assert!(!text.contains("Roe") && !text.contains("82, 111, 101"), "{text}");
    directory.answers(&[entry(b"CN=Jane", "thumbnailPhoto", b"photo"), done()]);
    testkit::process::until(async || {
        directory.target.read(&jane()).await.is_ok_and(|photo| photo.as_deref() == Some(b"photo"))
    })
    .await;
}

#[tokio::test]
async fn searches_and_changes_go_to_one_server_though_its_name_leads_to_several() {
    let server = Nonsense::start_several().await;
    let (entry, photo) = (EntryRef("CN=x".to_owned()), Bytes::from_static(b"photo"));
    let read = [self::entry(b"CN=x", "cn", b"x"), done()];
    server.answers(&read);
    assert_eq!(server.target.read(&entry).await.unwrap(), None);
    server.answers(&[element(0x67, &SUCCESS)]);
    assert_eq!(server.target.replace(&entry, None, Some(&photo)).await.unwrap(), Replacement::Done);
    server.answers(&read);
    assert_eq!(server.target.read(&entry).await.unwrap(), None);
    assert_eq!(*server.used.lock().unwrap(), [0, 0, 0]);
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_an_error_of_one_user() {
    let directory = Nonsense::start().await;
    let latin = String::from_utf8_lossy(b"J\xf6rg").into_owned();
    let shapes = [
        element(0x64, &element(4, NAME)),
        element(0x64, &[]),
        element(0x44, NAME),
        element(0x04, NAME),
        element(0x64, &[element(4, NAME), element(4, NAME)].concat()),
        element(0x64, &[element(4, NAME), element(0x30, &element(0x30, &element(4, latin.as_bytes())))].concat()),
        element(0x64, &[element(4, NAME), element(0x30, &element(0x30, &element(4, NAME)))].concat()),
    ];
    for shape in shapes {
        directory.answers(&[shape.clone(), done()]);
        let answer = directory.target.read(&jane()).await;
        let Err(error @ ConnectorError::Failed(_)) = answer else { panic!("{shape:02x?}: {answer:?}") };
        goes_on(&directory, error).await;
    }
}

#[tokio::test]
async fn the_name_of_an_entry_is_not_looked_at() {
    let directory = Nonsense::start().await;
    directory.answers(&[entry(NAME, "thumbnailPhoto", b"photo"), done()]);
    assert_eq!(directory.target.read(&jane()).await.unwrap().as_deref(), Some(&b"photo"[..]));
}

#[tokio::test]
async fn a_result_that_cannot_be_read_costs_the_connection_and_nothing_else() {
    let directory = Nonsense::start().await;
    let photo = Bytes::from_static(b"photo");
    let results = [
        element(0x67, &[&element(0x0a, &[0])[..], &element(4, NAME), &element(4, b"")].concat()),
        element(0x67, &[&element(0x0a, &[50])[..], &element(4, b""), &element(4, NAME)].concat()),
        element(0x67, &[]),
        element(0x47, NAME),
    ];
    for result in results {
        directory.answers(std::slice::from_ref(&result));
        let answer = directory.target.replace(&jane(), None, Some(&photo)).await;
        let Err(error @ ConnectorError::Down(_)) = answer else { panic!("{result:02x?}: {answer:?}") };
        goes_on(&directory, error).await;
    }
    directory.answers(&[element(0x67, &SUCCESS)]);
    assert_eq!(directory.target.replace(&jane(), None, Some(&photo)).await.unwrap(), Replacement::Done);
}

#[tokio::test]
async fn an_operation_that_is_no_answer_to_a_search_costs_the_connection_and_nothing_else() {
    let directory = Nonsense::start().await;
    for operation in [element(0x7e, NAME), element(0x65, &[])] {
        directory.answers(std::slice::from_ref(&operation));
        let answer = directory.target.read(&jane()).await;
        let Err(error @ ConnectorError::Down(_)) = answer else { panic!("{operation:02x?}: {answer:?}") };
        goes_on(&directory, error).await;
    }
}

#[tokio::test]
async fn pages_without_users_and_without_end_are_an_error_of_one_user() {
    for page in
        [[done(), more_pages()].concat(), [element(0x73, &element(4, b"ldap://x")), done(), more_pages()].concat()]
    {
        let directory = Nonsense::start_without_index().await;
        directory.answers(std::slice::from_ref(&page));
        let found = directory.target.find(any_user(), &anyone()).await;
        let Err(error @ ConnectorError::Failed(_)) = found else { panic!("{found:?}") };
        assert!(error.to_string().contains("pages without users"), "{error}");
        goes_on(&directory, error).await;
    }
}

#[tokio::test]
async fn a_page_whose_control_cannot_be_read_costs_the_connection_and_nothing_else() {
    let directory = Nonsense::start_without_index().await;
    let control = element(0x30, &[element(4, b"1.2.840.113556.1.4.319"), element(4, b"nonsense")].concat());
    directory.answers(&[done(), element(CONTROLS, &control)]);
    let found = directory.target.find(any_user(), &anyone()).await;
    let Err(error @ ConnectorError::Down(_)) = found else { panic!("{found:?}") };
    goes_on(&directory, error).await;
}
