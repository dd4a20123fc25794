//! The API versions that templates use, beside what was looked up of them: which are not known, and which retire soon.
//!
//! The table is what was looked up, with the date; this cannot know what Azure has announced since.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use jiff::ToSpan as _;
use jiff::civil::Date;

/// The file of the table, in infra/.
pub const TABLE: &str = "api-versions.tsv";

/// When each type at its version retires, if that is known.
pub type ApiVersions = BTreeMap<String, Option<Date>>;

/// What an author of templates has to do.
pub fn problems(table: &ApiVersions, used: &BTreeSet<String>, today: Date) -> Result<Vec<String>> {
    let soon = today.checked_add(6.months())?;
    let unknown = used
        .iter()
        .filter(|used| !table.contains_key(*used))
        .map(|used| format!("{used} is not in {TABLE}: look its retirement up and add it"));
    let unused = table
        .keys()
        .filter(|known| !used.contains(*known))
        .map(|known| format!("{known} is in {TABLE}, and no template uses it: remove it"));
    let retiring = table.iter().filter_map(|(known, retires)| {
        let retires = retires.filter(|retires| *retires <= soon)?;
        Some(format!("{known} retires on {retires}: use a later version"))
    });
    Ok(unknown.chain(unused).chain(retiring).collect())
}

/// Reads the table: five fields in each line, separated by tabs.
pub fn parse(text: &str) -> Result<ApiVersions> {
    let lines = text.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines
        .map(|line| {
            let [kind, version, looked_up, retires, _source] = line.split('\t').collect::<Vec<_>>()[..] else {
                bail!("{TABLE}: `{line}` has not five fields");
            };
            looked_up.parse::<Date>().with_context(|| format!("{TABLE}: {kind}: {looked_up}"))?;
            let retires = match retires {
                "-" => None,
                date => Some(date.parse().with_context(|| format!("{TABLE}: {kind}: {date}"))?),
            };
            Ok((format!("{kind}@{version}"), retires))
        })
        .collect()
}

/// Such as `Microsoft.Storage/storageAccounts@2023-05-01`.
pub fn is_resource_type(text: &str) -> bool {
    text.starts_with("Microsoft.") && text.split_once('@').is_some_and(|(kind, _)| kind.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_not_looked_up_not_used_or_retires_soon_is_a_problem() {
        let text = "# what it is\ntype\tversion\tlooked_up\tretires\tsource\n\
                    Microsoft.KeyVault/vaults\t2023-07-01\t2026-11-30\t2027-02-27\thttps://a\n\
                    Microsoft.Web/sites\t2024-04-01\t2026-11-30\t-\thttps://a\n";
        let table = parse(text).unwrap();
        let used = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let both = used(&["Microsoft.KeyVault/vaults@2023-07-01", "Microsoft.Web/sites@2024-04-01"]);
        let at = |date: &str, used: &BTreeSet<String>| problems(&table, used, date.parse().unwrap()).unwrap();
        assert_eq!(at("2026-08-26", &both), Vec::<String>::new());
        assert!(at("2026-08-27", &both)[0].contains("retires on 2027-02-27"));
        let other = used(&["Microsoft.KeyVault/vaults@2023-07-01", "Microsoft.Web/sites@2025-01-01"]);
        assert_eq!(at("2026-01-01", &other).len(), 2, "one is not looked up, one is not used");
        assert!(parse("type\nMicrosoft.Web/sites\t2024-04-01\n").is_err());
    }
}
