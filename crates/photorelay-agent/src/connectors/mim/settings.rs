//! What the feed is made of. Two settings decide what is already in it: a feed keeps them until it is rebuilt.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use md5::{Digest as _, Md5};
use photorelay_core::contract::Identity;
use photorelay_core::id::{Digest, UserId};

#[derive(Debug, Clone)]
pub struct MimSettings {
    /// The folder that is published.
    pub feed: PathBuf,
    /// The agent's own; a local disk, also when the feed is on a share.
    pub state: PathBuf,
    pub rendition: String,
    pub key: KeySource,
    pub checksum: Checksum,
    /// Changes are gathered for so long before they are published.
    pub publish_every: Duration,
    pub tombstone_days: u32,
    /// A publication with so many per cent fewer people or photos waits for an operator.
    pub shrink_percent: u32,
    /// Where the management agent's scripts are, if the agent can see them.
    pub scripts: Option<PathBuf>,
}

/// What the connector space knows a person by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeySource {
    #[default]
    UserId,
    /// `onPremisesImmutableId`.
    Anchor,
    SamAccountName,
    /// These three only if PHOTORELAY_IDENTITY_EXTRA has them recorded.
    EmployeeId,
    UserPrincipalName,
    Mail,
}

/// What is published beside the photo, so that importers can tell whether it changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Checksum {
    /// Lower-case hex: the digest that the audit trail has.
    #[default]
    Sha256,
    /// Upper-case hex, as `Get-Hash` of the PowerShell Community Extensions prints it. Not for security.
    Md5,
}

impl KeySource {
    const ALL: [Self; 6] =
        [Self::UserId, Self::Anchor, Self::SamAccountName, Self::EmployeeId, Self::UserPrincipalName, Self::Mail];

    /// Why a person has no such name.
    pub(super) fn missing(self) -> String {
        match self {
            Self::EmployeeId | Self::UserPrincipalName | Self::Mail => format!(
                "the audit entry has no {self}, which PHOTORELAY_MIM_ANCHOR asks for: add it to \
                 PHOTORELAY_IDENTITY_EXTRA of the function app, which records it with the user's next photo, or give the \
                 user one"
            ),
            Self::UserId | Self::Anchor | Self::SamAccountName => {
                format!("the user has no {self}, which PHOTORELAY_MIM_ANCHOR asks for")
            }
        }
    }

    /// None if the person has no such name.
    pub fn of(self, user: UserId, identity: &Identity) -> Option<String> {
        match self {
            Self::UserId => Some(user.to_string()),
            Self::Anchor => identity.anchor.clone(),
            Self::SamAccountName => identity.sam_account_name.clone(),
            Self::EmployeeId => identity.employee_id.clone(),
            Self::UserPrincipalName => identity.user_principal_name.clone(),
            Self::Mail => identity.mail.clone(),
        }
    }
}

impl Checksum {
    pub fn of(self, photo: &[u8]) -> String {
        match self {
            Self::Sha256 => Digest::of(photo).to_string(),
            Self::Md5 => Md5::digest(photo).iter().map(|byte| format!("{byte:02X}")).collect(),
        }
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UserId => "userId",
            Self::Anchor => "anchor",
            Self::SamAccountName => "samAccountName",
            Self::EmployeeId => "employeeId",
            Self::UserPrincipalName => "userPrincipalName",
            Self::Mail => "mail",
        })
    }
}

impl FromStr for KeySource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|source| source.to_string() == text);
        known.ok_or_else(|| format!("`{text}` is none of {}", Self::ALL.map(|source| source.to_string()).join(", ")))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256 => "sha256",
            Self::Md5 => "md5",
        })
    }
}

impl FromStr for Checksum {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Sha256, Self::Md5].into_iter().find(|checksum| checksum.to_string() == text);
        known.ok_or_else(|| format!("`{text}` is none of sha256, md5"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_md5_checksum_reads_as_the_published_scripts_print_it() {
        assert_eq!(Checksum::Md5.of(b"photo"), "5AE0C1C8A5260BC7B6648F6FBD115C35");
        assert_eq!(Checksum::Sha256.of(b"photo"), Digest::of(b"photo").to_string());
    }
}
