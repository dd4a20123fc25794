//! A way to the domain controller on which every entry of an answer can be repeated, as a server would do that does not
//! keep to what was asked. Plain text to this machine on one side, verified TLS on the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, copy, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use testkit::samba::Samba;

/// SearchResultEntry, [APPLICATION 4] (RFC 4511, 4.5.2).
const ENTRY: u8 = 0x64;

/// Dropping it ends every connection.
#[derive(Debug)]
pub(crate) struct Repeating {
    url: String,
    times: Arc<AtomicUsize>,
    _server: JoinSet<()>,
}

impl Repeating {
    pub(crate) async fn before(samba: &Samba) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ldap+plain://{}", listener.local_addr().unwrap());
        let times = Arc::new(AtomicUsize::new(1));
        let mut authorities = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&samba.ca_file).unwrap() {
            authorities.add(certificate.unwrap()).unwrap();
        }
        let config = ClientConfig::builder().with_root_certificates(authorities).with_no_client_auth();
        let (tls, to) = (TlsConnector::from(Arc::new(config)), samba.address.clone());
        let mut server = JoinSet::new();
        let repeat = Arc::clone(&times);
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((from, _)) = listener.accept().await {
                let (tls, to, repeat) = (tls.clone(), to.clone(), Arc::clone(&repeat));
                connections.spawn(async move {
                    let name = ServerName::try_from(to.clone()).unwrap();
                    let to = TcpStream::connect((to.as_str(), 636)).await.unwrap();
                    let (mut answers, mut server) = split(tls.connect(name, to).await.unwrap());
                    let (mut requests, mut client) = split(from);
                    tokio::select! {
                        // Either side may end it in any way.
                        _ = copy(&mut requests, &mut server) => {}
                        _ = async {
                            while let Some(message) = message(&mut answers).await {
                                let times = if is_entry(&message) { repeat.load(Ordering::SeqCst) } else { 1 };
                                for _ in 0..times {
                                    client.write_all(&message).await?;
                                }
                            }
                            std::io::Result::Ok(())
                        } => {}
                    }
                });
            }
        });
        Self { url, times, _server: server }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// From now on.
    pub(crate) fn repeat_entries(&self, times: usize) {
        self.times.store(times, Ordering::SeqCst);
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

/// After the sequence's head comes the number of the message, an INTEGER, and then the operation.
fn is_entry(message: &[u8]) -> bool {
    let head = if message[1] < 0x80 { 2 } else { 2 + usize::from(message[1] - 0x80) };
    let operation = head + 2 + usize::from(message[head + 1]);
    message.get(operation) == Some(&ENTRY)
}
