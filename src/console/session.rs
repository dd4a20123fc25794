//! Who may look: a link that works once, and the session that it is exchanged for.
//!
//! A console has one link and one session, both made from 256 random bits and kept as digests. An operator who finds the
//! link used already knows that another browser holds the session, and ends the console.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use photorelay_core::id::Digest;
use subtle::ConstantTimeEq as _;

/// The link, and the session once it was used.
pub(super) struct SessionDoor {
    /// A secret, like those that [`Doors`] knows as digests.
    csrf: String,
    doors: Mutex<Doors>,
}

impl fmt::Debug for SessionDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionDoor").finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Doors {
    /// None once it was used.
    link: Option<Digest>,
    session: Option<Digest>,
    /// What the last action did, for the page that follows it.
    notice: Option<Notice>,
}

/// What became of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) text: String,
    pub(super) is_problem: bool,
}

impl SessionDoor {
    /// Returns the secret of the link too, which exists nowhere else.
    pub(super) fn new() -> Result<(Self, String)> {
        let link = secret()?;
        let doors = Doors { link: Some(Digest::of(link.as_bytes())), session: None, notice: None };
        Ok((Self { csrf: secret()?, doors: Mutex::new(doors) }, link))
    }

    /// Exchanges the link's secret for that of the session, once.
    pub(super) fn open(&self, link: &str) -> Result<Option<String>> {
        let session = secret()?;
        let mut doors = self.doors();
        if !matches(doors.link, link) {
            return Ok(None);
        }
        doors.link = None;
        doors.session = Some(Digest::of(session.as_bytes()));
        Ok(Some(session))
    }

    pub(super) fn admits(&self, session: &str) -> bool {
        matches(self.doors().session, session)
    }

    /// What every form of the session carries, and no page of another site can know.
    pub(super) fn csrf(&self) -> &str {
        &self.csrf
    }

    pub(super) fn is_csrf(&self, text: &str) -> bool {
        matches(Some(Digest::of(self.csrf.as_bytes())), text)
    }

    pub(super) fn notify(&self, notice: Notice) {
        self.doors().notice = Some(notice);
    }

    pub(super) fn take_notice(&self) -> Option<Notice> {
        self.doors().notice.take()
    }

    fn doors(&self) -> MutexGuard<'_, Doors> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compares digests, in constant time.
fn matches(expected: Option<Digest>, given: &str) -> bool {
    let given = Digest::of(given.as_bytes());
    expected.is_some_and(|expected| expected.as_bytes().ct_eq(given.as_bytes()).into())
}

/// 256 random bits, fit for a URL and a cookie.
fn secret() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the system gives no random numbers")?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_works_once_and_only_the_right_one() {
        let (admission, link) = SessionDoor::new().unwrap();
        assert_eq!(admission.open("").unwrap(), None);
        assert_eq!(admission.open(&link[1..]).unwrap(), None);
        let session = admission.open(&link).unwrap().unwrap();
        assert!(admission.admits(&session) && session != link);
        assert!(!admission.admits(&link) && !admission.admits(""));
        assert_eq!(admission.open(&link).unwrap(), None);
        assert!(admission.admits(&session), "a second try with the link does not end the session");
    }

    #[test]
    fn nothing_is_admitted_before_the_link_was_used() {
        let (admission, _) = SessionDoor::new().unwrap();
        assert!(!admission.admits("") && !admission.is_csrf(""));
        assert!(admission.is_csrf(admission.csrf()));
    }
}
