//! What the handlers share.
//!
//! Each part has a lock of its own; no lock is held across an await, and none while another is taken.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::SimConfig;
use crate::delivery::Notifier;
use crate::faults::{FaultRules, Holds, Mailboxes, SubscriptionRates, UsageWindows};
use crate::locked::locked;
use crate::model::TenantModel;
use crate::settings::{SharedSettings, SimSettings};
use crate::tenant::Tenant;

use super::call::ApiCall;
use super::catalog::ErrorCatalog;
use super::request_log::{RequestLog, Violation};
use super::response::{ApiResponse, ApiResult};
use super::tokens::{Caller, TokenStore};

#[derive(Debug)]
pub(crate) struct ApiState {
    pub(crate) config: SimConfig,
    pub(crate) url: String,
    pub(crate) catalog: ErrorCatalog,
    pub(crate) model: Arc<TenantModel>,
    pub(crate) notifier: Arc<Notifier>,
    pub(crate) settings: SharedSettings,
    pub(crate) tokens: Mutex<TokenStore>,
    pub(crate) requests: Mutex<RequestLog>,
    pub(crate) violations: Mutex<Vec<Violation>>,
    pub(crate) faults: Mutex<FaultRules>,
    pub(crate) holds: Mutex<Holds>,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) rates: Mutex<SubscriptionRates>,
    pub(crate) usage: Mutex<UsageWindows>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl ApiState {
    pub(crate) fn new(config: SimConfig, url: String, notifier: Arc<Notifier>) -> anyhow::Result<Self> {
        Ok(Self {
            config,
            url,
            catalog: ErrorCatalog::load()?,
            model: notifier.tenant.clone(),
            settings: notifier.settings.clone(),
            notifier,
            tokens: Mutex::default(),
            requests: Mutex::default(),
            violations: Mutex::default(),
            faults: Mutex::default(),
            holds: Mutex::default(),
            mailboxes: Mailboxes::default(),
            rates: Mutex::default(),
            usage: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    pub(crate) fn tenant(&self) -> Tenant {
        Tenant::new(self.notifier.clone())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.model.clock.now()
    }

    pub(crate) fn settings(&self) -> SimSettings {
        self.settings.get()
    }

    /// An error that a correct client can meet.
    pub(crate) fn error(&self, name: &str, fill: &[(&str, &str)]) -> ApiResponse {
        self.catalog.graph_error(name, fill)
    }

    /// An error that a correct client never meets: answered and recorded.
    pub(crate) fn refuse(&self, call: &ApiCall, name: &str, fill: &[(&str, &str)]) -> ApiResponse {
        let details: Vec<String> = fill.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.record_violation(call, format!("{name} {}", details.join(" ")).trim_end().to_owned());
        self.catalog.graph_error(name, fill)
    }

    pub(crate) fn record_violation(&self, call: &ApiCall, what: String) {
        let prefix = if call.in_batch { "batch item " } else { "" };
        let call = format!("{prefix}{} {}", call.method, call.path);
        locked(&self.violations).push(Violation { at: Timestamp::now(), call, what });
    }

    /// Graph's refusal unless the caller holds one of the roles.
    pub(crate) fn require(&self, caller: &Caller, any_of: &[&str]) -> ApiResult<()> {
        let is_held = caller.roles.iter().any(|role| any_of.contains(&role.as_str()));
        if is_held { Ok(()) } else { Err(self.error("denied", &[])) }
    }

    pub(crate) fn require_media_type(&self, call: &ApiCall, wanted: &str) -> ApiResult<()> {
        let media_type = call.media_type();
        if media_type == wanted { Ok(()) } else { Err(self.refuse(call, "media_type", &[("type", &media_type)])) }
    }

    /// The index of a person, by object id or user principal name.
    pub(crate) fn find_user(&self, key: &str) -> ApiResult<usize> {
        locked(&self.model.directory).find(key).ok_or_else(|| self.error("user_unknown", &[("key", key)]))
    }
}
