//! How both programs start and end: one crypto provider, telemetry for those who read it, signals, exit codes, and an
//! error that is printed once with its whole chain.
//!
//! Nothing here knows what a command does. A signal only asks to stop: work under way is finished first, and the caller
//! has to wait for it.

use std::error::Error;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::answer;
use crate::operator::{OperatorName, OperatorReason, OperatorSignature};
use crate::settings::{self, EnvFileError, Environment, Problems};
use crate::telemetry::{self, Exporting, LogFilter, LogSettings, Otlp, OtlpError};
use crate::wording::with_causes;

/// How a command ended that did what it was asked for. One that could not is an error, and ends the process with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandOutcome {
    Success,
    /// The command found something that an operator has to act on. Scripts and monitoring see exit code 2.
    ActionRequired,
}

impl CommandOutcome {
    pub fn healthy_if(is_healthy: bool) -> Self {
        if is_healthy { Self::Success } else { Self::ActionRequired }
    }
}

impl From<CommandOutcome> for ExitCode {
    fn from(outcome: CommandOutcome) -> Self {
        match outcome {
            CommandOutcome::Success => Self::SUCCESS,
            CommandOutcome::ActionRequired => Self::from(2),
        }
    }
}

/// Who reads what the program prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// A log collector: everything goes to stdout, from `info` on.
    Collector,
    /// An operator at a terminal: the answer goes to stdout, and only warnings go to stderr.
    Operator,
}

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error(transparent)]
    Settings(#[from] Problems),
    #[error(transparent)]
    Exporter(#[from] OtlpError),
}

/// A decision without a name is none.
#[derive(Debug, thiserror::Error)]
#[error("the account that runs this command has no name (USER, LOGNAME, USERNAME): say who decides with --by NAME")]
pub struct UnknownOperator;

/// The process, from its start to its exit code.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    version: &'static str,
    environment: Environment,
    exporting: Exporting,
    /// Where a service logs that has no stdout.
    log: Option<BoxMakeWriter>,
}

impl Process {
    /// Before anything speaks TLS.
    pub fn start(name: &'static str, version: &'static str) -> Self {
        install_crypto_provider();
        Self { name, version, environment: Environment::of_process(), exporting: Exporting::default(), log: None }
    }

    /// Reads settings from this file too, for those that the environment does not have.
    pub fn read_env_file(&mut self, path: &Path) -> Result<(), EnvFileError> {
        let variables = settings::read_env_file(path)?;
        self.environment = std::mem::take(&mut self.environment).over(variables);
        Ok(())
    }

    /// The same for the file of an installed service, which may not be there, and may not be for this account.
    pub fn read_env_file_if_readable(&mut self, path: &Path) -> Result<(), EnvFileError> {
        match self.read_env_file(path) {
            Err(EnvFileError::Unreadable { source, .. }) if is_out_of_reach(&source) => Ok(()),
            read => read,
        }
    }

    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Has a service log here instead of to stdout.
    pub fn log_to<W>(&mut self, writer: W)
    where
        W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
    {
        self.log = Some(BoxMakeWriter::new(writer));
    }

    /// Who stands below what a command decides: who is named, or else the account that runs the command.
    pub fn signature(
        &self,
        by: Option<OperatorName>,
        reason: Option<OperatorReason>,
    ) -> Result<OperatorSignature, UnknownOperator> {
        let account = || self.environment.account().and_then(|account| account.parse().ok());
        let by = by.or_else(account).ok_or(UnknownOperator)?;
        Ok(OperatorSignature { by, reason })
    }

    /// Starts logging, and the export of telemetry if an endpoint is configured.
    pub fn start_telemetry(&mut self, logs: &LogSettings, audience: Audience) -> Result<(), TelemetryError> {
        let otlp = Otlp::read(&self.environment, self.name, self.version)?;
        let filter = logs.filter.clone();
        self.exporting = match audience {
            Audience::Collector => {
                let log = self.log.take().unwrap_or_else(|| BoxMakeWriter::new(io::stdout));
                telemetry::init(logs.format, &filter.unwrap_or_default(), otlp, log)?
            }
            Audience::Operator => {
                telemetry::init(logs.format, &filter.unwrap_or_else(LogFilter::warnings), otlp, io::stderr)?
            }
        };
        Ok(())
    }

    /// Sends the telemetry that is left, and prints the error with its causes.
    pub async fn end<E: AsRef<dyn Error>>(self, result: Result<CommandOutcome, E>) -> ExitCode {
        self.exporting.finish().await;
        match result {
            Ok(outcome) => outcome.into(),
            Err(error) if answer::is_unread(error.as_ref()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{}: {}", self.name, with_causes(error.as_ref()));
                ExitCode::FAILURE
            }
        }
    }
}

fn is_out_of_reach(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory)
}

/// Makes one crypto provider serve everything that speaks TLS. A second call changes nothing.
pub fn install_crypto_provider() {
    // An error means that it is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// A token that Ctrl-C or SIGTERM cancels. From then on the signals no longer end the process by themselves.
pub fn stop_on_signal() -> io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (signal, cancelled) = (stop_signal()?, stop.clone());
    #[expect(clippy::disallowed_methods, reason = "waits for a signal for as long as the process lives")]
    tokio::spawn(async move {
        signal.await;
        tracing::info!("stopping: work under way is finished first");
        cancelled.cancel();
    });
    Ok(stop)
}

#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    })
}
