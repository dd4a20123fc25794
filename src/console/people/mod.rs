//! A person: found by what the directory calls them, and everything that became of their photos.

mod act;
mod dossier;
mod search;
mod target_view;
mod version;
mod way;

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use photorelay_core::approvals::Approvals;
use photorelay_core::id::UserId;
use photorelay_core::operator::OperatorSignature;
use serde::Deserialize;

pub(super) use search::search;

use self::dossier::Dossier;
use super::query::PageQuery;
use super::render::{Frame, MenuEntry, PageError, PageResult, done, page as render};
use super::security::FormFields;
use super::state::ConsoleState;
use crate::graph::DirectoryName;
use crate::operate::restore::{self, Restore};

#[derive(Debug, Deserialize)]
pub(super) struct VersionsAsked {
    /// Only versions before this entry.
    before: Option<u32>,
}

#[derive(Template)]
#[template(path = "person.html")]
struct PersonPage {
    frame: Frame,
    name: Option<DirectoryName>,
    dossier: Dossier,
    may_act: bool,
}

impl PersonPage {
    /// What an operator calls the user.
    fn called(&self) -> String {
        let name = self.name.as_ref().and_then(|name| name.display_name.clone());
        let account = self.dossier.account.clone();
        name.or(account).unwrap_or_else(|| self.dossier.user.to_string())
    }
}

pub(super) async fn page(
    State(console): State<Arc<ConsoleState>>,
    Path(user): Path<String>,
    PageQuery(asked): PageQuery<VersionsAsked>,
) -> PageResult {
    let user: UserId = user.parse().map_err(|_| no_such_user())?;
    let (dossier, names) =
        tokio::join!(Dossier::read(&console, user, asked.before), console.names.of(std::slice::from_ref(&user)));
    let (dossier, name) = (dossier?, names.get(&user).cloned());
    if dossier.is_empty() && name.is_none() {
        return Err(no_such_user());
    }
    let frame = Frame::of(&console, MenuEntry::People, "Person");
    let mut page = PersonPage { frame, name, dossier, may_act: console.operator.is_some() };
    page.frame.title = page.called();
    render(&page)
}

fn no_such_user() -> PageError {
    PageError::NotFound("The storage knows no such user.".to_owned())
}

/// The user and the entry that a form is about, and what stands below the action.
fn signed(
    console: &ConsoleState,
    user: &str,
    form: &FormFields,
) -> Result<(UserId, u32, OperatorSignature), PageError> {
    let signature = console.signature(form.get("reason")).map_err(PageError::Refused)?.ok_or(PageError::ReadOnly)?;
    let user: UserId = user.parse().map_err(|_| no_such_user())?;
    let seq = form.get("seq").and_then(|seq| seq.parse().ok());
    Ok((user, seq.ok_or_else(|| PageError::Refused("The form names no entry.".to_owned()))?, signature))
}

/// Puts the photo of an earlier entry back.
pub(super) async fn restore(
    State(console): State<Arc<ConsoleState>>,
    Path(user): Path<String>,
    form: FormFields,
) -> Result<Response, PageError> {
    let (user, seq, signature) = signed(&console, &user, &form)?;
    let wanted = Restore { user, seq, signature };
    let (storage, targets) = (console.storage.clone(), console.targets.clone());
    let restored = console.workshop.run(async move || restore::restore(&storage, &targets, wanted).await).await?;
    let outcome = match restored {
        Ok(restored) => {
            tracing::info!(user.id = %user, of = restored.of, seq = restored.seq, "restored at the console");
            Ok(format!("The photo of entry {} is restored as entry {}. Targets follow.", restored.of, restored.seq))
        }
        Err(error) => Err(format!("{error:#}")),
    };
    Ok(done(&console, &format!("/people/{user}"), outcome))
}

/// Asks an agent to put back what a target showed before this entry.
pub(super) async fn undo(
    State(console): State<Arc<ConsoleState>>,
    Path(user): Path<String>,
    form: FormFields,
) -> Result<Response, PageError> {
    let (user, seq, signature) = signed(&console, &user, &form)?;
    let target = form.get("target").and_then(|name| console.targets.by_name(name));
    let target = target.ok_or_else(|| PageError::Refused("The form names no target.".to_owned()))?;
    let approvals = Approvals::new(console.storage.clone(), target.name.clone(), target.queue.clone());
    let asked = console.workshop.run(async move || approvals.request_undo(user, seq, &signature).await).await?;
    let outcome = match asked {
        Ok(()) => {
            tracing::info!(user.id = %user, seq, target = target.name, "asked at the console to undo");
            Ok(format!(
                "An agent of {} is asked to undo entry {seq}: it puts back what was there before photorelay wrote, or clears the photo if there was none.",
                target.name
            ))
        }
        Err(error) => Err(error.to_string()),
    };
    Ok(done(&console, &format!("/people/{user}"), outcome))
}
