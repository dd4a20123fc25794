//! Search: an object id needs the storage alone; any other text asks Graph, which is the directory's own list of names.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect};
use photorelay_core::id::UserId;
use serde::Deserialize;

use crate::console::query::PageQuery;
use crate::console::render::{Frame, MenuEntry, PageResult, page};
use crate::console::state::ConsoleState;
use crate::graph::{DirectoryName, MAX_FOUND};

#[derive(Debug, Deserialize)]
pub(crate) struct SearchAsked {
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    frame: Frame,
    text: String,
    found: Vec<DirectoryName>,
    /// Why Graph does not answer.
    problem: Option<String>,
    /// Why it is not asked: settings that are missing.
    unset: Option<String>,
    is_cut: bool,
}

pub(crate) async fn search(
    State(console): State<Arc<ConsoleState>>,
    PageQuery(asked): PageQuery<SearchAsked>,
) -> PageResult {
    let text: String = asked.q.trim().chars().take(256).collect();
    if let Ok(user) = text.parse::<UserId>() {
        return Ok(Redirect::to(&format!("/people/{user}")).into_response());
    }
    let (found, problem, unset) = match &console.graph {
        Err(unset) => (Vec::new(), None, Some(unset.to_string())),
        Ok(graph) => match graph.search_users(&text).await {
            Ok(found) => (found, None, None),
            Err(error) => (Vec::new(), Some(error.to_string()), None),
        },
    };
    console.names.learn(&found);
    if let ([only], true) = (found.as_slice(), !text.is_empty()) {
        return Ok(Redirect::to(&format!("/people/{}", only.id)).into_response());
    }
    let frame = Frame::of(&console, MenuEntry::People, "People");
    page(&SearchPage { frame, is_cut: found.len() == MAX_FOUND, text, found, problem, unset })
}
