//! A way to the domain controller on which every entry of an answer can be repeated, as a server would do that does not
//! keep to what was asked, and on which changes are answered with a code, as a server would do that takes none. Plain
//! text to this machine on one side, verified TLS on the other.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use testkit::samba::Samba;

/// SearchResultEntry, [APPLICATION 4] (RFC 4511, 4.5.2).
const ENTRY: u8 = 0x64;
/// SearchRequest, [APPLICATION 3].
const SEARCH: u8 = 0x63;
/// ModifyRequest, [APPLICATION 6].
const CHANGE: u8 = 0x66;

/// How the entries of an answer are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mixed {
    Right,
    /// One that follows another is lost.
    Lost,
    /// Before each, the one that was sent before it, of whichever answer, is sent again if it is another.
    Stray,
}

/// What the proxy does to what it passes on.
#[derive(Debug, Default)]
struct Meddling {
    /// How often each entry is sent.
    times: AtomicUsize,
    /// What changes are answered with; 0 if they reach the domain controller.
    code: AtomicU8,
    hidden: Mutex<Option<&'static str>>,
    mixed: AtomicU8,
    /// Searches so far.
    searches: AtomicUsize,
}

/// Dropping it ends every connection.
#[derive(Debug)]
pub(crate) struct Repeating {
    url: String,
    meddling: Arc<Meddling>,
    _server: JoinSet<()>,
}

impl Meddling {
    async fn pass_requests(
        &self,
        mut requests: impl AsyncRead + Unpin,
        mut server: impl AsyncWrite + Unpin,
        client: &Mutex<impl AsyncWrite + Unpin>,
    ) -> std::io::Result<()> {
        while let Some(message) = message(&mut requests).await {
            self.searches.fetch_add(usize::from(is(SEARCH, &message)), Ordering::SeqCst);
            match self.code.load(Ordering::SeqCst) {
                code if code > 0 && is(CHANGE, &message) => {
                    client.lock().await.write_all(&changed(&message, code)).await?;
                }
                _ => server.write_all(&message).await?,
            }
            server.flush().await?;
        }
        Ok(())
    }

    async fn pass_answers(
        &self,
        mut answers: impl AsyncRead + Unpin,
        client: &Mutex<impl AsyncWrite + Unpin>,
    ) -> std::io::Result<()> {
        let (mut sent, mut follows) = (None, false);
        while let Some(mut message) = message(&mut answers).await {
            let mixed = self.mixed.load(Ordering::SeqCst);
            let is_entry = is(ENTRY, &message);
            if std::mem::replace(&mut follows, is_entry) && is_entry && mixed == Mixed::Lost as u8 {
                continue;
            }
            if is_entry
                && let Some(stray) = sent.replace(message.clone())
                && mixed == Mixed::Stray as u8
                && operation(&stray) != operation(&message)
            {
                client.lock().await.write_all(&under(&message, &stray)).await?;
            }
            if let Some(attribute) = self.hidden.lock().await.filter(|_| is_entry) {
                hide(attribute, &mut message);
            }
            let times = if is_entry { self.times.load(Ordering::SeqCst) } else { 1 };
            for _ in 0..times {
                client.lock().await.write_all(&message).await?;
            }
        }
        Ok(())
    }
}

impl Repeating {
    pub(crate) async fn before(samba: &Samba) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ldap+plain://{}", listener.local_addr().unwrap());
        let mut authorities = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&samba.ca_file).unwrap() {
            authorities.add(certificate.unwrap()).unwrap();
        }
        let config = ClientConfig::builder().with_root_certificates(authorities).with_no_client_auth();
        let (tls, to) = (TlsConnector::from(Arc::new(config)), samba.address.clone());
        let meddling = Arc::new(Meddling { times: AtomicUsize::new(1), ..Meddling::default() });
        let mut server = JoinSet::new();
        let meddles = Arc::clone(&meddling);
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((from, _)) = listener.accept().await {
                let (tls, to, meddles) = (tls.clone(), to.clone(), Arc::clone(&meddles));
                connections.spawn(async move {
                    let name = ServerName::try_from(to.clone()).unwrap();
                    let to = TcpStream::connect((to.as_str(), 636)).await.unwrap();
                    let (answers, server) = split(tls.connect(name, to).await.unwrap());
                    let (requests, client) = split(from);
                    let client = Mutex::new(client);
                    tokio::select! {
                        // Either side may end it in any way.
                        _ = meddles.pass_requests(requests, server, &client) => {}
                        _ = meddles.pass_answers(answers, &client) => {}
                    }
                });
            }
        });
        Self { url, meddling, _server: server }
    }

    /// From now on entries do not show this attribute, as to an account that may not read it; or they do again.
    pub(crate) async fn hide(&self, attribute: &'static str, hidden: bool) {
        *self.meddling.hidden.lock().await = hidden.then_some(attribute);
    }

    /// From now on changes are answered with this result code and do not reach the domain controller; 0 ends that.
    pub(crate) fn answer_changes(&self, code: u8) {
        self.meddling.code.store(code, Ordering::SeqCst);
    }

    /// From now on.
    pub(crate) fn mix_entries(&self, mixed: Mixed) {
        self.meddling.mixed.store(mixed as u8, Ordering::SeqCst);
    }

    /// How many there were.
    pub(crate) fn searches(&self) -> usize {
        self.meddling.searches.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// From now on.
    pub(crate) fn repeat_entries(&self, times: usize) {
        self.meddling.times.store(times, Ordering::SeqCst);
    }
}

/// One whole LDAPMessage; none at the end.
async fn message(from: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut message = vec![0; 2];
    from.read_exact(&mut message).await.ok()?;
    let mut length = usize::from(message[1]);
    if length >= 0x80 {
        let mut long = vec![0; length - 0x80];
        from.read_exact(&mut long).await.ok()?;
        length = long.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        message.extend(long);
    }
    let start = message.len();
    message.resize(start + length, 0);
    from.read_exact(&mut message[start..]).await.ok()?;
    Some(message)
}

fn is(operation: u8, message: &[u8]) -> bool {
    let number = number(message);
    message.get(number.end) == Some(&operation)
}

/// After the sequence's head comes the number of the message, an INTEGER, and then the operation.
fn number(message: &[u8]) -> Range<usize> {
    let head = if message[1] < 0x80 { 2 } else { 2 + usize::from(message[1] - 0x80) };
    head..head + 2 + usize::from(message[head + 1])
}

fn operation(message: &[u8]) -> &[u8] {
    &message[number(message).end..]
}

/// The operation of another message under the number of this one.
fn under(message: &[u8], other: &[u8]) -> Vec<u8> {
    let content = [&message[number(message)], operation(other)].concat();
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[0x30, 0x84][..], &length, &content].concat()
}

/// Gives the attribute a name of the same length that nobody asked for.
fn hide(attribute: &str, message: &mut [u8]) {
    let at = message.windows(attribute.len()).position(|bytes| bytes.eq_ignore_ascii_case(attribute.as_bytes()));
    if let Some(at) = at {
        message[at..at + attribute.len()].fill(b'x');
    }
}

/// The ModifyResponse, [APPLICATION 7], to this request: the code, no matched name and no text.
fn changed(request: &[u8], code: u8) -> Vec<u8> {
    let number = &request[number(request)];
    let result = [0x67, 7, 0x0a, 1, code, 4, 0, 4, 0];
    let length = u8::try_from(number.len() + result.len()).unwrap();
    [&[0x30, length][..], number, &result].concat()
}
