//! The configured targets: each has a name, the on-premises domains that it serves, and its own queue.
//!
//! `PHOTORELAY_TARGETS` lists them as `name=domain,domain;name=*`. The queue of the first target is `photo-writebacks`,
//! that of any other target `photo-writebacks-{name}`. A user's entries are announced to every target that serves the
//! user's domain.

use std::str::FromStr;

use crate::names;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub name: String,
    pub queue: String,
    serves: Serves,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Serves {
    AllDomains,
    /// Lower-case DNS domain names.
    Domains(Vec<String>),
}

impl Target {
    /// Whether users of this domain are announced to the target.
    pub fn serves(&self, domain: Option<&str>) -> bool {
        match &self.serves {
            Serves::AllDomains => true,
            Serves::Domains(domains) => domain.is_some_and(|d| domains.iter().any(|own| own.eq_ignore_ascii_case(d))),
        }
    }
}

/// All targets, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets(Vec<Target>);

impl Default for Targets {
    /// One directory for all domains.
    fn default() -> Self {
        "ad=*".parse().expect("the default is well formed")
    }
}

impl Targets {
    pub fn all(&self) -> &[Target] {
        &self.0
    }

    pub fn by_name(&self, name: &str) -> Option<&Target> {
        self.0.iter().find(|target| target.name == name)
    }

    /// The targets that serve this domain.
    pub fn serving(&self, domain: Option<&str>) -> impl Iterator<Item = &Target> {
        self.0.iter().filter(move |target| target.serves(domain))
    }
}

impl FromStr for Targets {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut targets: Vec<Target> = Vec::new();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, domains) =
                part.split_once('=').ok_or_else(|| format!("`{part}` is not `name=domain,domain` or `name=*`"))?;
            let name = valid_name(name.trim())?;
            if targets.iter().any(|target| target.name == name) {
                return Err(format!("target `{name}` is named twice"));
            }
            let domains: Vec<String> =
                domains.split(',').map(|d| d.trim().to_ascii_lowercase()).filter(|d| !d.is_empty()).collect();
            let serves = match domains.as_slice() {
                [] => return Err(format!("target `{name}` serves no domain: list its domains, or use `*` for all")),
                [all] if all == "*" => Serves::AllDomains,
                _ => Serves::Domains(domains),
            };
            let queue =
                if targets.is_empty() { names::WRITEBACKS_QUEUE.to_owned() } else { names::writebacks_queue(name) };
            targets.push(Target { name: name.to_owned(), queue, serves });
        }
        if targets.is_empty() { Err("no target is named".to_owned()) } else { Ok(Self(targets)) }
    }
}

/// Checks a target's name, which becomes part of queue and blob names.
fn valid_name(name: &str) -> Result<&str, String> {
    let fits = (1..=24).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && name != "poison";
    if fits { Ok(name) } else { Err(format!("target name `{name}` is not 1 to 24 lower-case letters or digits")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_target_has_the_plain_queue_and_others_their_own() {
        let targets: Targets = "emea=emea.contoso.com; feed=*".parse().unwrap();
        let queues: Vec<_> = targets.all().iter().map(|t| t.queue.as_str()).collect();
        assert_eq!(queues, ["photo-writebacks", "photo-writebacks-feed"]);
    }

    #[test]
    fn a_user_is_announced_to_every_target_that_serves_the_domain() {
        let targets: Targets = "emea=emea.contoso.com;apac=apac.contoso.com;feed=*".parse().unwrap();
        let names = |domain| targets.serving(domain).map(|t| t.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(Some("EMEA.contoso.com")), ["emea", "feed"]);
        assert_eq!(names(None), ["feed"]);
    }

    #[test]
    fn an_invalid_list_is_refused() {
        for text in ["", "ad", "ad=", "AD=*", "ad=*;ad=x.test", "a b=*"] {
            assert!(text.parse::<Targets>().is_err(), "{text}");
        }
    }
}
