//! Which paths exist, which methods they have, and who handles them.
//!
//! Whatever is not listed here is answered with Graph's error for an unknown segment and recorded as a violation.

use std::sync::Arc;

use axum::http::Method;

use crate::auth::Caller;
use crate::inner::Inner;
use crate::wire::{Answer, Call};
use crate::{auth, batch, delta, groups, photo_settings, photos, subscriptions, throttle, users};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Token(String),
    Identity,
    Batch,
    Users,
    UsersDelta,
    User(String),
    /// `photo` and, with a size, `photos/{size}`.
    Photo(String, Option<String>),
    PhotoValue(String, Option<String>),
    Photos(String),
    TransitiveMembers(String),
    CheckMemberGroups(String),
    Subscriptions,
    Subscription(String),
    Reauthorize(String),
    PhotoUpdateSettings,
    Unknown,
}

impl Route {
    pub(crate) fn of(call: &Call) -> Self {
        let parts: Vec<&str> = call.segments.iter().map(String::as_str).collect();
        match parts.as_slice() {
            parts if parts.contains(&"") => Self::Unknown,
            [tenant, "oauth2", "v2.0", "token"] => Self::Token((*tenant).into()),
            ["msi", "token"] => Self::Identity,
            ["v1.0", rest @ ..] => Self::of_graph(rest),
            ["beta", "admin", "people", last] if last.eq_ignore_ascii_case("photoUpdateSettings") => {
                Self::PhotoUpdateSettings
            }
            _ => Self::Unknown,
        }
    }

    fn of_graph(parts: &[&str]) -> Self {
        match *parts {
            ["$batch"] => Self::Batch,
            ["users"] => Self::Users,
            ["users", "delta"] => Self::UsersDelta,
            ["users", user] => Self::User(user.into()),
            ["users", user, "photo"] => Self::Photo(user.into(), None),
            ["users", user, "photo", "$value"] => Self::PhotoValue(user.into(), None),
            ["users", user, "photos"] => Self::Photos(user.into()),
            ["users", user, "photos", size] => Self::Photo(user.into(), Some(size.into())),
            ["users", user, "photos", size, "$value"] => Self::PhotoValue(user.into(), Some(size.into())),
            ["groups", group, "transitiveMembers"] => Self::TransitiveMembers(group.into()),
            ["users", user, "checkMemberGroups"] => Self::CheckMemberGroups(user.into()),
            ["subscriptions"] => Self::Subscriptions,
            ["subscriptions", id] => Self::Subscription(id.into()),
            ["subscriptions", id, "reauthorize"] => Self::Reauthorize(id.into()),
            _ => Self::Unknown,
        }
    }

