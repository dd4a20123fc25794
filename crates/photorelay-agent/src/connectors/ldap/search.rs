//! Searches that end: bounded in time, in entries, and never at another server than the one that was asked.

use std::fmt;

use ldap3::asn1::StructureTag;
use ldap3::controls::{self, Control, ControlType};
use ldap3::{LdapError, LdapResult, ResultEntry, Scope, SearchOptions};

use super::codes;
use super::session::{Session, contained};
use crate::connectors::ConnectorError;

/// So many entries prove that a user is not found unambiguously; more are not read.
pub(super) const MOST_ENTRIES: usize = 4;
/// What a domain controller returns at most in one page (LDAP policy MaxPageSize).
const PAGE: i32 = 1000;
/// Larger than any directory: a server that sends more is broken.
const MOST_USERS: usize = 4_000_000;
/// A domain controller may send a few, where a page takes it too long.
const MOST_EMPTY_PAGES: usize = 64;

/// What the attributes of one object hold. Debug prints their names only.
pub(super) struct DirectoryEntry(Vec<(String, Vec<Vec<u8>>)>);

impl DirectoryEntry {
    /// The library's own reader panics where the answer is not an entry, and prints the user's name with it.
    fn of(entry: ResultEntry) -> Result<Self, SearchError> {
        let mut parts = entry.0.expect_constructed().unwrap_or_default().into_iter().skip(1);
        let attributes = parts.next().and_then(StructureTag::expect_constructed);
        let attributes = attributes.and_then(|all| all.into_iter().map(attribute).collect());
        attributes.map(Self).ok_or_else(|| {
            SearchError::Answered(ConnectorError::Failed("the directory sent an entry that cannot be read".to_owned()))
        })
    }

    pub(super) fn values(&self, attribute: &str) -> &[Vec<u8>] {
        let found = self.0.iter().find(|(name, values)| name.eq_ignore_ascii_case(attribute) && !values.is_empty());
        found.map_or(&[], |(_, values)| values)
    }

    pub(super) fn value(&self, attribute: &str) -> Option<&[u8]> {
        self.values(attribute).first().map(Vec::as_slice)
    }

    pub(super) fn text(&self, attribute: &str) -> Option<&str> {
        str::from_utf8(self.value(attribute)?).ok()
    }

    #[cfg(test)]
    pub(super) fn new<const N: usize>(attributes: [(&str, &[u8]); N]) -> Self {
        Self(attributes.into_iter().map(|(name, value)| (name.to_owned(), vec![value.to_vec()])).collect())
    }
}

impl fmt::Debug for DirectoryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// PartialAttribute (RFC 4511, 4.1.7).
fn attribute(tag: StructureTag) -> Option<(String, Vec<Vec<u8>>)> {
    let mut parts = tag.expect_constructed()?.into_iter();
    let name = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
    let values = parts.next()?.expect_constructed()?.into_iter();
    Some((name, values.map(StructureTag::expect_primitive).collect::<Option<_>>()?))
}

pub(super) enum SearchError {
    /// The server said no; the connection is as good as before.
    Answered(ConnectorError),
    /// The connection cannot be used any more.
    Lost(LdapError),
}

/// How much of an answer is read.
#[derive(Clone, Copy)]
struct SearchBounds {
    entries: usize,
    /// Whether the limit is also the size of the one page that is asked for: a server may keep to one of the two only. A
    /// page can cost it as much as a search for each entry.
    in_pages: bool,
}

/// What came of a search that is bounded.
pub(super) struct SearchAnswer {
    pub(super) entries: Vec<DirectoryEntry>,
    /// Whether the server has no more than these.
    pub(super) is_whole: bool,
}

/// At most [`MOST_ENTRIES`] entries. An object that is not there is no entry, not an error.
pub(super) async fn run(
    session: &Session,
    base: &str,
    scope: Scope,
    filter: &str,
    attributes: &[String],
) -> Result<Vec<DirectoryEntry>, SearchError> {
    let bounds = SearchBounds { entries: MOST_ENTRIES, in_pages: scope != Scope::Base };
    let found = in_time(session, entries(session, base, scope, filter, attributes, bounds)).await;
    found.map(|found| found.entries)
}

/// At most so many entries below the base, fewer than a page holds, and whether these are all.
pub(super) async fn whole(
    session: &Session,
    base: &str,
    filter: &str,
    attributes: &[String],
    most: usize,
) -> Result<SearchAnswer, SearchError> {
    let bounds = SearchBounds { entries: most, in_pages: false };
    in_time(session, entries(session, base, Scope::Subtree, filter, attributes, bounds)).await
}

