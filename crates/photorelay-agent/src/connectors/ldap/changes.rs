//! When and how often an attribute of an object was changed, from the directory's replication metadata: a change that
//! photorelay did not make is another writer's. Only ever shown to an operator; nothing is decided by it.
//!
//! Active Directory writes them as XML, one value for each attribute ([MS-ADTS] 3.1.1.3.2.26, DS_REPL_ATTR_META_DATA).
//! Samba has no such attribute, so the project's tests never see this from a domain controller.

use jiff::Timestamp;

use super::connector::LdapConnector;
use crate::connectors::{ConnectorError, EntryRef};

const METADATA: &str = "msDS-ReplAttributeMetaData";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastChange {
    /// The number of changes since the object was created.
    pub version: u32,
    pub at: Timestamp,
}

impl LdapConnector {
    /// The last change of the photo; none if the server does not show it.
    pub async fn last_change(&self, entry: &EntryRef) -> Result<Option<LastChange>, ConnectorError> {
        let wanted = [METADATA.to_owned()];
        let entries = self.search(&entry.0, ldap3::Scope::Base, "(objectClass=*)", &wanted).await?;
        let values = entries.first().map(|entry| entry.values(METADATA)).unwrap_or_default();
        let mut values = values.iter().filter_map(|value| str::from_utf8(value).ok());
        Ok(values.find_map(|value| last_change(value, &self.settings.attribute)))
    }
}

fn last_change(metadata: &str, attribute: &str) -> Option<LastChange> {
    let part = |name: &str| {
        let (_, rest) = metadata.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(value, _)| value.trim())
    };
    if !part("pszAttributeName")?.eq_ignore_ascii_case(attribute) {
        return None;
    }
    Some(LastChange {
        version: part("dwVersion")?.parse().ok()?,
        at: part("ftimeLastOriginatingChange")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_of_the_attribute_say_how_often_and_when_it_was_changed() {
        let of = |name: &str| {
            format!(
                "<DS_REPL_ATTR_META_DATA>\n\t<pszAttributeName>{name}</pszAttributeName>\n\t<dwVersion>3</dwVersion>\n\t\
                 <ftimeLastOriginatingChange>2026-11-27T08:15:00Z</ftimeLastOriginatingChange>\n\t\
                 <uuidLastOriginatingDsaInvocationID>6d5b3a0e-0000-4000-8000-000000000001\
                 </uuidLastOriginatingDsaInvocationID>\n\t<usnOriginatingChange>20539</usnOriginatingChange>\n\t\
                 <usnLocalChange>20539</usnLocalChange>\n\t<pszLastOriginatingDsaDN></pszLastOriginatingDsaDN>\n\
                 </DS_REPL_ATTR_META_DATA>\n\0"
            )
        };
        let change = last_change(&of("thumbnailPhoto"), "thumbnailphoto").unwrap();
        assert_eq!((change.version, change.at), (3, "2026-11-27T08:15:00Z".parse().unwrap()));
        assert_eq!(last_change(&of("title"), "thumbnailPhoto"), None);
        assert_eq!(last_change("<pszAttributeName>thumbnailPhoto</pszAttributeName>", "thumbnailPhoto"), None);
    }
}
