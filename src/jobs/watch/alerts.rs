//! What an operator should act on. Pure: from a status to its alerts.

use jiff::{SignedDuration, Timestamp};
use photorelay_core::contract::{Heartbeat, NotificationActivity};
use photorelay_core::deletion_slots;
use photorelay_core::wording::counted;

use super::status::{Alert, GraphState, Status, SubscriptionState, TargetState, words};

/// An agent writes its heartbeat every minute.
pub(crate) const AGENT_SILENT_AFTER: SignedDuration = SignedDuration::from_mins(15);
/// Checks are handled within seconds; this leaves room for a hold time and a few delays.
const CHECKS_WAIT_AT_MOST: SignedDuration = SignedDuration::from_hours(1);
/// A running agent acknowledges within a minute; the sweep has announced again by then.
const RECEIPT_DUE_AFTER: SignedDuration = SignedDuration::from_hours(2);
/// The usual pauses are known after a week.
const ACTIVITY_KNOWN_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Fewer changes between two checkpoints prove nothing about the webhook.
const MIN_CHANGES: u64 = 5;

pub(super) fn of(status: &Status) -> Vec<Alert> {
    let mut alerts = Vec::new();
    let mut alert = |alert, text: Option<String>| alerts.extend(text.map(|text| Alert { alert, text }));
    alert("credential_refused", credential(status));
    alert("graph_unavailable", graph(status));
    alert("subscription_missing", subscription(status));
    alert("webhook_blind", blind(status).or_else(|| silent_webhook(status)));
    alert("checks_waiting", checks(status));
    for target in &status.targets {
        alert("agent_silent", silent_agent(status.at, target));
        alert("agent_paused", paused_agents(status.at, target));
        alert("target_refuses", refusing_agent(target));
        alert("feed_withheld", withheld_feed(target));
    }
    alert("receipt_overdue", receipt(status));
    alert("poison_not_empty", poison(status));
    alert("removals_surge", removals(status));
    alert("photo_replaced", replaced(status));
    alert("two_users_one_object", contested(status));
    alerts
}

fn credential(status: &Status) -> Option<String> {
    let GraphState::CredentialRefused { reason } = &status.graph else { return None };
    Some(format!(
        "Entra ID refuses the credential, so no photo is carried: {reason}. Check PHOTORELAY_TENANT_ID, \
         PHOTORELAY_CLIENT_ID, and that PHOTORELAY_CLIENT_SECRET or the certificate is right and has not expired"
    ))
}

fn graph(status: &Status) -> Option<String> {
    let GraphState::Unavailable { reason } = &status.graph else { return None };
    Some(format!(
        "Graph does not answer, so nothing is known of the subscription and no photo is carried: {reason}. Check that \
         this machine reaches PHOTORELAY_GRAPH_URL and PHOTORELAY_AUTHORITY_URL, and the health of Microsoft 365"
    ))
}

fn subscription(status: &Status) -> Option<String> {
    (status.subscription == SubscriptionState::Missing).then(|| {
        "Graph has no subscription that reaches this webhook, so only the sweep finds changes. A new one is created within \
         the hour; if it stays missing, the log of `subscribe` says why"
            .to_owned()
    })
}

/// Most changes of the last day were found by sweeps, though there is a subscription.
fn blind(status: &Status) -> Option<String> {
    let found = status.sweep.as_ref()?.found_by?;
    let all = found.notification + found.sweep;
    let alive = matches!(status.subscription, SubscriptionState::Alive { .. });
    (alive && all >= MIN_CHANGES && found.sweep * 2 > all).then(|| {
        format!(
            "{} of the {all} changes between the last two checkpoints ({} %) were found by sweeps, without a \
             notification. Check that Graph reaches PHOTORELAY_PUBLIC_URL and that clientState is the one of the \
             subscription (dropped notifications are counted); if both are right, this tenant does not notify of \
             photos, and the sweep's interval is the latency",
            found.sweep,
            found.sweep * 100 / all,
        )
    })
}

