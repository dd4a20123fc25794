//! A TCP connection between the agent and a domain controller that a test cuts, stops or slows, below TLS.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A running relay. Dropping it closes its port and every connection.
#[derive(Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    state: Arc<watch::Sender<State>>,
    _server: JoinSet<()>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct State {
    /// Connections end when it changes.
    cuts: u32,
    /// Answers stay where they are.
    silent: bool,
}

impl Relay {
    /// On another port of the server's own address, for which its certificate holds.
    pub(crate) async fn before(host: &str, port: u16) -> Self {
        let host: IpAddr = host.parse().unwrap();
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(watch::Sender::new(State::default()));
        let mut server = JoinSet::new();
        let relaying = Arc::clone(&state);
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((from, _)) = listener.accept().await {
                connections.spawn(relay(from, SocketAddr::new(host, port), relaying.subscribe()));
            }
        });
        Self { address, state, _server: server }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Every connection ends now, wherever it is.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// From now on requests pass and their answers do not, until this is called with `false`.
    pub(crate) fn silence(&self, silent: bool) {
        self.state.send_modify(|state| state.silent = silent);
    }
}

async fn relay(mut from: TcpStream, to: SocketAddr, state: watch::Receiver<State>) {
    // Nobody listens: the connection ends, which is what the client has to see.
    let Ok(mut to) = TcpStream::connect(to).await else { return };
    let (mut requests, mut client) = from.split();
    let (mut answers, mut server) = to.split();
    let cuts = state.borrow().cuts;
    let (mut cutting, mut silence) = (state.clone(), state);
    tokio::select! {
        // Either side may end it in any way.
        _ = tokio::io::copy(&mut requests, &mut server) => {}
        () = pass_on(&mut answers, &mut client, &mut silence) => {}
        _ = cutting.wait_for(|state| state.cuts != cuts) => {}
    }
}

async fn pass_on(
    answers: &mut (impl AsyncReadExt + Unpin),
    client: &mut (impl AsyncWriteExt + Unpin),
    state: &mut watch::Receiver<State>,
) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = answers.read(&mut buffer).await {
        if state.wait_for(|state| !state.silent).await.is_err() || client.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
