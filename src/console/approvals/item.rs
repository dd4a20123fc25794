//! One item of the contact sheet: what the target shows, what would be there instead, and why that waits.

use photorelay_core::approvals::ApprovalItem;
use photorelay_core::contract::{ApprovalReason, AuditEntry, Decision};
use photorelay_core::id::{Digest, UserId};

use crate::console::pictures::{before_path, photo_path, rendition_path};
use crate::console::render::Moment;

/// Names an item as the operator saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ItemKey {
    pub(super) target: String,
    pub(super) user: UserId,
    pub(super) seq: u32,
    pub(super) value: Digest,
}

impl ItemKey {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (target, user) = (parts.next()?.to_owned(), parts.next()?.parse().ok()?);
        let (seq, value) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        parts.next().is_none().then_some(Self { target, user, seq, value })
    }
}

impl std::fmt::Display for ItemKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}/{}", self.target, self.user, self.seq, self.value)
    }
}

pub(super) struct HeldView {
    pub(super) key: ItemKey,
    /// What the directory calls the user, as far as that is known.
    pub(super) called: String,
    pub(super) account: Option<String>,
    pub(super) held_for: ApprovalReason,
    pub(super) reason: String,
    pub(super) since: Moment,
    /// What an operator decided about it; none as long as it is undecided.
    pub(super) decided: Option<String>,
    /// Where the present value is found; none for a photo that was cleared.
    pub(super) before: Option<String>,
    /// Where the value is found that would replace it; none for a removal.
    pub(super) after: Option<String>,
}

impl HeldView {
    /// `entry` is the one that waits, if it can be read.
    pub(super) fn of(item: ApprovalItem, entry: Option<&AuditEntry>) -> Self {
        let held = item.held;
        let user = held.user_id;
        let after = entry.and_then(|entry| {
            let photo = entry.photo.as_ref()?;
            Some(match entry.renditions.as_slice() {
                [only] => rendition_path(user, photo.sha256, &only.name, only.sha256),
                // Which of them the target takes is the agent's to know.
                _ => photo_path(user, photo.sha256),
            })
        });
        let account = entry.and_then(|entry| entry.identity.sam_account_name.clone());
        Self {
            called: account.clone().unwrap_or_else(|| user.to_string()),
            account,
            held_for: held.held_for,
            reason: held.reason,
            since: Moment(held.at),
            decided: item.decision.as_ref().map(in_words),
            before: (held.held_for != ApprovalReason::Cleared).then(|| before_path(user, held.value)),
            after,
            key: ItemKey { target: held.target, user, seq: held.seq, value: held.value },
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self.held_for {
            ApprovalReason::Foreign => "foreign",
            ApprovalReason::Removal => "removal",
            ApprovalReason::Cleared => "cleared",
        }
    }

    /// Whether a part of what is shown reads like this.
    pub(super) fn mentions(&self, text: &str) -> bool {
        let shown = [Some(&self.called), self.account.as_ref(), Some(&self.reason)];
        text.is_empty()
            || shown.into_iter().flatten().any(|shown| shown.to_lowercase().contains(text))
            || self.key.user.to_string().contains(text)
    }
}

fn in_words(decision: &Decision) -> String {
    let by = decision.by.as_deref().unwrap_or("an operator");
    let reason = decision.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("rejected by {by}{reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_written_and_nothing_else_is() {
        let text = format!("ad/1f2c0b0e-0000-4000-8000-000000000001/7/{}", Digest::of(b"value"));
        assert_eq!(ItemKey::parse(&text).unwrap().to_string(), text);
        for other in ["", "ad", &format!("{text}/x"), &text.replace("/7/", "/x/")] {
            assert_eq!(ItemKey::parse(other), None, "{other}");
        }
    }
}
