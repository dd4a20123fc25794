//! What goes wrong on purpose or by Graph's limits: fault rules, held calls, mangled bodies, throttling.
//!
//! Decides only that a call is to fail, wait or be refused. How a refusal reads is the business of `http`.

mod hold;
mod mailbox;
mod mangle;
mod pattern;
mod rates;
mod rule;
mod throttle;

pub use hold::{HoldPoint, RequestHold};
pub use pattern::{PatternScope, RequestPattern};
pub use rule::{Fault, FaultRule, RetryAfter};

pub(crate) use hold::Holds;
pub(crate) use mailbox::{MailboxPermit, Mailboxes};
pub(crate) use mangle::BodyFault;
pub(crate) use pattern::CallLine;
pub(crate) use rates::{SubscriptionOperation, SubscriptionRates};
pub(crate) use rule::FaultRules;
pub(crate) use throttle::{UnitCost, UsageWindows, units_by_tenant_size};
