//! What `doctor` says of a feed: whether it can be published, and whether importers can read it. It changes nothing.

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use photorelay_core::diagnosis::CheckResult;
use photorelay_core::wording::counted;

use crate::connectors::mim::{FeedReader, MimSettings};

/// An agent that runs says hourly that the feed is not abandoned.
const OLD: SignedDuration = SignedDuration::from_hours(3);

pub(super) fn check(settings: &MimSettings, now: Timestamp) -> Vec<CheckResult> {
    let mut results = vec![check_path(&settings.feed)];
    if settings.state != settings.feed.join("state") {
        results.push(CheckResult::ok("feed state", settings.state.display().to_string()));
    }
    results.push(check_publication(settings, now));
    results
}

fn check_path(feed: &Path) -> CheckResult {
    let shown = feed.display().to_string();
    // The management agent takes no blanks in the paths of scripts, and a feed is named beside them.
    if shown.contains(' ') {
        let fix = "choose a path without blanks: the PowerShell management agent cannot use them";
        return CheckResult::warning("feed", format!("{shown} has a blank in its path"), fix);
    }
    match fs::metadata(feed) {
        Ok(found) if found.is_dir() => CheckResult::ok("feed", format!("{shown} is there")),
        Ok(_) => CheckResult::error("feed", format!("{shown} is no folder"), "correct PHOTORELAY_MIM_PATH"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            CheckResult::ok("feed", format!("{shown} is not there yet: the agent creates it"))
        }
        Err(error) => CheckResult::error(
            "feed",
            format!("{shown}: {error}"),
            "make it a folder that the agent's account may write and that of MIM may read",
        ),
    }
}

fn check_publication(settings: &MimSettings, now: Timestamp) -> CheckResult {
    const CHECK: &str = "publication";
    let read = FeedReader::open(&settings.feed).and_then(|reader| match reader {
        Some(reader) => reader.verify().map(|report| Some((reader.head, report))),
        None => Ok(None),
    });
    let (head, report) = match read {
        Ok(Some(read)) => read,
        Ok(None) => return CheckResult::ok(CHECK, "nothing is published yet"),
        Err(error) => return CheckResult::error(CHECK, error.to_string(), "see above"),
    };
    let people = counted(report.people, "person", "people");
    let says = format!("change {}: {people}, {} with a photo", head.sequence, report.photos);
    if let Some(first) = report.damaged.first() {
        let files = counted(report.damaged.len() as u64, "photo file is", "photo files are");
        let says = format!("{says}; {files} missing or damaged, such as {first}");
        return CheckResult::error(CHECK, says, "let the agent run: a full reconciliation writes them again");
    }
    let is_old = Timestamp::from_second(head.published).is_ok_and(|published| now.duration_since(published) > OLD);
    match is_old {
        true => CheckResult::warning(
            CHECK,
            format!("{says}, published more than three hours ago"),
            "start the agent: it says hourly that the feed is up to date, also if nothing changes",
        ),
        false => CheckResult::ok(CHECK, says),
    }
}
