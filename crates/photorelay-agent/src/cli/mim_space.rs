//! `mim plan`, `adopt` and `compare`: the way from a management agent that imports photos already to the feed. They read
//! what csexport wrote of its connector space, and none of them removes a person or a photo.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, ensure};
use clap::Args;
use photorelay_agent::connectors::mim::{
    AdoptionReport, ExportedSpace, FeedError, FeedHead, FeedReader, FeedStore, ImportPlan, ImportStep, MIB,
    MimSettings, ObjectDifference, SpaceNames,
};
use photorelay_core::answer;
use photorelay_core::answer::{CommandAnswer, print_json};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::process::CommandOutcome;
use photorelay_core::progress::ProgressLine;
use photorelay_core::wording::counted;
use serde_json::{Value, json};

/// How to read the file.
#[derive(Args)]
struct SpaceArgs {
    /// The attribute with the feed's key (PHOTORELAY_MIM_ANCHOR), if the distinguished name is another text.
    #[arg(long, value_name = "NAME")]
    key_attribute: Option<String>,
    #[arg(long, value_name = "NAME", default_value = "EXOPhoto")]
    photo_attribute: String,
    #[arg(long, value_name = "NAME", default_value = "EXOPhotoChecksum")]
    checksum_attribute: String,
    /// A larger file is refused: it is rarely the right one.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    max_mib: u64,
}

impl SpaceArgs {
    fn names(&self) -> SpaceNames {
        SpaceNames {
            key: self.key_attribute.clone(),
            photo: self.photo_attribute.clone(),
            checksum: self.checksum_attribute.clone(),
        }
    }

    fn max_bytes(&self) -> u64 {
        self.max_mib * MIB
    }
}