    /// The path with its variable parts replaced, for counting.
    pub(crate) fn template(&self) -> &'static str {
        match self {
            Self::Token(_) => "/{tenant}/oauth2/v2.0/token",
            Self::Identity => "/msi/token",
            Self::Batch => "/v1.0/$batch",
            Self::Users => "/v1.0/users",
            Self::UsersDelta => "/v1.0/users/delta",
            Self::User(_) => "/v1.0/users/{id}",
            Self::Photo(_, None) => "/v1.0/users/{id}/photo",
            Self::PhotoValue(_, None) => "/v1.0/users/{id}/photo/$value",
            Self::Photos(_) => "/v1.0/users/{id}/photos",
            Self::Photo(_, Some(_)) => "/v1.0/users/{id}/photos/{size}",
            Self::PhotoValue(_, Some(_)) => "/v1.0/users/{id}/photos/{size}/$value",
            Self::TransitiveMembers(_) => "/v1.0/groups/{id}/transitiveMembers",
            Self::CheckMemberGroups(_) => "/v1.0/users/{id}/checkMemberGroups",
            Self::Subscriptions => "/v1.0/subscriptions",
            Self::Subscription(_) => "/v1.0/subscriptions/{id}",
            Self::Reauthorize(_) => "/v1.0/subscriptions/{id}/reauthorize",
            Self::PhotoUpdateSettings => "/beta/admin/people/photoUpdateSettings",
            Self::Unknown => "unknown",
        }
    }

    /// The user whose mailbox serves the call, for the calls that the Outlook service answers.
    pub(crate) fn mailbox(&self) -> Option<&str> {
        match self {
            Self::Photo(user, _) | Self::PhotoValue(user, _) | Self::Photos(user) => Some(user),
            _ => None,
        }
    }

    fn methods(&self) -> &'static [Method] {
        match self {
            Self::Token(_) | Self::Batch | Self::Reauthorize(_) | Self::CheckMemberGroups(_) => &[Method::POST],
            Self::PhotoValue(_, None) => &[Method::GET, Method::PUT, Method::PATCH, Method::DELETE],
            Self::Subscriptions => &[Method::GET, Method::POST],
            Self::Subscription(_) => &[Method::GET, Method::PATCH, Method::DELETE],
            Self::PhotoUpdateSettings => &[Method::GET, Method::PATCH],
            _ => &[Method::GET],
        }
    }

    fn query_options(&self) -> &'static [&'static str] {
        match self {
            Self::Users | Self::TransitiveMembers(_) => &["$select", "$top", "$skiptoken"],
            Self::UsersDelta => &["$select", "$deltatoken", "$skiptoken"],
            Self::User(_) => &["$select"],
            Self::Identity => &["resource", "api-version", "client_id"],
            _ => &[],
        }
    }

    /// Carries the call out. `caller` is given for the items of a batch; otherwise the bearer token decides.
    pub(crate) async fn handle(&self, inner: &Arc<Inner>, call: &Call, caller: Option<&Caller>) -> Handled {
        match self.answered(inner, call, caller).await {
            Ok(handled) => handled,
            Err(answer) => Handled { answer, items: Vec::new() },
        }
    }

    async fn answered(&self, inner: &Arc<Inner>, call: &Call, caller: Option<&Caller>) -> Result<Handled, Answer> {
        if *self == Self::Unknown {
            // A wrong version or a wrong host path is a client's mistake whether or not it holds a token.
            let segment = call.segments.last().map(String::as_str).unwrap_or_default();
            return Err(inner.refuse(call, "segment_unknown", &[("segment", segment)]));
        }
        if !self.methods().contains(&call.method) {
            return Err(inner.refuse(call, "method_not_allowed", &[("method", call.method.as_str())]));
        }
        if let Some((option, _)) = call.query.iter().find(|(name, _)| !self.query_options().contains(&name.as_str())) {
            return Err(inner.refuse(call, "query_option_unknown", &[("option", option)]));
        }
        let answer = match self {
            Self::Token(tenant) => return Ok(auth::token(inner, call, tenant).into()),
            Self::Identity => return Ok(auth::identity(inner, call).into()),
            Self::Batch if call.in_batch => return Err(inner.refuse(call, "batch_malformed", &[("nested", "true")])),
            _ => {
                let bearer = if caller.is_none() { Some(auth::bearer(inner, call)?) } else { None };
                let Some(caller) = caller.or(bearer.as_ref()) else { return Err(inner.error("token_empty", &[])) };
                let share = throttle::counted(inner, self, call, caller)?;
                let answer = match self {
                    Self::Batch => return batch::run(inner, call, caller).await,
                    Self::Users => users::list(inner, call, caller)?,
                    Self::UsersDelta => delta::page(inner, call, caller)?,
                    Self::User(key) => users::get(inner, call, caller, key)?,
                    Self::Photo(key, size) => photos::metadata(inner, call, caller, key, size.as_deref())?,
                    Self::Photos(key) => photos::all(inner, call, caller, key)?,
                    Self::PhotoValue(key, size) => match call.method {
                        Method::GET => photos::value(inner, call, caller, key, size.as_deref()).await?,
                        Method::DELETE => photos::delete(inner, call, caller, key)?,
                        _ => photos::put(inner, call, caller, key).await?,
                    },
                    Self::TransitiveMembers(id) => groups::transitive_members(inner, call, caller, id)?,
                    Self::CheckMemberGroups(key) => groups::check_member_groups(inner, call, caller, key)?,
                    Self::Subscriptions if call.method == Method::GET => subscriptions::list(inner, caller)?,
                    Self::Subscriptions => subscriptions::create(inner, call, caller).await?,
                    Self::Subscription(id) => match call.method {
                        Method::GET => subscriptions::get(inner, caller, id)?,
                        Method::DELETE => subscriptions::delete(inner, caller, id)?,
                        _ => subscriptions::update(inner, call, caller, id).await?,
                    },
                    Self::Reauthorize(id) => subscriptions::reauthorize(inner, call, caller, id).await?,
                    Self::PhotoUpdateSettings if call.method == Method::GET => photo_settings::get(inner, caller)?,
                    Self::PhotoUpdateSettings => photo_settings::update(inner, call, caller)?,
                    Self::Token(_) | Self::Identity | Self::Unknown => return Err(inner.error("server_error", &[])),
                };
                match share {
                    Some(share) => answer.with("x-ms-throttle-limit-percentage", throttle::told(share)),
                    None => answer,
                }
            }
        };
        Ok(answer.into())
    }
}

/// An answer and, for a batch, what became of its items.
#[derive(Debug)]
pub(crate) struct Handled {
    pub(crate) answer: Answer,
    pub(crate) items: Vec<crate::journal::BatchItem>,
}

impl From<Answer> for Handled {
    fn from(answer: Answer) -> Self {
        Self { answer, items: Vec::new() }
    }
}
