//! Microsoft Graph as photorelay needs it: photos, users, subscriptions.
//!
//! Concrete on purpose: what differs between clouds, simulators and tests is the base URL. Nothing here knows what an
//! answer is used for. It owns every failure of the wire: throttling, outages, answers that are cut, endless, wrong or
//! from another server; and it never follows a redirect, because a token must not travel on.

mod batch;
mod client;
mod config;
mod directory_names;
mod error;
mod exchange;
mod groups;
mod identity_extra;
mod log_text;
mod photo;
mod photo_batch;
mod photo_settings;
mod photo_write;
mod request;
mod request_limit;
mod response;
mod retry_after;
mod subscription;
mod throttle_gauge;
mod token;
mod token_claims;
mod transport;
mod user_lookup;
mod users;

pub use batch::MAX_BATCH;
pub use client::Graph;
pub use config::{GraphConfig, GraphUnset, SetupError, scope};
pub use directory_names::{DirectoryName, MAX_FOUND};
pub use error::{GraphError, RequestContext};
pub use groups::MAX_GROUPS;
pub use identity_extra::IdentityExtra;
pub use photo::{FetchedPhoto, MAX_PHOTO_BYTES, PhotoState, READ_PHOTO_METADATA};
pub use photo_batch::{BatchedAnswer, MAX_PHOTOS_IN_BATCH, PROMPT_STATES};
pub use photo_settings::{PhotoSource, PhotoUpdateSettings};
pub use request::Priority;
pub(crate) use request_limit::MOST_REQUESTS_AT_ONCE;
pub use subscription::{
    NewSubscription, SecretUrl, Subscription, SubscriptionCreation, SubscriptionDeletion, SubscriptionRenewal,
};
pub use token::{CachedTokens, CredentialFactory, Token, TokenError, TokenSource};
pub use token_claims::TokenClaims;
pub use user_lookup::GraphUser;
pub use users::{DeltaPage, DeltaUser};
