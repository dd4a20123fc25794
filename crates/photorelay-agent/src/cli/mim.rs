//! `mim`: the feed for Microsoft Identity Manager, as an operator sees it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, Subcommand};
use photorelay_agent::config::{ConnectorSettings, read_feed};
use photorelay_agent::connectors::ldap::AttributeName;
use photorelay_agent::connectors::mim::{
    Checksum, FeedReader, FeedStore, LdifExport, LdifKind, LdifNames, MimSettings, Publication,
};
use photorelay_agent::publisher::FeedPublisher;
use photorelay_core::answer;
use photorelay_core::answer::{CommandAnswer, print_json};
use photorelay_core::id::UserId;
use photorelay_core::process::{Audience, CommandOutcome, Process};
use photorelay_core::wording::counted;
use serde_json::json;

use super::mim_scripts::ScriptsArgs;
use super::mim_space::{AdoptArgs, CompareArgs, MimPlanArgs};
use super::start::Started;

#[derive(Subcommand)]
pub(super) enum MimCommand {
    /// Show what is published; exits with 2 if a file of the feed is missing or damaged.
    #[command(after_help = "Example: photorelay-agent mim status --json")]
    Status(FeedStatusArgs),
    /// Publish what has been accepted since the last publication.
    #[command(after_help = "Example: photorelay-agent mim publish")]
    Publish(PublishArgs),
    /// Take users who are gone out of the feed: the next delta import deletes their objects. A user who is still
    /// synchronised comes back with the next full reconciliation.
    #[command(after_help = "Example: photorelay-agent mim remove 208c1e45-4bd7-4438-9172-7e708e59fcc5")]
    Remove(RemoveArgs),
    /// Begin the feed anew, with the present settings: a full import must follow.
    #[command(after_help = "Example: photorelay-agent mim rebuild")]
    Rebuild(RebuildArgs),
    /// Write the published feed as LDIF, for importers that need no script.
    #[command(after_help = "Example: photorelay-agent mim ldif people.ldif --delta")]
    Ldif(LdifArgs),
    /// Show what a full import of the published feed would change in MIM; exits with 2 if it would change or delete objects.
    #[command(after_help = "Example: photorelay-agent mim plan exo.xml")]
    Plan(MimPlanArgs),
    /// Keep publishing the bytes and checksums that MIM has, for every user whose picture is the same, until the user's
    /// rendition changes: then moving to the feed exports nothing.
    #[command(after_help = "Example: photorelay-agent mim adopt exo.xml")]
    Adopt(AdoptArgs),
    /// List the objects that MIM and the published feed do not have alike; exits with 2 if there are any.
    #[command(after_help = "Example: photorelay-agent mim compare exo.xml")]
    Compare(CompareArgs),
    /// Write the scripts of the PowerShell management agent that imports the feed. A script that differs is replaced only
    /// with your consent.
    #[command(after_help = "Example: photorelay-agent mim scripts scripts --set Feed=D:\\photorelay\\mim")]
    Scripts(ScriptsArgs),
    /// Print the checksums of a photo, to compare with what an importer has.
    #[command(after_help = "Example: photorelay-agent mim hash photo.jpg")]
    Hash(HashArgs),
}

