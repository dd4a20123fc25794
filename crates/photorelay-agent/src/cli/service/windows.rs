//! What is different about a service of Windows: it is registered, it tells the service manager its state, it is stopped by
//! a request, and it has no stdout. The work is that of `run`.

use std::ffi::OsString;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use photorelay_core::process::Process;
use photorelay_core::wording::with_causes;
use tokio_util::sync::CancellationToken;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceControl, ServiceControlAccept,
    ServiceErrorControl, ServiceExitCode, ServiceFailureActions, ServiceFailureResetPeriod, ServiceInfo,
    ServiceStartType, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult};
use windows_service::service_dispatcher;
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};

use crate::cli::services;

const TYPE: ServiceType = ServiceType::OWN_PROCESS;
const LOG_FILES: usize = 30;
const RESTART_AFTER: Duration = Duration::from_secs(5);
/// Work under way is finished first; each item takes seconds.
const STOPS_WITHIN: Duration = Duration::from_secs(60);

pub(super) fn install(name: &str, account: Option<String>, logs: &Path, env_file: &Path) -> Result<()> {
    let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    let manager = ServiceManager::local_computer(None::<&str>, access).context(ELEVATED)?;
    let arguments: [OsString; 8] = [
        "--env-file".into(),
        env_file.into(),
        "service".into(),
        "run".into(),
        "--name".into(),
        name.into(),
        "--logs".into(),
        logs.into(),
    ];
    let account = account.unwrap_or_else(|| format!("NT SERVICE\\{name}"));
    let info = ServiceInfo {
        name: name.into(),
        display_name: format!("photorelay agent ({name})").into(),
        service_type: TYPE,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: std::env::current_exe()?,
        launch_arguments: arguments.into(),
        dependencies: Vec::new(),
        account_name: Some(account.into()),
        account_password: None,
    };
    let access = ServiceAccess::CHANGE_CONFIG | ServiceAccess::START | ServiceAccess::DELETE;
    let service = manager.create_service(&info, access);
    let service = service.with_context(|| format!("the service {name} cannot be created"))?;
    let configured = configure(&service).inspect_err(|_| {
        // None is better than half of one; why it is not whole is said below.
        let _ = service.delete();
    });
    configured.with_context(|| format!("the service {name} cannot be set up, and was not created"))
}

fn configure(service: &Service) -> windows_service::Result<()> {
    service.set_description("Brings profile photos from Microsoft 365 to a directory, a folder or a feed.")?;
    let restart = ServiceAction { action_type: ServiceActionType::Restart, delay: RESTART_AFTER };
    service.update_failure_actions(ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(Duration::from_secs(24 * 3600)),
        reboot_msg: None,
        command: None,
        actions: Some(vec![restart; 3]),
    })?;
    // Also if the agent says why it ends.
    service.set_failure_actions_on_non_crash_failures(true)
}

const ELEVATED: &str = "the service manager cannot be used: run this command as administrator";

pub(super) fn uninstall(name: &str) -> Result<()> {
    let manager = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT).context(ELEVATED)?;
    let access = ServiceAccess::QUERY_STATUS | ServiceAccess::STOP | ServiceAccess::DELETE;
    let service = manager.open_service(name, access);
    let service = service.with_context(|| format!("the service {name} cannot be opened"))?;
    // It goes when it has stopped.
    service.delete()?;
    if service.query_status()?.current_state != ServiceState::Stopped {
        service.stop()?;
    }
    Ok(())
}

/// What the service manager's thread hears of.
enum ServiceEvent {
    StopRequested,
    Ended { is_success: bool },
}

struct ServiceThread {
    name: String,
    stop: CancellationToken,
    sender: Sender<ServiceEvent>,
    events: Receiver<ServiceEvent>,
}

/// The service manager calls a function that takes nothing along.
static THREAD: Mutex<Option<ServiceThread>> = Mutex::new(None);

