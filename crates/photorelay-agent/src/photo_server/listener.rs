//! The endpoint's own listener: HTTP with time limits, and TLS where a certificate is configured.
//!
//! It owns the failure "the certificate was renewed": the files are read again at intervals, and one that cannot be used
//! leaves the present one in place.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use tokio_util::sync::CancellationToken;

/// A client that sends its request more slowly is not waited for.
const REQUEST_HEAD: Duration = Duration::from_secs(10);
/// How long answers that are under way may continue after a request to stop.
const GRACE: Duration = Duration::from_secs(10);

/// A certificate chain and its private key, in PEM format.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug)]
pub struct PhotoListener {
    listener: TcpListener,
    certificate: Option<Certificate>,
}

/// The certificate in use, and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    files: TlsFiles,
    config: RustlsConfig,
}

impl PhotoListener {
    pub async fn bind(address: SocketAddr, tls: Option<TlsFiles>) -> io::Result<Self> {
        let certificate = match tls {
            Some(files) => {
                let config = RustlsConfig::from_pem_file(&files.certificate, &files.key).await?;
                Some(Certificate { files, config })
            }
            None => None,
        };
        Ok(Self { listener: TcpListener::bind(address)?, certificate })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub(super) fn certificate(&self) -> Option<Certificate> {
        self.certificate.clone()
    }

    pub(super) async fn serve(self, router: Router, stop: CancellationToken) -> io::Result<()> {
        let handle = Handle::new();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let mut server =
            axum_server::from_tcp(self.listener)?.first_request_timeout(REQUEST_HEAD).handle(handle.clone());
        server.http_builder().http1().header_read_timeout(REQUEST_HEAD);
        server.http_builder().http2().keep_alive_interval(REQUEST_HEAD);
        let served = async {
            match self.certificate {
                Some(certificate) => server.map(|_| certificate.acceptor()).serve(service).await,
                None => server.serve(service).await,
            }
        };
        let stopped = async {
            stop.cancelled().await;
            handle.graceful_shutdown(Some(GRACE));
            std::future::pending().await
        };
        tokio::select! {
            served = served => served,
            () = stopped => Ok(()),
        }
    }
}

impl Certificate {
    fn acceptor(&self) -> RustlsAcceptor {
        RustlsAcceptor::new(self.config.clone())
    }

    /// Takes up a certificate that was renewed.
    pub(super) async fn reload(&self) {
        if let Err(error) = self.config.reload_from_pem_file(&self.files.certificate, &self.files.key).await {
            tracing::warn!(%error, "the certificate of the photo endpoint cannot be read again: the present one stays");
        }
    }
}
