//! What every service can do for a run: be installed, be started, and say when it answers.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::checkout::Checkout;

/// What a test reads to find a service.
pub(crate) type ServiceVariables = Vec<(String, String)>;

pub(super) trait TestService {
    fn name(&self) -> &'static str;

    /// Installs this version if it is not there yet.
    fn install(&self, checkout: &Checkout) -> Result<()>;

    /// The command that keeps the service in the foreground. With `tied`, it must end when its standard input ends.
    fn command(&self, checkout: &Checkout, folder: &Path, tied: bool) -> Result<Command>;

    /// `None` as long as the service does not answer requests. `log` is what it has printed up to now.
    fn ready(&self, checkout: &Checkout, log: &str) -> Result<Option<ServiceVariables>>;
}
