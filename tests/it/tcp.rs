//! A TCP connection between the agent and a domain controller that a test cuts, stops or slows, below TLS.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A running relay. Dropping it closes its port and every connection.
#[derive(Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    /// Connections end when it changes.
    cuts: Arc<watch::Sender<u32>>,
    _server: JoinSet<()>,
}

impl Relay {
    /// On another port of the server's own address, for which its certificate holds.
    pub(crate) async fn before(host: &str, port: u16) -> Self {
        let host: IpAddr = host.parse().unwrap();
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = Arc::new(watch::Sender::new(0));
        let mut server = JoinSet::new();
        let cutting = Arc::clone(&cuts);
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((from, _)) = listener.accept().await {
                connections.spawn(relay(from, SocketAddr::new(host, port), cutting.subscribe()));
            }
        });
        Self { address, cuts, _server: server }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Every connection ends now, wherever it is.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn relay(mut from: TcpStream, to: SocketAddr, mut cut: watch::Receiver<u32>) {
    cut.mark_unchanged();
    // Nobody listens: the connection ends, which is what the client has to see.
    let Ok(mut to) = TcpStream::connect(to).await else { return };
    tokio::select! {
        // Either side may end it in any way.
        _ = copy_bidirectional(&mut from, &mut to) => {}
        _ = cut.changed() => {}
    }
}