#[derive(Args)]
pub(super) struct FeedStatusArgs {
    /// Print JSON, for monitoring.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct PublishArgs {
    /// Publish although people or photos are missing that no decision removed, or the feed was never filled.
    #[arg(long)]
    allow_shrink: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct RemoveArgs {
    /// The users' object IDs.
    #[arg(required = true)]
    user: Vec<UserId>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct RebuildArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct LdifArgs {
    /// The file to replace.
    file: PathBuf,
    /// Only what changed since the last full export: one that is missed loses nothing.
    #[arg(long)]
    delta: bool,
    /// The container of the objects; they are named `CN=<key>`.
    #[arg(long, default_value = "O=photorelay")]
    base_dn: String,
    #[arg(long, default_value = "EXOUser")]
    object_class: AttributeName,
    #[arg(long, default_value = "EXOUserKey")]
    key_attribute: AttributeName,
    #[arg(long, default_value = "EXOPhoto")]
    photo_attribute: AttributeName,
    #[arg(long, default_value = "EXOPhotoChecksum")]
    checksum_attribute: AttributeName,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct HashArgs {
    /// A photo file.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl MimCommand {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        match self {
            Self::Status(args) => args.run(&feed(process)?),
            Self::Publish(args) => args.run(process).await,
            Self::Remove(args) => args.run(feed(process)?),
            Self::Rebuild(args) => args.run(feed(process)?),
            Self::Ldif(args) => args.run(feed(process)?),
            Self::Plan(args) => args.run(feed(process)?).await,
            Self::Adopt(args) => args.run(feed(process)?).await,
            Self::Compare(args) => args.run(feed(process)?).await,
            Self::Scripts(args) => args.run(),
            Self::Hash(args) => args.run(),
        }
    }
}

/// The feed, for commands that need neither the storage nor the tenant.
fn feed(process: &mut Process) -> Result<MimSettings> {
    let (settings, logs) = read_feed(process.environment())?;
    process.start_telemetry(&logs, Audience::Operator)?;
    Ok(settings)
}

impl FeedStatusArgs {
    fn run(&self, settings: &MimSettings) -> Result<CommandOutcome> {
        let Some(reader) = FeedReader::open(&settings.feed)? else {
            bail!("nothing is published in {} yet: run `photorelay-agent run`", settings.feed.display());
        };
        let (head, report) = (&reader.head, reader.verify()?);
        let published = jiff::Timestamp::from_second(head.published).context("the time of `current`")?;
        if self.json {
            let (epoch, sequence, floor) = (head.epoch.to_string(), head.sequence, head.floor);
            let status =
                json!({ "epoch": epoch, "sequence": sequence, "floor": floor, "published": published, "feed": report });
            print_json(&mut CommandAnswer, &status)?;
        } else {
            answer!("feed           {}", settings.feed.display())?;
            answer!("published      {published}, change {} of epoch {}", head.sequence, head.epoch)?;
            let bytes = counted(report.bytes, "byte", "bytes");
            answer!("people         {}, {} with a photo ({bytes})", report.people, report.photos)?;
            answer!("tombstones     {}; deltas can begin at change {} or later", report.tombstones, head.floor)?;
            for damaged in &report.damaged {
                answer!("damaged        {damaged}")?;
            }
        }
        Ok(CommandOutcome::healthy_if(report.damaged.is_empty()))
    }
}

impl PublishArgs {
    async fn run(&self, process: &mut Process) -> Result<CommandOutcome> {
        let started = Started::new(process, Audience::Operator)?;
        let ConnectorSettings::Mim(settings) = &started.config.connector else {
            bail!("this agent writes no feed: set PHOTORELAY_MIM_PATH");
        };
        let settings = (**settings).clone();
        let every = settings.publish_every;
        let store = Arc::new(FeedStore::open(settings)?);
        let publisher = FeedPublisher::new(&started.storage, store, &started.config.identity.target.name, every);
        match publisher.publish(self.allow_shrink).await? {
            Publication::Unchanged if self.json => print_json(&mut CommandAnswer, &json!({ "published": null }))?,
            Publication::Unchanged => answer!("nothing has changed since the last publication")?,
            Publication::Published { head, photos } if self.json => {
                let (epoch, sequence, people) = (head.epoch.to_string(), head.sequence, head.people);
                let published = json!({ "epoch": epoch, "sequence": sequence, "people": people, "photos": photos });
                print_json(&mut CommandAnswer, &json!({ "published": published }))?;
            }
            Publication::Published { head, photos } => {
                let people = counted(head.people, "person", "people");
                answer!("published change {}: {people}, {photos} with a photo", head.sequence)?;
            }
            Publication::Filling => bail!(
                "not published: no full reconciliation has filled the feed yet, and a full import would delete the \
                 people who are missing. Let `photorelay-agent run` or `once` finish one, or publish what is there with --allow-shrink"
            ),
            Publication::Withheld { reason } => bail!("not published: {reason}"),
        }
        Ok(CommandOutcome::Success)
    }
}

impl RemoveArgs {
    fn run(&self, settings: MimSettings) -> Result<CommandOutcome> {
        let store = FeedStore::open(settings)?;
        let (mut removed, mut unknown, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for user in &self.user {
            match store.remove(*user) {
                Ok(true) => removed.push(json!({ "userId": user })),
                Ok(false) => unknown.push(user.to_string()),
                Err(error) => failed.push(format!("{user}: {error}")),
            }
        }
        match (self.json, &removed[..]) {
            // No answer is half an answer.
            (_, []) => {}
            (true, [one]) if self.user.len() == 1 => print_json(&mut CommandAnswer, one)?,
            (true, several) => print_json(&mut CommandAnswer, several)?,
            (false, several) => {
                let users = counted(several.len() as u64, "user leaves", "users leave");
                answer!("{users} the feed with the next publication")?;
            }
        }
        if !unknown.is_empty() {
            failed.push(format!("not in the feed: {}", unknown.join(", ")));
        }
        ensure!(failed.is_empty(), "{}", failed.join("; "));
        Ok(CommandOutcome::Success)
    }
}

impl LdifArgs {
    fn run(self, settings: MimSettings) -> Result<CommandOutcome> {
        let names = LdifNames {
            base_dn: self.base_dn,
            object_class: self.object_class,
            key: self.key_attribute,
            photo: self.photo_attribute,
            checksum: self.checksum_attribute,
        };
        let kind = if self.delta { LdifKind::Delta } else { LdifKind::Full };
        let LdifExport { written, deleted, sequence } =
            FeedStore::open(settings)?.export_ldif(kind, &names, &self.file)?;
        if self.json {
            let (file, is_delta) = (&self.file, self.delta);
            let exported = json!({
                "file": file, "isDelta": is_delta, "written": written, "deleted": deleted, "sequence": sequence,
            });
            print_json(&mut CommandAnswer, &exported)?;
            return Ok(CommandOutcome::Success);
        }
        let people = counted(written, "person", "people");
        answer!("{}: {people}, {deleted} deleted, up to change {sequence}", self.file.display())?;
        Ok(CommandOutcome::Success)
    }
}

impl RebuildArgs {
    fn run(&self, settings: MimSettings) -> Result<CommandOutcome> {
        let people = FeedStore::rebuild(settings)?;
        if self.json {
            print_json(&mut CommandAnswer, &json!({ "people": people }))?;
            return Ok(CommandOutcome::Success);
        }
        let people = counted(people, "person", "people");
        answer!("a new epoch begins with {people}: run `photorelay-agent mim publish`, then a full import")?;
        Ok(CommandOutcome::Success)
    }
}

impl HashArgs {
    fn run(&self) -> Result<CommandOutcome> {
        let photo = std::fs::read(&self.file).with_context(|| self.file.display().to_string())?;
        let checksums = [Checksum::Sha256, Checksum::Md5].map(|checksum| (checksum.to_string(), checksum.of(&photo)));
        match self.json {
            true => print_json(&mut CommandAnswer, &BTreeMap::from(checksums))?,
            false => checksums.iter().try_for_each(|(name, of)| answer!("{name:<8} {of}"))?,
        }
        Ok(CommandOutcome::Success)
    }
}
