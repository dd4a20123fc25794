//! Bound connections to one domain controller, kept until they are lost.
//!
//! The server that answered stays pinned, and all connections lead to it, so that what was written is read back; the next
//! of the list is asked only when it cannot be reached. Where there are several connections for changes, one more is for
//! searches alone, which would otherwise wait behind changes; beside a single one it gained nothing on a domain of Samba. A
//! password that was refused is not tried again until its file holds another or a long time has passed: repeating it would
//! lock the account.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ldap3::{LdapConnAsync, LdapConnSettings, LdapError, Scope};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::attributes::EXTERNAL_ID;
use super::search::{self, SearchError};
use super::session::{Session, Unusable, describe};
use super::settings::{LdapSettings, Server};
use super::sign_in::Secret;
use crate::certificate;
use crate::connectors::ConnectorError;

/// For TCP and TLS together.
const CONNECT: Duration = Duration::from_secs(10);
/// Between two rounds over all servers; the agent as a whole waits longer and longer besides.
const COOLDOWN: Duration = Duration::from_secs(1);
/// The longest counting window that is usual for lock-outs is 30 minutes.
const COOLDOWN_AFTER_REFUSED_PASSWORD: Duration = Duration::from_secs(31 * 60);

/// Firewalls forget connections that are idle longer, without a word to either end; the usual limits are some minutes.
const TRUSTED_IDLE: Duration = Duration::from_secs(120);

/// In words for the operator.
pub(super) const NO_CHANNEL_BINDING: &str =
    "its certificate is signed with RSASSA-PSS, so the sign-in carries no channel binding";

/// In searchFlags of an attribute ([MS-ADTS] 2.2.10, fATTINDEX).
const INDEXED: u32 = 1;

/// What Active Directory's schema allows in thumbnailPhoto, whatever a changed schema says.
const THUMBNAIL_LIMIT: u64 = 102_400;
/// For attributes without a limit: a change holds the old value and the new one, and a domain controller takes requests
/// of 10 MiB (LDAP policy MaxReceiveBuffer).
const OTHER_LIMIT: u64 = 4 * 1024 * 1024;

/// Kept for all items that are worked on side by side.
#[derive(Debug)]
pub(super) struct Connections {
    settings: LdapSettings,
    state: tokio::sync::Mutex<ConnectionState>,
    /// The name of the server used last.
    server: Mutex<String>,
    limit: AtomicU64,
}

#[derive(Debug)]
struct ConnectionState {
    /// All of them with the pinned server; the first is the one for searches, and for changes too if it is the only one.
    sessions: Vec<Option<Session>>,
    /// Which of the others is used next.
    turn: usize,
    /// When one of the others was used last.
    changed_at: Option<Instant>,
    /// Which server of the list is used.
    pinned: usize,
    cooldown: Option<Cooldown>,
    opened: u64,
}

/// No attempt before this moment, and why.
#[derive(Debug)]
struct Cooldown {
    until: Instant,
    reason: String,
    /// Another password than this may be tried at once.
    refused: Option<Secret>,
}

