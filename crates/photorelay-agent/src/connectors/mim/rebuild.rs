//! Begins the feed anew under a new epoch: with other settings, or after damage. Importers need a full import then; it is
//! an operator's decision.

use photorelay_core::contract::Identity;
use rusqlite::params;

use super::FeedError;
use super::line::PersonLine;
use super::photos::read_photo;
use super::publish::is_filled;
use super::schema::{self, Counter};
use super::settings::MimSettings;
use super::store::{COLUMNS, FeedStore, person};

impl FeedStore {
    /// Opens a feed that may have been made with other settings, and makes it anew with these. Returns how many people
    /// are in it; those whose photo files are damaged get them again by the next full reconciliation.
    pub fn rebuild(settings: MimSettings) -> Result<u64, FeedError> {
        let store = Self::open_unchecked(settings)?;
        let settings = &store.settings;
        store.write_with(|transaction| {
            let state = |error| store.failed(error);
            let all = format!("SELECT {COLUMNS} FROM people");
            let people: Vec<_> = transaction
                .prepare(&all)
                .and_then(|mut all| all.query_map([], person)?.collect::<Result<_, _>>())
                .map_err(state)?;
            let made_with: Option<String> = schema::text(transaction, "key").map_err(state)?;
            let is_same_key = made_with.is_some_and(|made_with| made_with == settings.key.to_string());
            // Keys are unique at every moment, and two people may swap theirs.
            transaction.execute("UPDATE people SET key = '*' || user_id", []).map_err(state)?;
            let update = "UPDATE people SET key = ?2, photo = ?3, bytes = ?4, checksum = ?5 WHERE user_id = ?1";
            for line in &people {
                let key = if is_same_key { line.key.clone() } else { new_key(line, settings)? };
                let photo = match &line.photo {
                    Some(photo) => read_photo(&settings.feed, photo.digest)?.map(|bytes| (photo.digest, bytes)),
                    None => None,
                };
                let digest = photo.as_ref().map(|(digest, _)| digest.to_string());
                let length = photo.as_ref().map(|(_, bytes)| bytes.len() as u64);
                let checksum = photo.as_ref().map(|(_, bytes)| settings.checksum.of(bytes));
                let updated =
                    transaction.execute(update, params![line.user.to_string(), key, digest, length, checksum]);
                updated.map_err(|error| match error.sqlite_error_code() {
                    Some(rusqlite::ErrorCode::ConstraintViolation) => FeedError::Unusable(format!(
                        "user {} would have the same key as another user: choose another PHOTORELAY_MIM_ANCHOR",
                        line.user
                    )),
                    _ => store.failed(error),
                })?;
            }
            transaction.execute("DELETE FROM tombstones", []).map_err(state)?;
            Counter::Floor.set(transaction, 0).map_err(state)?;
            let was_filled = is_filled(transaction, false).map_err(state)?;
            schema::begin(transaction, settings).map_err(state)?;
            is_filled(transaction, was_filled).map_err(state)?;
            Ok(people.len() as u64)
        })
    }
}

/// From what the feed holds of the person: what an audit entry had besides is not in it.
fn new_key(line: &PersonLine, settings: &MimSettings) -> Result<String, FeedError> {
    let identity = Identity {
        anchor: Some(line.anchor.clone()),
        sam_account_name: Some(line.sam_account_name.clone()),
        ..Identity::default()
    };
    settings.key.of(line.user, &identity).filter(|key| !key.is_empty()).ok_or_else(|| {
        FeedError::Unusable(format!(
            "the feed does not hold what PHOTORELAY_MIM_ANCHOR={} names of user {}: stop the agent, delete {} and run \
             `photorelay-agent once`, which fills a new feed",
            settings.key,
            line.user,
            settings.state.display()
        ))
    })
}
