//! The page before an action: what will happen as far as the storage says it, what an agent decides in the end, and the
//! form that does it. Nothing is changed by looking at it.

use askama::Template;
use photorelay_core::id::UserId;

use super::called;
use super::target_view::ReadOnce;
use super::version::ShownPicture;
use crate::console::render::{Frame, MenuEntry, PageResult, page as render};
use crate::console::state::ConsoleState;

/// What becomes of the picture in one target.
#[derive(Debug)]
pub(super) struct TargetChange {
    pub(super) target: String,
    /// None if it showed no photo, or was never read.
    pub(super) now: Option<ShownPicture>,
    pub(super) read: Option<ReadOnce>,
    pub(super) then: Option<ShownPicture>,
    /// Stands in the place of a picture that will not be there, or is not known here.
    pub(super) then_none: &'static str,
    pub(super) effect: String,
}

/// What an operator confirms.
#[derive(Debug)]
pub(super) struct Confirmation {
    pub(super) user: UserId,
    /// The sAMAccountName in the newest entry.
    pub(super) account: Option<String>,
    /// Begins the title, before the name of the person.
    pub(super) title: String,
    /// Why nothing would be changed.
    pub(super) nothing: Option<String>,
    pub(super) warnings: Vec<String>,
    pub(super) changes: Vec<TargetChange>,
    /// What is certain, as terms and their texts.
    pub(super) certain: Vec<(&'static str, String)>,
    pub(super) left_to_agent: Vec<String>,
    /// `undo` or `restore`.
    pub(super) action: &'static str,
    /// What the form carries beside the reason.
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) button: String,
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    frame: Frame,
    user: UserId,
    nothing: Option<String>,
    warnings: Vec<String>,
    changes: Vec<TargetChange>,
    certain: Vec<(&'static str, String)>,
    left_to_agent: Vec<String>,
    action: String,
    fields: Vec<(&'static str, String)>,
    button: String,
    may_act: bool,
}

impl Confirmation {
    pub(super) async fn render(self, console: &ConsoleState) -> PageResult {
        let user = self.user;
        let names = console.names.of(&[user]).await;
        let title = format!("{}: {}", self.title, called(names.get(&user), self.account.as_ref(), user));
        render(&ConfirmPage {
            frame: Frame::of(console, MenuEntry::People, &title),
            user,
            nothing: self.nothing,
            warnings: self.warnings,
            changes: self.changes,
            certain: self.certain,
            left_to_agent: self.left_to_agent,
            action: format!("/people/{user}/{}", self.action),
            fields: self.fields,
            button: self.button,
            may_act: console.operator.is_some(),
        })
    }
}