impl Connections {
    pub(super) fn new(settings: &LdapSettings) -> Self {
        let server = settings.servers.first().map(|server| host(server).to_owned()).unwrap_or_default();
        let limit = AtomicU64::new(most(&settings.attribute));
        let sessions = vec![None; if settings.connections > 1 { 1 + settings.connections } else { 1 }];
        let state = ConnectionState { sessions, turn: 0, changed_at: None, pinned: 0, cooldown: None, opened: 0 };
        Self { settings: settings.clone(), state: state.into(), server: Mutex::new(server), limit }
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    pub(super) fn server(&self) -> String {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The connection for searches, made if there is none. An `Err` is always [`ConnectorError::Down`].
    pub(super) async fn to_search(&self) -> Result<Session, ConnectorError> {
        // Other callers wait meanwhile, and do not bind once more.
        let mut state = self.state.lock().await;
        self.session(&mut state, 0).await
    }

    /// The connections for changes by turns; otherwise the same.
    pub(super) async fn to_change(&self) -> Result<Session, ConnectorError> {
        let mut state = self.state.lock().await;
        // It may have died unseen while only searches were made, and would cost a time-out.
        if state.changed_at.replace(Instant::now()).is_some_and(|at| at.elapsed() > TRUSTED_IDLE) {
            state.sessions[1..].fill(None);
        }
        let at = match state.sessions.len() - 1 {
            0 => 0,
            for_changes => {
                state.turn = (state.turn + 1) % for_changes;
                1 + state.turn
            }
        };
        self.session(&mut state, at).await
    }

    async fn session(&self, state: &mut ConnectionState, at: usize) -> Result<Session, ConnectorError> {
        if let Some(session) = &mut state.sessions[at]
            && !session.ldap.is_closed()
        {
            return Ok(session.clone());
        }
        state.sessions[at] = None;
        let secret = Secret::of(&self.settings.sign_in).map_err(ConnectorError::Down)?;
        if let Some(cooldown) = &state.cooldown {
            let other = cooldown.refused.as_ref().is_some_and(|old| !old.is_same(&secret));
            if Instant::now() < cooldown.until && !other {
                return Err(ConnectorError::Down(cooldown.reason.clone()));
            }
        }
        match self.connect(state, &secret).await {
            Ok(session) => {
                state.cooldown = None;
                state.sessions[at] = Some(session.clone());
                Ok(session)
            }
            Err((reason, refused)) => {
                let pause = if refused { COOLDOWN_AFTER_REFUSED_PASSWORD } else { COOLDOWN };
                let refused = refused.then_some(secret);
                state.cooldown = Some(Cooldown { until: Instant::now() + pause, reason: reason.clone(), refused });
                Err(ConnectorError::Down(reason))
            }
        }
    }

    /// Drops the connection on which this happened, unless it was replaced already.
    /// The others were as idle; work on them goes on with what it holds.
    pub(super) async fn lost(&self, session: &Session, error: &LdapError) -> ConnectorError {
        let mut state = self.state.lock().await;
        let is_current = |current: &Session| current.number == session.number;
        if state.sessions.iter().flatten().any(is_current) {
            state.sessions.fill(None);
        }
        drop(state);
        ConnectorError::Down(format!("the connection to {} was lost: {}", session.server, describe(error)))
    }

    pub(super) async fn forget(&self, session: &Session) {
        let mut state = self.state.lock().await;
        let of_number =
            |current: &&mut Option<Session>| current.as_ref().is_some_and(|current| current.number == session.number);
        state.sessions.iter_mut().filter(of_number).for_each(|current| *current = None);
    }

    /// The pinned server first, then the others in order. An `Err` says whether the password was refused.
    async fn connect(&self, state: &mut ConnectionState, secret: &Secret) -> Result<Session, (String, bool)> {
        let servers = &self.settings.servers;
        let mut reasons = Vec::new();
        for at in 0..servers.len() {
            let at = (state.pinned + at) % servers.len();
            state.opened += 1;
            match self.open(&servers[at], state.opened, secret).await {
                Ok(session) => {
                    // What one server was told, another one need not know yet, and one name may lead to several: then the
                    // connection that lives serves all, or none of them would ever read what another wrote.
                    let lives_elsewhere = |known: &mut Session| {
                        (known.server != session.server && !known.ldap.is_closed()).then(|| known.clone())
                    };
                    if state.pinned == at
                        && let Some(known) = state.sessions.iter_mut().flatten().find_map(lives_elsewhere)
                    {
                        known.server.clone_into(&mut self.server.lock().unwrap_or_else(PoisonError::into_inner));
                        return Ok(known);
                    }
                    if state.pinned != at {
                        state.sessions.fill(None);
                    }
                    state.pinned = at;
                    return Ok(session);
                }
                Err(Unusable::This(reason)) => reasons.push(format!("{}: {reason}", servers[at])),
                Err(Unusable::All(reason)) => return Err((format!("{}: {reason}", servers[at]), false)),
                Err(Unusable::Password(reason)) => {
                    let reason = format!(
                        "{}: {reason}; the password is not tried again before its file holds another or {} minutes are over",
                        servers[at],
                        COOLDOWN_AFTER_REFUSED_PASSWORD.as_secs() / 60
                    );
                    return Err((reason, true));
                }
            }
        }
        Err((format!("no domain controller can be used: {}", reasons.join("; ")), false))
    }

    async fn open(&self, server: &Server, number: u64, secret: &Secret) -> Result<Session, Unusable> {
        let transient = |error: LdapError| Unusable::This(describe(&error));
        let mut settings = LdapConnSettings::new().set_conn_timeout(CONNECT).set_starttls(server.starttls);
        if let Some(file) = &self.settings.ca_file {
            settings = settings.set_config(trusting(file).map_err(Unusable::All)?);
        }
        let (connection, mut ldap) =
            LdapConnAsync::from_url_with_settings(settings, &server.url).await.map_err(transient)?;
        let timeout = self.settings.timeout;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // An error reaches every request that waits on the connection.
            let _ = connection.drive().await;
        });
        let lacks_channel_binding = match secret {
            Secret::Tickets => {
                let certificate = ldap.get_peer_certificate().await.map_err(transient)?;
                certificate.is_some_and(|der| certificate::is_signed_with_pss(&der))
            }
            Secret::Password { .. } => false,
        };
        secret.sign_in(&mut ldap, host(server), timeout).await.map_err(|error| match error {
            Unusable::This(reason) if lacks_channel_binding => {
                Unusable::This(format!("{reason}; {NO_CHANNEL_BINDING}"))
            }
            Unusable::All(reason) if lacks_channel_binding => Unusable::All(format!("{reason}; {NO_CHANNEL_BINDING}")),
            error => error,
        })?;
        let (server, driver) = (host(server).to_owned(), Arc::new(driver));
        let mut session =
            Session { ldap, number, server, anchor_is_indexed: false, lacks_channel_binding, timeout, _driver: driver };
        self.learn(&mut session).await?;
        Ok(session)
    }