/// No notification for longer than is usual in this tenant.
fn silent_webhook(status: &Status) -> Option<String> {
    let NotificationActivity { first_at, last_at, longest_pause_seconds, .. } = status.notifications.as_ref()?;
    let usual = SignedDuration::from_secs(*longest_pause_seconds);
    let pause = status.at.duration_since(*last_at);
    let is_known = last_at.duration_since(*first_at) >= ACTIVITY_KNOWN_AFTER;
    let configured = status.subscription != SubscriptionState::NotConfigured;
    // The number is stored, so it may be any.
    let too_long = usual.saturating_add(usual).saturating_add(SignedDuration::from_hours(1));
    (configured && is_known && pause > too_long).then(|| {
        format!(
            "no notification for {}, while the longest pause of the last weeks was {}. Check that Graph reaches \
             PHOTORELAY_PUBLIC_URL and that clientState is the one of the subscription",
            words(pause),
            words(usual)
        )
    })
}

fn checks(status: &Status) -> Option<String> {
    let wait = status.at.duration_since(status.checks.oldest?);
    (wait > CHECKS_WAIT_AT_MOST).then(|| {
        format!(
            "the oldest check has waited for {} and {} in the queue. Check that the function `propagate` \
             runs and is not disabled, and read its log",
            words(wait),
            counted(status.checks.waiting, "message is", "messages are")
        )
    })
}

fn silent_agent(now: Timestamp, target: &TargetState) -> Option<String> {
    let newest = target.agents.iter().map(|agent| agent.at).max();
    let target = &target.name;
    match newest {
        None => Some(format!("no agent of the target {target} has ever reported. Install and start one")),
        Some(at) if now.duration_since(at) > AGENT_SILENT_AFTER => Some(format!(
            "no agent of the target {target} has reported for {}. Check that the service photorelay-agent runs there, \
             and that it reaches the storage account",
            words(now.duration_since(at))
        )),
        Some(_) => None,
    }
}

/// Every agent that works on the target writes nothing now.
fn paused_agents(now: Timestamp, target: &TargetState) -> Option<String> {
    let is_alive = |agent: &&Heartbeat| now.duration_since(agent.at) <= AGENT_SILENT_AFTER;
    let mut alive = target.agents.iter().filter(is_alive).peekable();
    alive.peek()?;
    let reasons: Vec<&str> = alive.map(|agent| agent.paused.as_deref()).collect::<Option<_>>()?;
    Some(format!(
        "nothing is written to the target {}: {}. Items wait in its queue; run `photorelay-agent doctor` there",
        target.name,
        reasons.first()?
    ))
}

/// Several users in a row get no photo, for one reason.
fn refusing_agent(target: &TargetState) -> Option<String> {
    let refusing =
        target.agents.iter().filter_map(|agent| agent.refusing.as_ref()).max_by_key(|streak| streak.people)?;
    Some(format!(
        "the target {} refused {} users in a row for one reason: {}. Run `photorelay-agent doctor` there; once the cause \
         is fixed, the next full reconciliation or `photorelay-agent drift --fix` writes their photos",
        target.name, refusing.people, refusing.reason
    ))
}

fn withheld_feed(target: &TargetState) -> Option<String> {
    let withheld = target.agents.iter().find_map(|agent| agent.withheld.as_deref())?;
    Some(format!("the feed of the target {} is not published: {withheld}", target.name))
}

fn receipt(status: &Status) -> Option<String> {
    let age = status.at.duration_since(status.trail.oldest_unacknowledged?);
    (age > RECEIPT_DUE_AFTER).then(|| {
        format!(
            "{} an entry that no agent has acknowledged, the oldest for {}. It is announced again \
             automatically; read the agent's log, and check its poison queue",
            counted(status.trail.unacknowledged, "user has", "users have"),
            words(age)
        )
    })
}

fn poison(status: &Status) -> Option<String> {
    let targets = status.targets.iter().map(|target| (format!("to {}", target.name), target.queue.poison));
    let all = std::iter::once(("checks".to_owned(), status.checks.poison)).chain(targets);
    let full: Vec<String> =
        all.filter(|(_, count)| *count > 0).map(|(queue, count)| format!("{count} ({queue})")).collect();
    (!full.is_empty()).then(|| {
        format!(
            "poison queues hold messages that could not be handled: {}. The blobs below `poison/` in the containers \
             `state` and `agents` say why, and so does `photorelay poison`; fix the cause, then delete the messages with \
             `photorelay poison --clear`: the sweep finds their users again",
            full.join(", ")
        )
    })
}