/// At most so many entries below the base.
pub(super) async fn some(
    session: &Session,
    base: &str,
    filter: &str,
    attributes: &[String],
    most: usize,
) -> Result<Vec<DirectoryEntry>, SearchError> {
    if most == 0 {
        return Ok(Vec::new());
    }
    let bounds = SearchBounds { entries: most, in_pages: true };
    let found = in_time(session, entries(session, base, Scope::Subtree, filter, attributes, bounds)).await;
    found.map(|found| found.entries)
}

async fn in_time<T>(session: &Session, answer: impl Future<Output = Result<T, SearchError>>) -> Result<T, SearchError> {
    match tokio::time::timeout(session.timeout, answer).await {
        Ok(answer) => answer,
        Err(elapsed) => Err(SearchError::Lost(elapsed.into())),
    }
}

/// Shows every entry below the base, page by page; each of them has to come in time.
pub(super) async fn every(
    session: &Session,
    base: &str,
    filter: &str,
    attributes: &[String],
    mut show: impl FnMut(DirectoryEntry) + Send,
) -> Result<(), SearchError> {
    let mut ldap = session.ldap.clone();
    let (mut received, mut empty_pages, mut cookie) = (0, 0, Vec::new());
    loop {
        ldap.with_timeout(session.timeout).with_controls(controls::PagedResults { size: PAGE, cookie });
        let mut page =
            ldap.streaming_search(base, Scope::Subtree, filter, attributes).await.map_err(SearchError::Lost)?;
        let mut is_empty = true;
        while let Some(entry) = page.next().await.map_err(SearchError::Lost)? {
            received += 1;
            if received > MOST_USERS {
                return Err(SearchError::Lost(LdapError::EndOfStream));
            }
            if !entry.is_ref() && !entry.is_intermediate() {
                is_empty = false;
                show(DirectoryEntry::of(entry)?);
            }
        }
        let result = page.finish().await;
        if result.rc != 0 {
            return Err(SearchError::Answered(codes::error(&result)));
        }
        cookie = next_page(&result).await.map_err(SearchError::Lost)?;
        if cookie.is_empty() {
            return Ok(());
        }
        empty_pages += usize::from(is_empty);
        if empty_pages > MOST_EMPTY_PAGES {
            let reason = "the directory sent pages without users that did not come to an end";
            return Err(SearchError::Answered(ConnectorError::Failed(reason.to_owned())));
        }
    }
}

/// The cookie by which the next page is asked for (RFC 2696); empty after the last one.
async fn next_page(result: &LdapResult) -> Result<Vec<u8>, LdapError> {
    let paged = |control: &&Control| matches!(control.0, Some(ControlType::PagedResults));
    let Some(Control(_, control)) = result.ctrls.iter().find(paged) else { return Ok(Vec::new()) };
    contained(async { Ok(control.parse::<controls::PagedResults>().cookie) }).await
}

/// A server that keeps to no limit is asked to stop, and what was asked for is judged.
async fn entries(
    session: &Session,
    base: &str,
    scope: Scope,
    filter: &str,
    attributes: &[String],
    bounds: SearchBounds,
) -> Result<SearchAnswer, SearchError> {
    const NO_SUCH_OBJECT: u32 = 32;
    const SIZE_LIMIT_EXCEEDED: u32 = 4;
    let most_sent = i32::try_from(bounds.entries).unwrap_or(i32::MAX);
    let limits = SearchOptions::new().sizelimit(most_sent).timelimit(session.timeout.as_secs() as i32);
    let mut ldap = session.ldap.clone();
    ldap.with_search_options(limits).with_timeout(session.timeout);
    if bounds.in_pages {
        ldap.with_controls(controls::PagedResults { size: most_sent, cookie: Vec::new() });
    }
    let mut stream = ldap.streaming_search(base, scope, filter, attributes).await.map_err(SearchError::Lost)?;
    let mut entries = Vec::new();
    while let Some(entry) = stream.next().await.map_err(SearchError::Lost)? {
        if entry.is_ref() || entry.is_intermediate() {
            continue;
        }
        if entries.len() == bounds.entries {
            let search = stream.ldap_handle().last_id();
            stream.finish().await;
            session.ldap.clone().abandon(search).await.map_err(SearchError::Lost)?;
            return Ok(SearchAnswer { entries, is_whole: false });
        }
        entries.push(DirectoryEntry::of(entry)?);
    }
    let result = stream.finish().await;
    match result.rc {
        0 => {
            let is_whole = next_page(&result).await.map_err(SearchError::Lost)?.is_empty();
            Ok(SearchAnswer { entries, is_whole })
        }
        SIZE_LIMIT_EXCEEDED => Ok(SearchAnswer { entries, is_whole: false }),
        NO_SUCH_OBJECT => Ok(SearchAnswer { entries: Vec::new(), is_whole: false }),
        _ => Err(SearchError::Answered(codes::error(&result))),
    }
}
