//! Words of the configuration that name servers and attributes.

use std::fmt;
use std::str::FromStr;

use super::settings::Server;

/// Servers in a setting, separated by commas or spaces.
#[derive(Debug, Clone)]
pub(crate) struct Servers(pub(crate) Vec<Server>);

impl FromStr for Servers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty());
        let servers = parts.map(str::parse).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() { Err("no domain controller is named".to_owned()) } else { Ok(Self(servers)) }
    }
}

/// The name of an attribute or a class, which becomes part of filters and files.
#[derive(Debug, Clone)]
pub struct AttributeName(pub(crate) String);

impl fmt::Display for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AttributeName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.len() <= 64
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if fits { Ok(Self(text.to_owned())) } else { Err("not the name of an attribute".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_servers_keep_their_order() {
        let servers: Servers = "ldaps://dc1, ldaps://dc2".parse().unwrap();
        assert_eq!(servers.0.iter().map(Server::to_string).collect::<Vec<_>>(), ["ldaps://dc1", "ldaps://dc2"]);
        assert!("ldaps://dc1,nothing".parse::<Servers>().is_err());
        assert!(" ".parse::<Servers>().is_err());
    }
}
