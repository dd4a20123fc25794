//! Which paths exist, and which methods and query options they have.

use axum::http::Method;

use super::call::{ApiCall, keys_as_segments};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Token(String),
    OpenIdConfiguration(String),
    InstanceDiscovery,
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
    /// A path that Graph has and the simulator has not.
    OfGraphOnly(&'static str),
    Unknown,
}

impl Route {
    pub(crate) fn of(call: &ApiCall) -> Self {
        let parts: Vec<&str> = call.segments.iter().map(String::as_str).collect();
        match parts.as_slice() {
            parts if parts.contains(&"") => Self::Unknown,
            [tenant, "oauth2", "v2.0", "token"] => Self::Token((*tenant).into()),
            [tenant, "v2.0", ".well-known", "openid-configuration"] => Self::OpenIdConfiguration((*tenant).into()),
            ["common", "discovery", "instance"] => Self::InstanceDiscovery,
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
            // Before keys are looked for, because `users('delta')` is a user.
            ["users", "delta" | "delta()" | "microsoft.graph.delta" | "microsoft.graph.delta()"] => {
                return Self::UsersDelta;
            }
            ["users", "$count"] => return Self::OfGraphOnly("/v1.0/users/$count"),
            ["groups", _, "transitiveMembers", "$count"] => {
                return Self::OfGraphOnly("/v1.0/groups/{id}/transitiveMembers/$count");
            }
            _ => {}
        }
        let parts = keys_as_segments(parts);
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match *parts {
            // Neither a principal name nor an id is empty or has parentheses: an unknown function.
            _ if parts.iter().any(|part| part.is_empty() || part.contains('(')) => Self::Unknown,
            ["$batch"] => Self::Batch,
            ["users"] => Self::Users,
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
            Self::OpenIdConfiguration(_) => "/{tenant}/v2.0/.well-known/openid-configuration",
            Self::InstanceDiscovery => "/common/discovery/instance",
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
            Self::OfGraphOnly(template) => template,
            Self::Unknown => "unknown",
        }
    }

    /// Whether the sign-in service answers, and not Graph.
    pub(crate) fn is_sign_in(&self) -> bool {
        matches!(self, Self::Token(_) | Self::OpenIdConfiguration(_) | Self::InstanceDiscovery | Self::Identity)
    }

    /// The user whose mailbox serves the call, for the calls that the Outlook service answers.
    pub(crate) fn mailbox(&self) -> Option<&str> {
        match self {
            Self::Photo(user, _) | Self::PhotoValue(user, _) | Self::Photos(user) => Some(user),
            _ => None,
        }
    }

    pub(crate) fn methods(&self) -> &'static [Method] {
        match self {
            Self::Token(_) | Self::Batch | Self::Reauthorize(_) | Self::CheckMemberGroups(_) => &[Method::POST],
            Self::PhotoValue(_, None) => &[Method::GET, Method::PUT, Method::PATCH, Method::DELETE],
            Self::Subscriptions => &[Method::GET, Method::POST],
            Self::Subscription(_) => &[Method::GET, Method::PATCH, Method::DELETE],
            Self::PhotoUpdateSettings => &[Method::GET, Method::PATCH],
            _ => &[Method::GET],
        }
    }

    pub(crate) fn query_options(&self) -> &'static [&'static str] {
        match self {
            Self::Users => &["$select", "$filter", "$top", "$skiptoken"],
            Self::TransitiveMembers(_) => &["$select", "$top", "$skiptoken"],
            Self::UsersDelta => &["$select", "$deltatoken", "$skiptoken"],
            Self::User(_) => &["$select"],
            Self::InstanceDiscovery => &["api-version", "authorization_endpoint"],
            Self::Identity => &["resource", "api-version", "client_id"],
            _ => &[],
        }
    }

    /// Query options that Graph documents for the path and the simulator does not have.
    pub(crate) fn options_of_graph_only(&self) -> &'static [&'static str] {
        match self {
            Self::Users => &["$count", "$expand", "$orderby", "$search"],
            Self::UsersDelta => &["$filter"],
            Self::TransitiveMembers(_) => &["$count", "$filter", "$orderby", "$search"],
            _ => &[],
        }
    }
}
