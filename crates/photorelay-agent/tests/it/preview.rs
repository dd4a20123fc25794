//! `preview`, and the reports with pictures: what would be written, before anything is.

use photorelay_agent::operate::preview::{PreviewPublisher, PreviewSource};
use photorelay_agent::operate::report::{ReportedUsers, held_report, preview_report};
use photorelay_agent::policy::{ForeignPolicy, WritePolicy};
use photorelay_agent::quota::QuotaLimits;
use photorelay_agent::writeback::Reconciler;
use photorelay_core::contract::{FetchPolicy, Preview, PreviewPage, PreviewState};
use photorelay_core::documents;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::progress::ProgressLine;
use photorelay_core::store::list_all;
use photorelay_core::target::Targets;
use serde_json::Value;
use testkit::process::{agent_command, text};
use testkit::world::{Setup, World, guid};

use crate::agent_policy;

/// A world whose users have photos in the trail, and none in the folder.
async fn captured(users: usize) -> World {
    let sim = graph_sim::SimConfig { users, ..Default::default() };
    let world = World::with(Setup { sim, subscribe: false, ..Setup::default() }).await;
    let all: Vec<UserId> = (0..users).map(|at| world.user(at)).collect();
    for user in &all {
        world.sim.tenant().change_photo(guid(*user)).unwrap();
    }
    world.check(&all, FetchPolicy::IfChanged).await;
    world.app.pump.drain().await.unwrap();
    world
}

fn source<'a>(reconciler: &'a Reconciler, world: &'a World, targets: &'a Targets) -> PreviewSource<'a> {
    PreviewSource { reconciler, storage: world.storage(), serving: &targets.all()[0] }
}

fn file_of(world: &World, user: UserId) -> std::path::PathBuf {
    let account = world.sim.tenant().user(guid(user)).unwrap().on_premises_sam_account_name.unwrap();
    world.dir().join("written").join(format!("{}.jpg", account.to_lowercase()))
}

#[tokio::test]
async fn a_preview_counts_and_shows_what_would_be_written_and_writes_nothing() {
    let world = captured(4).await;
    let (foreign, hostile) = (world.user(1), world.user(2));
    std::fs::create_dir_all(world.dir().join("written")).unwrap();
    std::fs::write(file_of(&world, foreign), testkit::world::fixture("astronaut-240.jpg")).unwrap();
    std::fs::write(file_of(&world, hostile), "<script>alert(1)</script>").unwrap();
    world
        .sim
        .tenant()
        .edit_user(guid(world.user(3)), |user| user.on_premises_sam_account_name = Some("<b>x</b>".into()))
        .unwrap();
    world.check(&[world.user(3)], FetchPolicy::Always).await;
    world.app.pump.drain().await.unwrap();

    let agent = world.agent_builder().dry_run(true);
    let publisher = PreviewPublisher::new(&world.storage().blobs, "ad", "agent-1");
    let limits = QuotaLimits { per_minute: Some(1), per_day: None };
    let folder = world.dir().join("report");
    let (reconciler, all) = (agent.reconciler(), Targets::default());
    let source = source(&reconciler, &world, &all);
    let (totals, index) =
        preview_report(source, ReportedUsers::All, Some(&folder), Some(publisher), limits, &ProgressLine::default())
            .await
            .unwrap();
    assert_eq!((totals.people, totals.states[&PreviewState::Add], totals.states[&PreviewState::Waits]), (4, 2, 2));
    assert_eq!((totals.minutes(limits), totals.left_out.values().sum::<u64>()), (Some(2), 2));

    let (index, page) = (std::fs::read_to_string(index.unwrap()).unwrap(), page(&folder));
    assert!(index.contains("page-0001.html") && index.contains("2 min at the write quota"), "{index}");
    // Four that are wanted, and one of the two values that the folder shows: the other is no photo.
    assert_eq!(page.matches("<img src=\"data:image/").count(), 5);
    assert!(page.contains("not a photo") && !page.contains("<script"), "nothing of a foreign value is embedded");
    assert!(!page.contains("src=\"http") && page.contains("default-src 'none'"));
    assert!(!file_of(&world, world.user(0)).exists(), "nothing is written");

    let blobs = &*world.storage().blobs;
    let preview: Preview = documents::read(blobs, Container::Agents, &names::preview("ad")).await.unwrap().unwrap();
    let name = names::preview_page("ad", preview.run, 1);
    let rows: PreviewPage = documents::read(blobs, Container::Agents, &name).await.unwrap().unwrap();
    assert_eq!((preview.people, preview.pages, preview.minutes, rows.rows.len()), (4, 1, Some(2), 4));
    assert!(
        rows.rows.iter().filter(|row| row.shows.is_some()).count() == 2
            && rows.rows.iter().all(|row| row.wants.is_some())
    );
    world.agent.drain().await.unwrap();
    world.end().await;
}

