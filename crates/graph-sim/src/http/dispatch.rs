//! Which handler answers which route.
//!
//! A path that does not exist is answered with Graph's error for an unknown segment and recorded as a violation.

use axum::http::Method;

use super::route::Route;
use super::sign_in::bearer;
use super::throttling::{count, reported};
use super::{
    ApiCall, ApiResponse, ApiResult, ApiState, Caller, delta, discovery, groups, managed_identity, photo_settings,
    photo_writes, photos, sign_in, subscriptions, users,
};

/// Answers any call but `$batch`. `caller` is given for items of a batch; otherwise the bearer token decides.
pub(crate) async fn respond(state: &ApiState, route: &Route, call: &ApiCall, caller: Option<&Caller>) -> ApiResponse {
    let response = async {
        check_request(state, route, call)?;
        match route {
            Route::Token(tenant) => return Ok(sign_in::token(state, call, tenant)),
            Route::OpenIdConfiguration(tenant) => return Ok(discovery::openid_configuration(state, call, tenant)),
            Route::InstanceDiscovery => return Ok(discovery::instance(state, call)),
            Route::Identity => return Ok(managed_identity::token(state, call)),
            Route::Batch => return Err(state.refuse(call, "batch_malformed", &[("nested", "true")])),
            _ => {}
        }
        let caller = match caller {
            Some(caller) => caller.clone(),
            None => bearer(state, call)?,
        };
        let share = count(state, route, call, &caller)?;
        let response = resource(state, route, call, &caller).await?;
        Ok(match share {
            Some(share) => reported(response, share),
            None => response,
        })
    };
    response.await.unwrap_or_else(|refusal| refusal)
}

/// Refuses unknown paths, methods and query options.
pub(crate) fn check_request(state: &ApiState, route: &Route, call: &ApiCall) -> ApiResult<()> {
    if *route == Route::Unknown {
        // A wrong version or a wrong host path is a client's mistake whether or not it holds a token.
        let segment = call.segments.last().map(String::as_str).unwrap_or_default();
        return Err(state.refuse(call, "segment_unknown", &[("segment", segment)]));
    }
    if let Route::OfGraphOnly(path) = route {
        return Err(not_simulated(state, call, path));
    }
    if !route.methods().contains(&call.method) {
        return Err(state.refuse(call, "method_not_allowed", &[("method", call.method.as_str())]));
    }
    match call.query.iter().find(|(name, _)| !route.query_options().contains(&name.as_str())) {
        Some((option, _)) if route.options_of_graph_only().contains(&option.as_str()) => {
            Err(not_simulated(state, call, &format!("the query option '{option}' of {}", route.template())))
        }
        Some((option, _)) => Err(state.refuse(call, "query_option_unknown", &[("option", option)])),
        None => Ok(()),
    }
}

/// The refusal of what Graph has and the simulator has not, which must not look like Graph's answer or like a bug.
fn not_simulated(state: &ApiState, call: &ApiCall, what: &str) -> ApiResponse {
    state.refuse(call, "not_simulated", &[("what", what)])
}

async fn resource(state: &ApiState, route: &Route, call: &ApiCall, caller: &Caller) -> ApiResult {
    match (route, &call.method) {
        (Route::Users, _) => users::list(state, call, caller),
        (Route::UsersDelta, _) => delta::page(state, call, caller),
        (Route::User(key), _) => users::get(state, call, caller, key),
        (Route::Photo(key, size), _) => photos::metadata(state, call, caller, key, size.as_deref()),
        (Route::Photos(key), _) => photos::all(state, call, caller, key),
        (Route::PhotoValue(key, size), &Method::GET) => photos::value(state, call, caller, key, size.as_deref()).await,
        (Route::PhotoValue(key, _), &Method::DELETE) => photo_writes::delete(state, caller, key),
        (Route::PhotoValue(key, _), _) => photo_writes::put(state, call, caller, key).await,
        (Route::TransitiveMembers(id), _) => groups::transitive_members(state, call, caller, id),
        (Route::CheckMemberGroups(key), _) => groups::check_member_groups(state, call, caller, key),
        (Route::Subscriptions, &Method::GET) => subscriptions::list(state, caller),
        (Route::Subscriptions, _) => subscriptions::create(state, call, caller).await,
        (Route::Subscription(id), &Method::GET) => subscriptions::get(state, caller, id),
        (Route::Subscription(id), &Method::DELETE) => subscriptions::delete(state, caller, id),
        (Route::Subscription(id), _) => subscriptions::update(state, call, caller, id).await,
        (Route::Reauthorize(id), _) => subscriptions::reauthorize(state, call, caller, id).await,
        (Route::PhotoUpdateSettings, &Method::GET) => photo_settings::get(state, caller),
        (Route::PhotoUpdateSettings, _) => photo_settings::update(state, call, caller),
        // Answered before a caller is looked for.
        (Route::Token(_) | Route::OpenIdConfiguration(_) | Route::InstanceDiscovery, _)
        | (Route::Identity | Route::Batch | Route::OfGraphOnly(_) | Route::Unknown, _) => {
            Err(state.error("server_error", &[]))
        }
    }
}