fn removals(status: &Status) -> Option<String> {
    let sweep = status.sweep.as_ref()?;
    let gone = sweep.missing + status.trail.removals;
    let people = sweep.with_photo + sweep.missing;
    let limit = u64::from(deletion_slots::by_default(u32::try_from(people).unwrap_or(u32::MAX)));
    (gone > limit).then(|| {
        format!(
            "{gone} photos are gone from Graph at once, more than {limit}. Targets keep them until the deletion \
             threshold allows a removal or an operator approves it; unless they were removed on purpose, check the \
             health of Microsoft 365 before you approve anything"
        )
    })
}

/// Neither of two users gets a photo.
fn contested(status: &Status) -> Option<String> {
    let pairs = status.trail.contested;
    (pairs > 0).then(|| {
        format!(
            "{} one object of a target (same anchor or SID), and both users of a pair live: neither is written. \
             `photorelay history <user>` names the other; correct the account that is wrong, or run \
             `photorelay forget` for the user who is gone",
            counted(pairs, "pair of users is", "pairs of users are")
        )
    })
}

/// Another writer works on the same attribute.
fn replaced(status: &Status) -> Option<String> {
    let replaced = status.trail.replaced;
    (replaced > 0).then(|| {
        format!(
            "{} a photo that another writer put over photorelay's. `photorelay-agent held` lists them, \
             and `photorelay-agent doctor <user>` says when it was changed: find the other writer, then approve or reject",
            counted(replaced, "user shows", "users show")
        )
    })
}

#[cfg(test)]
mod tests {
    use photorelay_core::contract::{FoundBy, RefusalStreak, SweptLast, V1};

