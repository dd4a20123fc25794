//! The preview of a first fill: what an agent would write, before anything is, as the agent's last run worked it out.
//!
//! Reads one document of totals and one page of rows, however many users there are.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use photorelay_core::contract::{Preview, PreviewPage, PreviewRow, PreviewState};
use photorelay_core::documents;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use serde::Deserialize;

use super::pictures::{before_path, rendition_path};
use super::query::PageQuery;
use super::render::{Frame, MenuEntry, Moment, PageResult, bytes, count, page as render};
use super::state::ConsoleState;

#[derive(Debug, Deserialize)]
pub(super) struct PreviewAsked {
    target: Option<String>,
    /// From 1.
    page: Option<u32>,
}

#[derive(Template)]
#[template(path = "preview.html")]
struct FirstFillPage {
    frame: Frame,
    targets: Vec<String>,
    target: String,
    /// None if no agent has worked one out.
    run: Option<RunView>,
    rows: Vec<RowView>,
    page: u32,
}

struct RunView {
    at: Moment,
    agent: String,
    people: String,
    writes: String,
    bytes: String,
    minutes: Option<String>,
    states: Vec<(&'static str, String)>,
    left_out: Vec<(String, String)>,
    pages: u32,
}

struct RowView {
    user: UserId,
    called: String,
    state: &'static str,
    would: String,
    before: Option<String>,
    after: Option<String>,
}

pub(super) async fn page(
    State(console): State<Arc<ConsoleState>>,
    PageQuery(asked): PageQuery<PreviewAsked>,
) -> PageResult {
    let targets: Vec<String> = console.targets.all().iter().map(|target| target.name.clone()).collect();
    let wanted = asked.target.filter(|wanted| targets.contains(wanted));
    let target = wanted.or_else(|| targets.first().cloned()).unwrap_or_default();
    let blobs = &*console.storage.blobs;
    let run: Option<Preview> = documents::read(blobs, Container::Agents, &names::preview(&target)).await?;
    let number = asked.page.unwrap_or(1).max(1);
    let rows = match &run {
        Some(run) if number <= run.pages => {
            let name = names::preview_page(&target, run.run, number);
            let page: Option<PreviewPage> = documents::read(blobs, Container::Agents, &name).await?;
            page.map_or_else(Vec::new, |page| page.rows)
        }
        _ => Vec::new(),
    };
    let people: Vec<UserId> = rows.iter().map(|row| row.user_id).collect();
    let names = console.names.of(&people).await;
    let rows = rows.into_iter().map(|row| {
        let called = names.get(&row.user_id).and_then(|name| name.display_name.clone());
        RowView::of(row, called)
    });
    let rows = rows.collect();
    let frame = Frame::of(&console, MenuEntry::Preview, "First fill");
    render(&FirstFillPage { frame, targets, target, run: run.as_ref().map(RunView::of), rows, page: number })
}

impl RunView {
    fn of(run: &Preview) -> Self {
        let writes: u64 = run.states.iter().filter(|(state, _)| state.is_write()).map(|(_, count)| *count).sum();
        Self {
            at: Moment(run.finished_at),
            agent: run.agent.clone(),
            people: count(run.people),
            writes: count(writes),
            bytes: bytes(run.bytes),
            minutes: run.minutes.map(count),
            states: run.states.iter().map(|(state, number)| (word(*state), count(*number))).collect(),
            left_out: run.left_out.iter().map(|(reason, number)| (reason.clone(), count(*number))).collect(),
            pages: run.pages,
        }
    }
}

impl RowView {
    fn of(row: PreviewRow, called: Option<String>) -> Self {
        let user = row.user_id;
        let after = row.photo.zip(row.wants).map(|(photo, wants)| rendition_path(user, photo, &row.rendition, wants));
        Self {
            user,
            called: called.unwrap_or_else(|| user.to_string()),
            state: word(row.state),
            would: row.would,
            before: row.shows.map(|value| before_path(user, value)),
            after,
        }
    }
}

fn word(state: PreviewState) -> &'static str {
    match state {
        PreviewState::Add => "add",
        PreviewState::Replace => "replace",
        PreviewState::Remove => "remove",
        PreviewState::UpToDate => "up to date",
        PreviewState::Waits => "waits",
        PreviewState::LeftOut => "left out",
        PreviewState::Refused => "refused",
        PreviewState::Failed => "failed",
    }
}