    /// What the server is called and how much the attribute takes.
    async fn learn(&self, session: &mut Session) -> Result<(), Unusable> {
        let root = one(session, "", Scope::Base, "(objectClass=*)", &["dnsHostName", "schemaNamingContext"]).await?;
        let root = root.ok_or_else(|| Unusable::This("it does not describe itself (no root DSE)".to_owned()))?;
        let schema = root.text("schemaNamingContext").unwrap_or_default().to_owned();
        if let Some(name) = root.text("dnsHostName") {
            session.server = name.to_owned();
        }
        let attribute = &self.settings.attribute;
        let limits = described(session, &schema, attribute, "rangeUpper").await?;
        let limits = limits.ok_or_else(|| {
            Unusable::All(format!("the schema has no attribute {attribute}: check PHOTORELAY_LDAP_ATTRIBUTE"))
        })?;
        let is_required = self.settings.require_external_id;
        if is_required && described(session, &schema, EXTERNAL_ID, "searchFlags").await?.is_none() {
            return Err(Unusable::All(format!(
                "the schema has no {EXTERNAL_ID}, which PHOTORELAY_LDAP_REQUIRE_EXTERNAL_ID requires: it comes with the \
                 schema of Windows Server 2016"
            )));
        }
        let anchor = described(session, &schema, self.settings.anchor(), "searchFlags").await?;
        let flags: Option<u32> = anchor.and_then(|anchor| anchor.text("searchFlags")?.parse().ok());
        session.anchor_is_indexed = flags.unwrap_or_default() & INDEXED != 0;
        let range: Option<u64> = limits.text("rangeUpper").and_then(|range| range.parse().ok());
        let limit = range.unwrap_or(u64::MAX).min(most(attribute));
        self.limit.store(limit, Ordering::Relaxed);
        session.server.clone_into(&mut self.server.lock().unwrap_or_else(PoisonError::into_inner));
        tracing::info!(server = session.server, attribute, limit, "connected to the directory");
        Ok(())
    }
}

/// What the schema says about an attribute; none if it has none of this name.
async fn described(
    session: &Session,
    schema: &str,
    attribute: &str,
    wanted: &str,
) -> Result<Option<search::DirectoryEntry>, Unusable> {
    let filter = format!("(&(objectClass=attributeSchema)(lDAPDisplayName={attribute}))");
    one(session, schema, Scope::OneLevel, &filter, &["lDAPDisplayName", wanted]).await
}

async fn one(
    session: &Session,
    base: &str,
    scope: Scope,
    filter: &str,
    attributes: &[&str],
) -> Result<Option<search::DirectoryEntry>, Unusable> {
    let attributes: Vec<String> = attributes.iter().map(|&name| name.to_owned()).collect();
    match search::run(session, base, scope, filter, &attributes).await {
        Ok(entries) => Ok(entries.into_iter().next()),
        Err(SearchError::Lost(error)) => Err(Unusable::This(describe(&error))),
        Err(SearchError::Answered(error)) => Err(Unusable::This(error.to_string())),
    }
}

fn most(attribute: &str) -> u64 {
    if attribute.eq_ignore_ascii_case("thumbnailPhoto") { THUMBNAIL_LIMIT } else { OTHER_LIMIT }
}

fn host(server: &Server) -> &str {
    server.url.host_str().unwrap_or_default()
}

/// TLS that trusts these authorities and no others.
fn trusting(file: &Path) -> Result<Arc<ClientConfig>, String> {
    let wrong = |error: &dyn fmt::Display| format!("PHOTORELAY_LDAP_CA_FILE {}: {error}", file.display());
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))? {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        authorities.add(certificate).map_err(|error| wrong(&error))?;
    }
    if authorities.is_empty() {
        return Err(wrong(&"it holds no certificate"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| wrong(&error))?;
    Ok(Arc::new(builder.with_root_certificates(authorities).with_no_client_auth()))
}
