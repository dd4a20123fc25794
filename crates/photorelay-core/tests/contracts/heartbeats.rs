//! What agents report of themselves and of the feeds that they publish.

use photorelay_core::contract::{Heartbeat, PublishedFeed, RefusalStreak, V1};

use crate::{golden, time};

#[test]
fn the_heartbeat_is_as_agreed() {
    let heartbeat = Heartbeat {
        v: V1,
        target: "ad".to_owned(),
        agent: "agent-1".to_owned(),
        version: "0.1.0".to_owned(),
        started_at: time(),
        at: time(),
        last_success_at: Some(time()),
        oldest_unfinished_at: None,
        refusing: None,
        withheld: None,
        paused: Some("no domain controller can be used".to_owned()),
        dry_run: false,
        certificate_expires_at: None,
    };
    golden("heartbeat.json", &heartbeat);
    let reason = "no user has the anchor or the SID".to_owned();
    let refusing = Some(RefusalStreak { people: 3, reason, since: time() });
    let withheld = Some("it would shrink from 100 to 10 people".to_owned());
    golden("heartbeat-withheld.json", &Heartbeat { withheld, paused: None, ..heartbeat.clone() });
    golden("heartbeat-refusing.json", &Heartbeat { refusing, last_success_at: None, paused: None, ..heartbeat });
    let (target, epoch) = ("mim".to_owned(), "3fa85f64-5717-4562-b3fc-2c963f66afa6".parse().unwrap());
    let feed = PublishedFeed { v: V1, target, epoch, sequence: 1204, people: 1100, photos: 1098, at: time() };
    golden("published-feed.json", &feed);
}
