//! What an operator wants to see of what waits.

use photorelay_core::contract::ApprovalReason;
use photorelay_core::id::UserId;
use serde::Deserialize;

use super::item::HeldView;

/// From the query of the page; everything is optional.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct SheetFilter {
    /// `foreign` or `removal`, or `rejected` for what an operator rejected or had undone.
    #[serde(default)]
    pub(super) held: String,
    #[serde(default)]
    pub(super) target: String,
    /// A part of the account, the object id or the reason.
    #[serde(default)]
    pub(super) text: String,
    /// Only users after this one.
    pub(super) after: Option<UserId>,
}

impl SheetFilter {
    pub(super) fn admits(&self, item: &HeldView) -> bool {
        let is_reason = match self.held.as_str() {
            "foreign" => item.held_for == ApprovalReason::Foreign,
            "removal" => item.held_for == ApprovalReason::Removal,
            _ => true,
        };
        let text = self.text.trim().to_lowercase();
        is_reason && (self.target.is_empty() || self.target == item.key.target) && item.mentions(&text)
    }

    /// Whether it asks for what is decided already, and can still be approved.
    pub(super) fn is_of_rejected(&self) -> bool {
        self.held == "rejected"
    }

    /// Whether it leaves anything out but other targets.
    pub(super) fn is_narrow(&self) -> bool {
        !self.held.is_empty() || !self.text.trim().is_empty()
    }

    /// The same page, from another user on.
    pub(super) fn path(&self, after: Option<UserId>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("held", &self.held), ("target", &self.target), ("text", &self.text)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if let Some(after) = after {
            query.append_pair("after", &after.to_string());
        }
        match query.finish() {
            query if query.is_empty() => "/approvals".to_owned(),
            query => format!("/approvals?{query}"),
        }
    }

    /// This page.
    pub(super) fn here(&self) -> String {
        self.path(self.after)
    }
}
