//! What Graph says: the subscription, the tenant's photo settings, and one user end to end.

use jiff::{SignedDuration, Timestamp};
use photorelay_core::audit;
use photorelay_core::diagnosis::CheckResult;
use photorelay_core::id::UserId;
use photorelay_core::storage::Storage;
use photorelay_core::wording::{counted, with_causes};

use crate::graph::{FetchedPhoto, Graph, GraphError, PhotoSource, PhotoState, Priority};
use crate::jobs::scope::Scope;
use crate::jobs::subscribe::{MatchedSubscription, Subscribe, SubscriptionMatch};

const SUBSCRIPTION: &str = "subscription";
const SETTINGS: &str = "photoUpdateSettings";
/// Renewed every day, so less than this means that renewals have failed for weeks.
const SHORT: SignedDuration = SignedDuration::from_hours(7 * 24);

pub(super) async fn subscription(subscribe: &Subscribe, now: Timestamp, results: &mut Vec<CheckResult>) {
    let found = match subscribe.inspect().await {
        Ok(found) => found,
        Err(error) => return results.push(of_graph(SUBSCRIPTION, &error)),
    };
    let run = "run `photorelay subscribe`";
    let live = |found: &&MatchedSubscription| found.subscription.expires_at > now;
    results.push(match found.iter().filter(live).find(|found| found.matched.is_as_wanted()) {
        Some(current) if current.subscription.expires_at.duration_since(now) < SHORT => {
            CheckResult::warning(SUBSCRIPTION, format!("{current}: it has not been renewed for weeks"), run)
        }
        Some(current) => CheckResult::ok(SUBSCRIPTION, current.to_string()),
        None => match found.iter().filter(live).find(|found| found.matched.is_ours()) {
            Some(old) => CheckResult::warning(SUBSCRIPTION, old.to_string(), run),
            None => CheckResult::error(SUBSCRIPTION, "none of this deployment: Graph does not notify", run),
        },
    });
    for other in found.iter().filter(|found| found.matched == SubscriptionMatch::Elsewhere) {
        let fix = format!("if it is unused: `photorelay unsubscribe --id {}`", other.subscription.id);
        results.push(CheckResult::warning(SUBSCRIPTION, other.to_string(), fix));
    }
}

pub(super) async fn photo_settings(graph: &Graph, results: &mut Vec<CheckResult>) {
    let cloud = "set `source` to `cloud` in photoUpdateSettings, so that the small copy in Active Directory never \
                 replaces a photo";
    results.push(match graph.photo_update_settings().await {
        Ok(settings) => match settings.source {
            PhotoSource::Cloud => CheckResult::ok(SETTINGS, "`cloud`: photos are changed in the cloud and stay there"),
            PhotoSource::OnPremises => CheckResult::error(
                SETTINGS,
                "`onPremises`: users cannot change a photo in the cloud, and what is written to Active Directory comes \
                 back as the photo",
                cloud,
            ),
            PhotoSource::Unset => CheckResult::warning(SETTINGS, "not set: a synchronised copy may come back", cloud),
            PhotoSource::Other(other) => {
                CheckResult::warning(SETTINGS, format!("`{other}`, which is not known"), cloud)
            }
        },
        Err(GraphError::Denied { .. }) => CheckResult::warning(
            SETTINGS,
            "not allowed to read them",
            "grant PeopleSettings.Read.All, or check yourself that `source` is `cloud`",
        ),
        Err(error) => of_graph(SETTINGS, &error),
    });
}

pub(super) async fn person(
    graph: &Graph,
    storage: Option<&Storage>,
    scope: &Scope,
    user: &str,
    results: &mut Vec<CheckResult>,
) {
    let check = "user";
    let user = match crate::operate::check::find(graph, user).await {
        Ok(user) => user,
        Err(error) => {
            let fix = "give an object id or a user principal name of this tenant";
            return results.push(CheckResult::error(check, with_causes(error.as_ref()), fix));
        }
    };
    match graph.users(&[user], Priority::Normal).await.map(|mut people| people.pop()) {
        Ok(Some((_, Ok(Some(person))))) => results.push(match scope.exclusion(&person) {
            None => CheckResult::ok(check, format!("{user} is in scope")),
            Some(why) => CheckResult::warning(check, format!("{user} is left out: {why}"), "name a synchronised user"),
        }),
        Ok(Some((_, Err(error)))) | Err(error) => results.push(of_graph(check, &error)),
        Ok(_) => results.push(CheckResult::error(check, format!("{user} does not exist"), "name another user")),
    }
    results.push(photo(graph, user).await);
    if let Some(storage) = storage {
        results.push(trail(storage, user).await);
    }
}

async fn photo(graph: &Graph, user: UserId) -> CheckResult {
    let check = "user photo";
    match graph.photo_state(user).await {
        Ok(PhotoState::Present { .. }) => match graph.photo(user).await {
            Ok(FetchedPhoto::Photo { bytes, .. }) => CheckResult::ok(check, format!("{} bytes fetched", bytes.len())),
            Ok(_) => {
                CheckResult::warning(check, "Graph lists a photo but does not return it", "try again in some minutes")
            }
            Err(error) => of_graph(check, &error),
        },
        Ok(_) => CheckResult::warning(check, "there is none", "name a user with a photo to check the whole way"),
        Err(error) => of_graph(check, &error),
    }
}

async fn trail(storage: &Storage, user: UserId) -> CheckResult {
    let check = "user trail";
    let walk = format!("run `photorelay check {user}`, which goes the whole way and explains every step");
    match audit::sequence_numbers(&*storage.blobs, user).await {
        Ok(sequence) => match sequence.last() {
            Some(newest) => {
                let entries = counted(sequence.len() as u64, "entry", "entries");
                CheckResult::ok(check, format!("{entries}, the newest is {newest}"))
            }
            None => CheckResult::warning(check, "no entry yet", walk),
        },
        Err(error) => CheckResult::error(check, error.to_string(), walk),
    }
}

fn of_graph(check: &str, error: &GraphError) -> CheckResult {
    let fix = match error {
        GraphError::Denied { needs, .. } => format!("grant the application role {needs}"),
        GraphError::UserDenied { .. } => {
            "look for an application access policy (Get-ApplicationAccessPolicy) that excludes the mailbox".to_owned()
        }
        GraphError::Token { .. } => "see `token` above".to_owned(),
        error if error.is_transient() => "try again in some minutes".to_owned(),
        _ => "check PHOTORELAY_GRAPH_URL".to_owned(),
    };
    CheckResult::error(check, error.to_string(), fix)
}
