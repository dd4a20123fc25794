//! A person: found by what the directory calls them, and everything that became of their photos.

mod act;
mod confirm;
mod dossier;
mod foreseen;
mod records;
mod restore;
mod search;
mod target_view;
mod undo;
mod version;
mod way;

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use photorelay_core::id::UserId;
use photorelay_core::operator::OperatorSignature;
use serde::Deserialize;

pub(super) use restore::{ask as ask_restore, restore};
pub(super) use search::search;
pub(super) use undo::{ask as ask_undo, undo};

use self::dossier::Dossier;
use super::query::PageQuery;
use super::render::{Frame, MenuEntry, PageError, PageResult, page as render};
use super::security::FormFields;
use super::state::ConsoleState;
use crate::graph::DirectoryName;

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
        called(self.name.as_ref(), self.dossier.account.as_ref(), self.dossier.user)
    }
}

/// By name, by account, or by object ID, whichever is known first.
fn called(name: Option<&DirectoryName>, account: Option<&String>, user: UserId) -> String {
    let name = name.and_then(|name| name.display_name.clone());
    name.or(account.cloned()).unwrap_or_else(|| user.to_string())
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

/// The user that a form is about, and what stands below the action.
fn signed(console: &ConsoleState, user: &str, form: &FormFields) -> Result<(UserId, OperatorSignature), PageError> {
    let signature = console.signature(form.get("reason")).map_err(PageError::Refused)?.ok_or(PageError::ReadOnly)?;
    let user: UserId = user.parse().map_err(|_| no_such_user())?;
    Ok((user, signature))
}

/// What the page said that the operator confirmed: a form without it confirms nothing.
fn confirmed<'a>(form: &'a FormFields, field: &str) -> Result<&'a str, PageError> {
    let given = form.get(field);
    given.ok_or_else(|| PageError::Malformed("The form does not say what was confirmed.".to_owned()))
}