/// The agent works here; the service manager has a thread of its own.
pub(super) async fn run(name: String, logs: &Path, env_file: &Path, process: &mut Process) -> Result<()> {
    process.log_to(log_file(logs)?);
    let (stop, (sender, events)) = (CancellationToken::new(), channel());
    let thread = ServiceThread { name: name.clone(), stop: stop.clone(), sender: sender.clone(), events };
    *THREAD.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    let stopping = stop.clone();
    let dispatcher = tokio::task::spawn_blocking(move || {
        service_dispatcher::start(name, service_main).inspect_err(|_| stopping.cancel())
    });
    let worked = match process.read_env_file(env_file) {
        Ok(()) => services::run_until(process, &stop).await,
        Err(error) => Err(error.into()),
    };
    if let Err(error) = &worked {
        // The settings may be what is wrong, and then nothing is logged yet.
        report(logs, &with_causes(error.as_ref()));
    }
    // The thread is gone if it could not begin.
    let _ = sender.send(ServiceEvent::Ended { is_success: worked.is_ok() });
    dispatcher.await?.context("only the service manager starts this: in a terminal, use `photorelay-agent run`")?;
    worked
}

fn log_file(folder: &Path) -> Result<RollingFileAppender> {
    let file = RollingFileAppender::builder().rotation(Rotation::DAILY).max_log_files(LOG_FILES);
    let file = file.filename_prefix("photorelay-agent").filename_suffix("log").build(folder);
    file.with_context(|| format!("no log file can be written in {}", folder.display()))
}

fn report(logs: &Path, error: &str) {
    if let Ok(mut file) = log_file(logs) {
        // There is no other place where it could be said.
        let _ = std::io::Write::write_all(&mut file, format!("photorelay-agent: {error}\r\n").as_bytes());
    }
}

/// Called on a thread of the service manager. The arguments are those of the start, of which there are none.
extern "system" fn service_main(_count: u32, _arguments: *mut *mut u16) {
    let thread = THREAD.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(thread) = thread else { return };
    if let Err(error) = thread.serve() {
        tracing::error!(%error, "the service manager does not hear of the agent's state");
        thread.stop.cancel();
    }
}

impl ServiceThread {
    /// Until the agent has ended.
    fn serve(&self) -> windows_service::Result<()> {
        let (stop, sender) = (self.stop.clone(), self.sender.clone());
        let status = service_control_handler::register(&self.name, move |control| match control {
            ServiceControl::Stop | ServiceControl::Shutdown => {
                stop.cancel();
                // The thread is gone if the agent has ended.
                let _ = sender.send(ServiceEvent::StopRequested);
                ServiceControlHandlerResult::NoError
            }
            ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
            _ => ServiceControlHandlerResult::NotImplemented,
        })?;
        status.set_service_status(ServiceStatus {
            controls_accepted: ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN,
            ..state(ServiceState::Running)
        })?;
        loop {
            match self.events.recv() {
                Ok(ServiceEvent::StopRequested) => status.set_service_status(ServiceStatus {
                    wait_hint: STOPS_WITHIN,
                    ..state(ServiceState::StopPending)
                })?,
                Ok(ServiceEvent::Ended { is_success: true }) => {
                    return status.set_service_status(state(ServiceState::Stopped));
                }
                Ok(ServiceEvent::Ended { is_success: false }) | Err(_) => {
                    let exit_code = ServiceExitCode::ServiceSpecific(1);
                    return status.set_service_status(ServiceStatus { exit_code, ..state(ServiceState::Stopped) });
                }
            }
        }
    }
}

fn state(current_state: ServiceState) -> ServiceStatus {
    ServiceStatus {
        service_type: TYPE,
        current_state,
        controls_accepted: ServiceControlAccept::empty(),
        exit_code: ServiceExitCode::Win32(0),
        checkpoint: 0,
        wait_hint: Duration::ZERO,
        process_id: None,
    }
}
