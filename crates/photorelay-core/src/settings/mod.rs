//! Reads settings by name and collects all problems, so that they can be reported at once.
//!
//! Nothing is inferred from absence. Secrets come from the file that `{name}_FILE` names or from `{name}` itself, and
//! must never be printed.

mod credential;
mod env_file;
mod known;
mod storage;

pub use credential::{DEFAULT_AUTHORITY_URL, NoCredential, credential};
pub use env_file::{EnvFileError, read as read_env_file};
pub use known::SETTINGS;
pub use storage::{ServiceUri, StorageSettings, storage};

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::entra;
use crate::wording::counted;

/// A year: longer than any duration that makes sense here.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// The URL as it may be shown: without user, query and fragment, where a key may stand.
pub fn without_key(url: &Url) -> String {
    let key = url.query().map_or("", |_| "?redacted");
    format!("{}{}{key}", url.origin().ascii_serialization(), url.path())
}

/// The environment variables of the process, or of a test. `Debug` prints only the names.
#[derive(Clone, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// The environment of this process.
    #[expect(clippy::disallowed_methods, reason = "the only place that reads the environment")]
    pub fn of_process() -> Self {
        Self(std::env::vars().collect())
    }

    /// The same, and the variables of a file that the process has not set itself, not even to nothing.
    pub fn over(mut self, file: HashMap<String, String>) -> Self {
        for (name, value) in file {
            self.0.entry(name).or_insert(value);
        }
        self
    }

    /// What looks like a setting and is none.
    fn unknown(&self) -> Vec<String> {
        let mut names: Vec<&str> = self.0.keys().map(String::as_str).filter(|name| self.get(name).is_some()).collect();
        names.sort_unstable();
        names.into_iter().filter_map(known::problem).collect()
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The account that runs the process, as the operating system calls it.
    pub fn account(&self) -> Option<&str> {
        ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| self.get(name))
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// All problems of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Each of them, as a sentence without its end.
    pub fn all(&self) -> &[String] {
        &self.0
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {}:", counted(self.0.len() as u64, "problem", "problems"))?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

/// Reads settings from an environment.
#[derive(Debug)]
pub struct Reader<'a> {
    environment: &'a Environment,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    pub fn new(environment: &'a Environment) -> Self {
        Self { environment, problems: Vec::new() }
    }

    /// Reports a problem, once however many settings are read for it.
    pub fn problem(&mut self, problem: &str) {
        if !self.problems.iter().any(|known| known == problem) {
            self.problems.push(problem.to_owned());
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.environment.get(name).is_some()
    }

    pub fn flag(&mut self, name: &str) -> bool {
        self.optional(name).unwrap_or(false)
    }

    /// Reads a value whose absence or error is reported elsewhere.
    pub fn peek<T: FromStr>(&self, name: &str) -> Option<T> {
        self.environment.get(name)?.parse().ok()
    }

    pub fn optional<T: FromStr<Err: fmt::Display>>(&mut self, name: &str) -> Option<T> {
        let text = self.environment.get(name)?;
        text.parse().map_err(|error| self.problem(&format!("{name}: {error}"))).ok()
    }

    pub fn required<T: FromStr<Err: fmt::Display>>(&mut self, name: &str) -> Option<T> {
        if !self.has(name) {
            self.problem(&format!("{name} is missing"));
        }
        self.optional(name)
    }

    pub fn or_default<T: FromStr<Err: fmt::Display>>(&mut self, name: &str, default: &str) -> Option<T> {
        let text = self.environment.get(name).unwrap_or(default);
        text.parse().map_err(|error| self.problem(&format!("{name}: {error}"))).ok()
    }

    /// Reads a duration of at most `LONGEST`, so that it can be added to any time of the near future.
    pub fn seconds(&mut self, name: &str, default: Duration) -> Duration {
        let seconds = self.optional(name).map_or(default, Duration::from_secs);
        if seconds > LONGEST {
            self.problem(&format!("{name} must be at most {}", LONGEST.as_secs()));
        }
        seconds
    }

    /// Reads a duration of at least one second.
    pub fn positive_seconds(&mut self, name: &str, default: Duration) -> Duration {
        let seconds = self.seconds(name, default);
        if seconds.is_zero() {
            self.problem(&format!("{name} must be at least 1"));
        }
        seconds
    }

    /// Reads an https URL as [`Self::url`] does, where nothing but a server and a path makes sense. So it carries no key.
    pub fn bare_url(&mut self, name: &str, default: &str) -> Option<Url> {
        let url = self.url(name, Some(default))?;
        if url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none() {
            return Some(url);
        }
        self.problem(&format!("{name} must carry neither a user nor a query nor a fragment"));
        None
    }

    /// Reads an https URL; plain http is accepted only for this machine. It may carry a key, so it must be shown only
    /// by [`without_key`].
    pub fn url(&mut self, name: &str, default: Option<&str>) -> Option<Url> {
        let text = self.environment.get(name).or(default)?;
        let Ok(url) = Url::parse(text) else {
            // Does not repeat the text: a service URI may carry a SAS.
            self.problem(&format!("{name} is not a URL"));
            return None;
        };
        if entra::require_private(&url).is_ok() {
            return Some(url);
        }
        self.problem(&format!("{name} must begin with https:// (plain http only to this machine)"));
        None
    }

    /// Whether there is a value of this secret, or a file.
    fn names_secret(&self, name: &str) -> bool {
        self.has(name) || self.has(&format!("{name}_FILE"))
    }

    /// Why this account cannot read the file of this secret, if there is one.
    fn unreadable_secret(&self, name: &str) -> Option<String> {
        let path = self.environment.get(&format!("{name}_FILE"))?;
        std::fs::File::open(path).err().map(|error| format!("{name}_FILE: {path} cannot be read: {error}"))
    }

    /// The same where it helps but is not needed: a file that this account may not read is none.
    pub fn secret_if_readable(&mut self, name: &str) -> Option<SecretString> {
        match self.unreadable_secret(name) {
            Some(_) => None,
            None => self.secret(name),
        }
    }

    pub fn required_secret(&mut self, name: &str) -> Option<SecretString> {
        if !self.names_secret(name) {
            self.problem(&format!("{name}_FILE or {name} is missing"));
        }
        self.secret(name)
    }

    /// Reads a secret from the file that `{name}_FILE` names, or from `{name}` itself.
    pub fn secret(&mut self, name: &str) -> Option<SecretString> {
        let file_name = format!("{name}_FILE");
        let value = match (self.environment.get(&file_name), self.environment.get(name)) {
            (Some(_), Some(_)) => {
                self.problem(&format!("{file_name} and {name} are both set: keep one"));
                return None;
            }
            (Some(path), None) => match std::fs::read_to_string(path) {
                Ok(text) => text.trim_end_matches(['\r', '\n']).to_owned(),
                Err(error) => {
                    self.problem(&format!("{file_name}: {path} cannot be read: {error}"));
                    return None;
                }
            },
            (None, Some(value)) => value.to_owned(),
            (None, None) => return None,
        };
        // The platform passes on a reference that it could not resolve.
        if value.starts_with("@Microsoft.KeyVault(") {
            self.problem(&format!(
                "{name} is a Key Vault reference that was not resolved: check keyVaultReferenceIdentity and its role"
            ));
            return None;
        }
        if value.is_empty() {
            self.problem(&format!("{name} is empty"));
            return None;
        }
        Some(SecretString::from(value))
    }

    /// Returns the configuration, or all problems. `make` must return `None` only if a problem was reported.
    pub fn finish<T>(mut self, make: impl FnOnce() -> Option<T>) -> Result<T, Problems> {
        self.problems.extend(self.environment.unknown());
        if !self.problems.is_empty() {
            return Err(Problems(self.problems));
        }
        make().ok_or_else(|| Problems(vec!["a setting is missing and was not reported: this is a bug".to_owned()]))
    }
}