fn page(folder: &std::path::Path) -> String {
    std::fs::read_to_string(folder.join("page-0001.html")).unwrap()
}

#[tokio::test]
async fn a_published_preview_replaces_the_one_before_as_a_whole() {
    let world = captured(3).await;
    for _ in 0..2 {
        let (publisher, agent) =
            (PreviewPublisher::new(&world.storage().blobs, "ad", "agent-1"), world.agent_builder().dry_run(true));
        let none = QuotaLimits::default();
        let (reconciler, all) = (agent.reconciler(), Targets::default());
        let source = source(&reconciler, &world, &all);
        preview_report(source, ReportedUsers::All, None, Some(publisher), none, &ProgressLine::default())
            .await
            .unwrap();
    }
    let blobs = &*world.storage().blobs;
    let pages = list_all(blobs, Container::Agents, &names::preview_pages_prefix("ad")).await.unwrap();
    let preview: Preview = documents::read(blobs, Container::Agents, &names::preview("ad")).await.unwrap().unwrap();
    assert_eq!(
        pages.iter().map(|page| page.name.as_str()).collect::<Vec<_>>(),
        [names::preview_page("ad", preview.run, 1)]
    );
    world.agent.drain().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn reports_of_drift_and_of_what_is_held_show_those_users_and_no_others() {
    let world = captured(3).await;
    world.agent.drain().await.unwrap();
    let changed = world.user(1);
    std::fs::write(file_of(&world, changed), testkit::world::fixture("astronaut-240.jpg")).unwrap();
    let policy = WritePolicy { foreign: ForeignPolicy::KeepForeign, ..WritePolicy::default() };
    let reconciler = world.agent_builder().policy(policy).dry_run(true).reconciler();
    let (folder, none) = (world.dir().join("drift"), QuotaLimits::default());
    let differing = ReportedUsers::Differing;
    let all = Targets::default();
    let source = source(&reconciler, &world, &all);
    let (totals, _) =
        preview_report(source, differing, Some(&folder), None, none, &ProgressLine::default()).await.unwrap();
    assert_eq!(totals.differing(), 1);
    assert_eq!(page(&folder).matches("<li>").count(), 1);
    assert!(page(&folder).contains(&changed.to_string()));

    let (folder, reason) = (world.dir().join("held"), "the target shows <another> value".to_owned());
    held_report(&reconciler, world.storage(), &[(changed, reason)], &folder).await.unwrap();
    assert!(page(&folder).contains("shows &#60;another&#62; value"), "{}", page(&folder));
    world.end().await;
}

#[tokio::test]
async fn only_users_whom_the_target_serves_are_counted() {
    let world = captured(3).await;
    let emea = |person: &mut graph_sim::SimUser| person.on_premises_domain_name = Some("emea.contoso.test".to_owned());
    world.sim.tenant().edit_user(guid(world.user(1)), emea).unwrap();
    world.sim.tenant().change_photo(guid(world.user(1))).unwrap();
    world.check(&[world.user(1)], FetchPolicy::Always).await;
    world.app.pump.drain().await.unwrap();
    let mut settings = agent_policy::folder(&world);
    settings.push(("PHOTORELAY_TARGETS", "ad=emea.contoso.test".to_owned()));
    let output = agent_command(&world, &settings, &["preview", "--json"]).await;
    let preview: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&preview["people"], &preview["states"]["add"]), (&1.into(), &1.into()), "{preview:#}");
    let output = agent_command(&world, &settings, &["drift", "--json", "--fix"]).await;
    let drift: Value = serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
    assert_eq!((&drift["people"], &drift["announced"]), (&1.into(), &1.into()), "{drift:#}");
    world.agent.drain().await.unwrap();
    world.end().await;
}

// Who may read a file is said otherwise elsewhere.
#[cfg(unix)]
#[tokio::test]
async fn a_report_leaves_no_picture_of_an_earlier_one_and_only_its_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt;

    let world = captured(1).await;
    let (folder, elsewhere) = (world.dir().join("report"), world.dir().join("elsewhere"));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, content) in [("page-0001.html", "old"), ("page-0007.html", "old"), ("notes.html", "theirs")] {
        std::fs::write(folder.join(name), content).unwrap();
        std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    std::fs::write(&elsewhere, "theirs").unwrap();
    std::os::unix::fs::symlink(&elsewhere, folder.join("index.html")).unwrap();
    let report = folder.display().to_string();
    agent_policy::command(&world, &["preview", "--html", &report]).await;

    let mut names: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["index.html", "notes.html", "page-0001.html"]);
    for name in ["index.html", "page-0001.html"] {
        let mode = std::fs::symlink_metadata(folder.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "theirs");
    world.agent.drain().await.unwrap();
    world.end().await;
}
