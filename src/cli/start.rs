//! What commands begin with: the configuration, telemetry, and as much of the app as they need.

use anyhow::Result;
use clap::Args;
use photorelay::app::{App, open_storage};
use photorelay::config::{self, AppConfig, ConfigPurpose};
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

    /// The user and the storage. An object ID needs no Graph.
    pub(super) async fn find_in_storage(&self, process: &mut Process) -> Result<(Storage, UserId)> {
        if let Ok(user) = self.user.parse() {
            return Ok((storage(process).await?, user));
        }
        let (_, app) = app(process).await?;
        let user = self.find(&app).await?;
        Ok((app.storage, user))
    }
}
