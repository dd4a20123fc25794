//! What an agent would write, for the console.

use std::collections::BTreeMap;

use photorelay_core::contract::{Preview, PreviewPage, PreviewRow, PreviewState, V1};
use photorelay_core::id::Digest;

use crate::{golden, time, user};

#[test]
fn the_preview_and_its_pages_are_as_agreed() {
    let preview = Preview {
        v: V1,
        target: "ad".to_owned(),
        agent: "agent-1".to_owned(),
        run: time(),
        finished_at: time(),
        people: 3,
        states: BTreeMap::from([(PreviewState::Add, 1), (PreviewState::LeftOut, 2)]),
        left_out: BTreeMap::from([("not on the pilot's list".to_owned(), 2)]),
        bytes: 6_800,
        minutes: Some(1),
        pages: 1,
    };
    golden("preview.json", &preview);
    let row = PreviewRow {
        user_id: user(),
        seq: 3,
        state: PreviewState::Add,
        would: "write 6800 bytes".to_owned(),
        shows: None,
        photo: Some(Digest::of(b"photo")),
        wants: Some(Digest::of(b"thumbnail")),
        rendition: "thumbnailPhoto".to_owned(),
    };
    golden("preview-page.json", &PreviewPage { v: V1, target: "ad".to_owned(), rows: vec![row] });
}