    use super::super::status::{QueueState, Trail};
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_780_000_000).unwrap()
    }

    fn ago(minutes: i64) -> Timestamp {
        now() - SignedDuration::from_mins(minutes)
    }

    /// A healthy tenant whose notifications pause for ten hours at most.
    fn healthy() -> Status {
        let queue = QueueState { waiting: 0, oldest: None, poison: 0 };
        let agent = Heartbeat {
            v: V1,
            target: "ad".to_owned(),
            agent: "agent-1".to_owned(),
            version: "0.1.0".to_owned(),
            started_at: ago(600),
            at: ago(1),
            last_success_at: None,
            oldest_unfinished_at: None,
            paused: None,
            refusing: None,
            withheld: None,
            dry_run: false,
            certificate_expires_at: None,
        };
        Status {
            at: now(),
            graph: GraphState::Answers,
            subscription: SubscriptionState::Alive { expires_at: now() + SignedDuration::from_hours(500) },
            notifications: Some(NotificationActivity {
                v: V1,
                first_at: ago(30 * 24 * 60),
                last_at: ago(20 * 60),
                longest_pause_seconds: 36_000,
                pause_ended_at: ago(1_000),
            }),
            sweep: Some(SweptLast {
                v: V1,
                at: ago(1),
                people: 1_000,
                with_photo: 500,
                differing: 1,
                missing: 3,
                found_by: Some(FoundBy { notification: 10, sweep: 2 }),
            }),
            checks: queue,
            targets: vec![TargetState { name: "ad".to_owned(), queue, agents: vec![agent] }],
            trail: Trail { people: 500, unacknowledged: 1, oldest_unacknowledged: Some(ago(1)), ..Trail::default() },
            unreadable: Vec::new(),
            checkpoint: None,
            alerts: Vec::new(),
        }
    }

    /// The one alert that an edit of the healthy status leads to.
    fn only(edit: impl FnOnce(&mut Status)) -> &'static str {
        let mut status = healthy();
        edit(&mut status);
        match &of(&status)[..] {
            [] => "none",
            [alert] => alert.alert,
            more => panic!("{more:#?}"),
        }
    }

    #[test]
    fn a_healthy_status_has_no_alert() {
        assert_eq!(only(|_| {}), "none");
    }

    #[test]
    fn each_problem_has_its_own_word() {
        let reason = || "why".to_owned();
        let unknown = |graph: GraphState| {
            only(move |status| {
                status.graph = graph;
                status.subscription = SubscriptionState::Unknown { reason: reason() };
            })
        };
        assert_eq!(unknown(GraphState::CredentialRefused { reason: reason() }), "credential_refused");
        assert_eq!(unknown(GraphState::Unavailable { reason: reason() }), "graph_unavailable");
        assert_eq!(only(|status| status.subscription = SubscriptionState::Missing), "subscription_missing");
        assert_eq!(only(|status| status.checks.poison = 1), "poison_not_empty");
        assert_eq!(only(|status| status.targets[0].queue.poison = 1), "poison_not_empty");
        assert_eq!(only(|status| status.checks.oldest = Some(ago(61))), "checks_waiting");
        assert_eq!(only(|status| status.checks.oldest = Some(ago(59))), "none");
        assert_eq!(only(|status| status.targets[0].agents[0].at = ago(16)), "agent_silent");
        assert_eq!(only(|status| status.targets[0].agents.clear()), "agent_silent");
        let refusing = Some(RefusalStreak { people: 3, reason: "no user is found".to_owned(), since: ago(1) });
        assert_eq!(only(|status| status.targets[0].agents[0].refusing = refusing), "target_refuses");
        assert_eq!(only(|status| status.targets[0].agents[0].paused = Some("stopped".to_owned())), "agent_paused");
        assert_eq!(only(|status| status.targets[0].agents[0].withheld = Some("it shrank".to_owned())), "feed_withheld");
        let one_works = |status: &mut Status| {
            let working = status.targets[0].agents[0].clone();
            status.targets[0].agents.push(Heartbeat { paused: Some("stopped".to_owned()), ..working });
        };
        assert_eq!(only(one_works), "none", "another agent of the target works");
        assert_eq!(only(|status| status.trail.oldest_unacknowledged = Some(ago(121))), "receipt_overdue");
        assert_eq!(only(|status| status.trail.replaced = 1), "photo_replaced");
        assert_eq!(only(|status| status.trail.contested = 1), "two_users_one_object");
    }

    #[test]
    fn the_webhook_is_blind_when_sweeps_find_most_changes() {
        let found = |notification, sweep| {
            only(|status| status.sweep.as_mut().unwrap().found_by = Some(FoundBy { notification, sweep }))
        };
        assert_eq!(
            [found(0, 5), found(3, 4), found(0, 4), found(4, 3)],
            ["webhook_blind", "webhook_blind", "none", "none"]
        );
        let no_webhook = |status: &mut Status| {
            status.subscription = SubscriptionState::NotConfigured;
            status.sweep.as_mut().unwrap().found_by = Some(FoundBy { notification: 0, sweep: 9 });
        };
        assert_eq!(only(no_webhook), "none", "without a webhook, nothing is expected of it");
    }

    #[test]
    fn a_pause_is_too_long_when_it_is_longer_than_is_usual_in_the_tenant() {
        let last = |minutes| only(|status| status.notifications.as_mut().unwrap().last_at = ago(minutes));
        assert_eq!([last(20 * 60), last(22 * 60)], ["none", "webhook_blind"]);
        let endless = |status: &mut Status| status.notifications.as_mut().unwrap().longest_pause_seconds = i64::MAX;
        assert_eq!(only(endless), "none", "a stored number is never too large to be doubled");
        let new = |status: &mut Status| {
            let activity = status.notifications.as_mut().unwrap();
            (activity.last_at, activity.first_at) = (ago(22 * 60), ago(23 * 60));
        };
        assert_eq!(only(new), "none", "what is usual is not known yet");
    }

    #[test]
    fn many_photos_gone_at_once_are_a_surge() {
        let gone = |missing, with_photo, removals| {
            only(|status| {
                let sweep = status.sweep.as_mut().unwrap();
                (sweep.missing, sweep.with_photo) = (missing, with_photo);
                status.trail.removals = removals;
            })
        };
        assert_eq!([gone(3, 10, 0), gone(4, 10, 0), gone(2, 10, 2)], ["none", "removals_surge", "removals_surge"]);
        assert_eq!([gone(20, 9_000, 0), gone(21, 9_000, 0)], ["none", "removals_surge"]);
    }
}
