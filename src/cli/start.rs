//! What commands begin with: the configuration, telemetry, and as much of the app as they need.

use anyhow::{Context as _, Result};
use clap::Args;
use photorelay::app::{App, OperatorAccess, open_storage};
use photorelay::config::{self, AppConfig, ConfigPurpose, OperatorConfig};
use photorelay::operate;
use photorelay_core::id::UserId;
use photorelay_core::process::{Audience, Process};
use photorelay_core::storage::Storage;

/// The whole app, built from the environment, on a storage that is there.
pub(super) async fn app(process: &mut Process) -> Result<(AppConfig, App)> {
    app_for(process, ConfigPurpose::Command).await
}

/// The same for a command that needs more than others.
pub(super) async fn app_for(process: &mut Process, purpose: ConfigPurpose) -> Result<(AppConfig, App)> {
    let config = AppConfig::read(process.environment(), purpose)?;
    process.start_telemetry(&config.logs, Audience::Operator)?;
    let app = App::open(&config).await?;
    Ok((config, app))
}

/// The same for the first command of a deployment, which may create the storage.
pub(super) async fn first_app(process: &mut Process) -> Result<App> {
    // It also handles what the subscription's lifecycle asks for.
    let config = AppConfig::read(process.environment(), ConfigPurpose::Notifications)?;
    process.start_telemetry(&config.logs, Audience::Operator)?;
    App::build(&config).await
}

/// The same for a service, which answers before its storage can be reached.
pub(super) fn service(process: &mut Process) -> Result<(AppConfig, App)> {
    let config = AppConfig::read(process.environment(), ConfigPurpose::Notifications)?;
    process.start_telemetry(&config.logs, Audience::Collector)?;
    let app = App::start(&config)?;
    Ok((config, app))
}

/// The storage, and Graph where it is configured.
pub(super) async fn access(process: &mut Process) -> Result<OperatorAccess> {
    let config = OperatorConfig::read(process.environment())?;
    process.start_telemetry(&config.logs, Audience::Operator)?;
    OperatorAccess::open(&config).await
}

/// Storage alone, for commands that work even if Graph cannot be reached.
pub(super) async fn storage(process: &Process) -> Result<Storage> {
    let (storage, authority_url) = config::read_storage(process.environment())?;
    open_storage(&storage, &authority_url).await
}

/// The user that a command is about.
#[derive(Args)]
pub(super) struct UserArg {
    /// Object ID or user principal name.
    user: String,
}

impl UserArg {
    pub(super) async fn find(&self, app: &App) -> Result<UserId> {
        operate::check::find(&app.graph, &self.user).await
    }

    /// The same where Graph may not be configured, which an object ID does not need.
    pub(super) async fn find_with(&self, access: &OperatorAccess) -> Result<UserId> {
        if let Ok(user) = self.user.parse() {
            return Ok(user);
        }
        let graph = access.graph.as_ref().map_err(Clone::clone);
        let graph = graph.context("a user principal name is looked up in Microsoft Graph, an object ID is not")?;
        operate::check::find(graph, &self.user).await
    }

    /// The user and the storage.
    pub(super) async fn find_in_storage(&self, process: &mut Process) -> Result<(Storage, UserId)> {
        if let Ok(user) = self.user.parse() {
            return Ok((storage(process).await?, user));
        }
        let access = access(process).await?;
        let user = self.find_with(&access).await?;
        Ok((access.storage, user))
    }
}
