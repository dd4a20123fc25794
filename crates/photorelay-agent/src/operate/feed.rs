//! What `doctor` says of a feed: whether it can be published, and whether importers can read it, with scripts of this
//! version. It changes nothing.

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use photorelay_core::diagnosis::CheckResult;
use photorelay_core::wording::counted;

use crate::connectors::mim::{FeedReader, ManagementScripts, MimSettings, ScriptState};

/// An agent that runs says hourly that the feed is not abandoned.
const OLD: SignedDuration = SignedDuration::from_hours(3);

pub(super) fn check(settings: &MimSettings, now: Timestamp) -> Vec<CheckResult> {
    let mut results = vec![check_path(&settings.feed)];
    if settings.state != settings.feed.join("state") {
        results.push(CheckResult::ok("feed state", settings.state.display().to_string()));
    }
    results.push(check_publication(settings, now));
    results.extend(settings.scripts.as_deref().map(|folder| check_scripts(folder, &settings.feed)));
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

fn check_scripts(folder: &Path, feed: &Path) -> CheckResult {
    const CHECK: &str = "scripts";
    let shown = folder.display();
    let command = format!("run `photorelay-agent mim scripts {shown}`, which keeps their settings");
    if !folder.is_dir() {
        let fix = format!("correct PHOTORELAY_MIM_SCRIPTS, or {command}");
        return CheckResult::error(CHECK, format!("{shown} is no folder that can be read"), fix);
    }
    let compared = match ManagementScripts::in_folder(folder).and_then(|scripts| scripts.compare()) {
        Ok(compared) => compared,
        Err(error) => {
            let fix = format!("let the agent's account read them, or correct what is wrong there; then {command}");
            return CheckResult::error(CHECK, error.to_string(), fix);
        }
    };
    let listed = |wanted: ScriptState| {
        let found = compared.iter().filter(|(_, state)| *state == wanted).map(|(script, _)| *script);
        found.collect::<Vec<_>>().join(", ")
    };
    let (missing, differing) = (listed(ScriptState::Missing), listed(ScriptState::Differs));
    if !missing.is_empty() {
        return CheckResult::error(CHECK, format!("{shown} lacks {missing}"), command);
    }
    if !differing.is_empty() {
        return CheckResult::warning(CHECK, format!("not those of this version in {shown}: {differing}"), command);
    }
    if folder.starts_with(feed) {
        let fix = "move them to a folder that only administrators may write: the MIM Synchronization Service runs them";
        return CheckResult::warning(CHECK, format!("{shown} is in the feed's folder, where the agent writes"), fix);
    }
    if shown.to_string().contains(' ') {
        let fix = "choose a path without blanks: the PowerShell management agent cannot use them";
        return CheckResult::warning(CHECK, format!("{shown} has a blank in its path"), fix);
    }
    CheckResult::ok(CHECK, format!("those in {shown} are of this version"))
}
