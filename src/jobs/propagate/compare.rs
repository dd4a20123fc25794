//! Step 2: an ETag equal to the head's ends the reconciliation, unless the message asks for the bytes anyway.

use photorelay_core::contract::{FetchPolicy, Head};

use super::context::Reconciliation;
use super::journal::Step;

pub(super) fn is_unchanged(cx: &mut Reconciliation<'_>, head: Option<&Head>, media_etag: &str) -> bool {
    let same = head.is_some_and(|head| head.media_etag.as_deref() == Some(media_etag));
    let always = cx.message.fetch_policy == FetchPolicy::Always;
    cx.journal.note(Step::CompareEtag, || match (same, always) {
        (true, false) => format!("ETag {media_etag} is the head's: nothing changed"),
        (true, true) => format!("ETag {media_etag} is the head's; the bytes are compared anyway"),
        (false, _) => format!("ETag {media_etag} is new: maybe changed"),
    });
    same && !always
}