#[derive(Args)]
pub(super) struct MimPlanArgs {
    /// What csexport wrote of the management agent's connector space; without it, the connector space is empty.
    csexport: Option<PathBuf>,
    #[command(flatten)]
    space: SpaceArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct AdoptArgs {
    /// What csexport wrote of the management agent's connector space.
    #[arg(required_unless_present = "end")]
    csexport: Option<PathBuf>,
    /// Adopt nothing, and have the renditions of these users published again; without users, of all.
    #[arg(long, value_name = "USER", num_args = 0.., conflicts_with = "csexport")]
    end: Option<Vec<UserId>>,
    #[command(flatten)]
    space: SpaceArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct CompareArgs {
    /// What csexport wrote of the management agent's connector space.
    csexport: PathBuf,
    #[command(flatten)]
    space: SpaceArgs,
    /// Print a line of JSON for each object that differs, and one with the totals.
    #[arg(long)]
    json: bool,
    /// Show keys, too. On a terminal they are shown anyway, but not as JSON.
    #[arg(long)]
    names: bool,
}

impl MimPlanArgs {
    pub(super) async fn run(self, settings: MimSettings) -> Result<CommandOutcome> {
        let Self { csexport, space, json } = self;
        let (plan, head) = on_a_thread(move |_| {
            let feed = published(&settings)?;
            let space = match &csexport {
                Some(path) => ExportedSpace::read(path, space.max_bytes(), &space.names())?,
                None => ExportedSpace::default(),
            };
            Ok((space.compare(&feed, |_| Ok(()))?, feed.head))
        })
        .await?;
        match json {
            true => print_json(&mut CommandAnswer, &as_json(&plan, &head))?,
            false => print(&plan, &head)?,
        }
        Ok(CommandOutcome::healthy_if(!plan.changes_objects()))
    }
}

impl AdoptArgs {
    pub(super) async fn run(self, settings: MimSettings) -> Result<CommandOutcome> {
        let Self { csexport, end, space, json } = self;
        let Some(csexport) = csexport else {
            return end_adoptions(&FeedStore::open(settings)?, end.unwrap_or_default(), json);
        };
        let report = on_a_thread(move |progress| {
            let store = FeedStore::open(settings)?;
            store.adopt_all(&csexport, space.max_bytes(), &space.names(), || progress.advance())
        })
        .await?;
        match json {
            true => print_json(&mut CommandAnswer, &report)?,
            false => Self::print(&report)?,
        }
        Ok(CommandOutcome::Success)
    }

    fn print(report: &AdoptionReport) -> Result<()> {
        answer!("objects          {}", report.objects)?;
        answer!(
            "adopted          {}: the same picture, published as MIM has it until the rendition changes",
            report.adopted
        )?;
        answer!("the same already {}", report.already_same)?;
        answer!("other pictures   {}: MIM gets the new one", report.other_picture)?;
        answer!("undecided        {}: a picture cannot be read, and MIM gets the feed's", report.undecided)?;
        answer!("without a photo  {}, there or here", report.without_photo)?;
        answer!("not in the feed  {}", report.not_in_feed)?;
        if report.adopted > 0 {
            answer!("it shows with the next publication (`photorelay-agent mim publish`)")?;
        }
        if report.objects == report.not_in_feed {
            answer!("{NO_KEY}")?;
        }
        Ok(())
    }
}

/// Of these users, or of all. One for whom nothing was adopted, or who cannot be changed, holds up no other.
fn end_adoptions(store: &FeedStore, users: Vec<UserId>, json: bool) -> Result<CommandOutcome> {
    let users = if users.is_empty() { store.adopted_users()? } else { users };
    let (mut ended, mut failed) = (0, Vec::new());
    for user in users {
        match store.undo_adoption(user) {
            Ok(true) => ended += 1,
            Ok(false) => failed.push(format!("nothing is adopted for {user}")),
            Err(error) => failed.push(format!("{user}: {error}")),
        }
    }
    match (json, ended) {
        // No answer is half an answer.
        (_, 0) if !failed.is_empty() => {}
        (true, _) => print_json(&mut CommandAnswer, &json!({ "ended": ended }))?,
        (false, _) => {
            let renditions = counted(ended, "rendition is", "renditions are");
            answer!("{renditions} published in place of what was adopted, with the next publication")?;
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(CommandOutcome::Success)
}

impl CompareArgs {
    pub(super) async fn run(self, settings: MimSettings) -> Result<CommandOutcome> {
        let Self { csexport, space, json, names } = self;
        let names = names || (!json && std::io::stdout().is_terminal());
        let (plan, head) = on_a_thread(move |_| {
            let feed = published(&settings)?;
            let space = ExportedSpace::read(&csexport, space.max_bytes(), &space.names())?;
            let plan = space.compare(&feed, |difference| {
                let printed = match json {
                    true => answer!("{}", difference_as_json(&difference, names)),
                    false => print_difference(&difference, names),
                };
                Ok(printed?)
            })?;
            Ok((plan, feed.head))
        })
        .await?;
        match json {
            true => answer!("{}", as_json(&plan, &head))?,
            false => {
                let differ = plan.adds + plan.updates + plan.deletes;
                let objects = counted(plan.objects, "object", "objects");
                let people = counted(plan.people, "person", "people");
                answer!("{objects} in MIM, {people} in the feed, {differ} differ")?;
            }
        }
        Ok(CommandOutcome::healthy_if(plan.adds == 0 && !plan.changes_objects()))
    }
}

const NO_KEY: &str = "no object has a key of the feed: set PHOTORELAY_MIM_ANCHOR to what the anchor holds, or name the \
                      attribute that holds it with --key-attribute";

/// Where reading files and comparing pictures holds up nothing else.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce(&ProgressLine) -> Result<T, FeedError> + Send + 'static,
) -> Result<T> {
    let progress = Arc::new(ProgressLine::default());
    let beside = Arc::clone(&progress);
    let work = tokio::task::spawn_blocking(move || work(&beside));
    Ok(progress.beside(work, |objects| format!("{} read", counted(objects, "object", "objects"))).await??)
}

fn published(settings: &MimSettings) -> Result<FeedReader, FeedError> {
    FeedReader::open(&settings.feed)?.ok_or_else(|| {
        FeedError::Unusable(format!(
            "nothing is published in {} yet: run `photorelay-agent once`, which fills and publishes the feed",
            settings.feed.display()
        ))
    })
}

fn print(plan: &ImportPlan, head: &FeedHead) -> Result<()> {
    let photos = |photos| counted(photos, "photo", "photos");
    answer!("in MIM     {}, {}", counted(plan.objects, "object", "objects"), photos(plan.objects_with_photo))?;
    let people = counted(plan.people, "person", "people");
    answer!("in feed    {people}, {}, change {}", photos(plan.photos), head.sequence)?;
    answer!("adds       {}", plan.adds)?;
    let checksums = counted(plan.new_checksums, "only another checksum", "only other checksums");
    let ImportPlan { updates, new_photos, cleared, .. } = plan;
    answer!("updates    {updates}: {}, {checksums}, {cleared} cleared", photos(*new_photos))?;
    answer!("deletes    {}, {} with a photo", plan.deletes, plan.deletes_with_photo)?;
    answer!("unchanged  {}", plan.unchanged)?;
    answer!("to import  {} of photos", counted(plan.bytes, "byte", "bytes"))?;
    if plan.repeated > 0 {
        answer!("repeated   {}: another object has the same key, and these were left out", plan.repeated)?;
    }
    if plan.objects > 0 && plan.objects == plan.deletes {
        answer!("{NO_KEY}")?;
    }
    Ok(())
}

fn as_json(plan: &ImportPlan, head: &FeedHead) -> Value {
    json!({
        "objects": plan.objects, "objectsWithPhoto": plan.objects_with_photo, "repeated": plan.repeated,
        "people": plan.people, "photos": plan.photos, "sequence": head.sequence,
        "adds": plan.adds, "updates": plan.updates, "newPhotos": plan.new_photos, "newChecksums": plan.new_checksums,
        "cleared": plan.cleared, "deletes": plan.deletes, "deletesWithPhoto": plan.deletes_with_photo,
        "unchanged": plan.unchanged, "bytes": plan.bytes,
    })
}

fn difference_as_json(difference: &ObjectDifference, names: bool) -> Value {
    let side =
        |(sha256, checksum): &(Option<Digest>, Option<String>)| json!({ "sha256": sha256, "checksum": checksum });
    let mut line = json!({
        "import": step(difference.step), "object": difference.object, "userId": difference.user,
        "mim": side(&difference.in_space), "feed": side(&difference.in_feed),
    });
    if names {
        line["key"] = json!(difference.key);
    }
    line
}

fn print_difference(difference: &ObjectDifference, names: bool) -> std::io::Result<()> {
    let side = |has_photo: bool, (digest, checksum): &(Option<Digest>, Option<String>)| match (has_photo, digest) {
        (false, _) => "no photo".to_owned(),
        (true, None) => "a photo that cannot be read".to_owned(),
        (true, Some(digest)) => format!("SHA-256 {digest}, checksum {}", checksum.as_deref().unwrap_or("none")),
    };
    let who = match (difference.user, &difference.object) {
        (Some(user), _) => format!("user {user}"),
        (None, object) => format!("object {}", object.as_deref().unwrap_or_default()),
    };
    let key = if names { format!(" ({})", difference.key) } else { String::new() };
    answer!("{:<7} {who}{key}", step(difference.step))?;
    if difference.object.is_some() {
        answer!("        MIM   {}", side(difference.has_photo_in_space, &difference.in_space))?;
    }
    if difference.user.is_some() {
        answer!("        feed  {}", side(difference.in_feed.0.is_some(), &difference.in_feed))?;
    }
    Ok(())
}

/// What an import would do.
fn step(step: ImportStep) -> &'static str {
    match step {
        ImportStep::Add => "add",
        ImportStep::Update => "update",
        ImportStep::Delete => "delete",
    }
}
