//! The management agent's scripts as this version has them, with an operator's settings at their head, and whether those
//! in a folder are the same.
//!
//! It never loses a setting: those of the scripts in the folder stay unless another is given, because another anchor has
//! MIM delete every object. What it cannot read as a script of photorelay it does not replace.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::FeedError;
use crate::connectors::files::{read_limited, write_whole};

/// The first two have the settings.
const SCRIPTS: [(&str, &str); 4] = [
    ("schema.ps1", include_str!("../../../../../infra/mim/schema.ps1")),
    ("import.ps1", include_str!("../../../../../infra/mim/import.ps1")),
    ("export.ps1", include_str!("../../../../../infra/mim/export.ps1")),
    ("password.ps1", include_str!("../../../../../infra/mim/password.ps1")),
];

const HEAD: &str = "$settings = @{";
const HEAD_END: &str = "}";

/// What signing appends.
const SIGNATURE: &str = "# SIG # Begin signature block";

/// Many times what a signed script has.
const MAX_BYTES: u64 = 1024 * 1024;

/// A value at the head of `schema.ps1` and `import.ps1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptSetting {
    name: String,
    value: String,
}

/// A script in the folder, compared with this version's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptState {
    Missing,
    /// But for line ends and a signature.
    Same,
    Differs,
}

/// The four scripts for one folder.
#[derive(Debug)]
pub struct ManagementScripts {
    folder: PathBuf,
    settings: Vec<ScriptSetting>,
}

impl ManagementScripts {
    /// With the settings of the scripts that are there, else the defaults.
    pub fn in_folder(folder: &Path) -> Result<Self, FeedError> {
        let mut settings = defaults();
        let mut installed = Vec::new();
        for (script, _) in &SCRIPTS[..2] {
            let Some(text) = read(&folder.join(script))? else { continue };
            let mut of_script = settings.clone();
            for setting in head(&text).map_err(|error| unusable(folder, script, &error))? {
                replace(&mut of_script, setting);
            }
            installed.push(of_script);
        }
        if let [schema, import] = &installed[..]
            && let Some((setting, _)) = schema.iter().zip(import).find(|(schema, import)| schema != import)
        {
            return Err(FeedError::Unusable(format!(
                "{}: schema.ps1 and import.ps1 have different values of {}: correct one of them",
                folder.display(),
                setting.name
            )));
        }
        if let Some(found) = installed.pop() {
            settings = found;
        }
        Ok(Self { folder: folder.to_owned(), settings })
    }

    pub fn set(&mut self, settings: Vec<ScriptSetting>) -> Result<(), FeedError> {
        settings.into_iter().for_each(|setting| replace(&mut self.settings, setting));
        let mut taken = BTreeMap::new();
        for ScriptSetting { name, value } in self.settings.iter().filter(|setting| setting.is_attribute()) {
            if let Some(other) = taken.insert(value.to_ascii_lowercase(), name) {
                let says = format!("{other} and {name} are both {value}: give each attribute a name of its own");
                return Err(FeedError::Unusable(says));
            }
        }
        Ok(())
    }

    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings.iter().map(|setting| (setting.name.as_str(), setting.value.as_str()))
    }

    /// Each script in the folder.
    pub fn compare(&self) -> Result<Vec<(&'static str, ScriptState)>, FeedError> {
        let compared = SCRIPTS.iter().map(|(script, text)| {
            let state = match read(&self.folder.join(script))? {
                None => ScriptState::Missing,
                Some(found) if lines(&found).eq(lines(&self.with_settings(text))) => ScriptState::Same,
                Some(_) => ScriptState::Differs,
            };
            Ok((*script, state))
        });
        compared.collect()
    }

    /// Writes those that are not the same.
    pub fn write(&self, compared: &[(&'static str, ScriptState)]) -> Result<(), FeedError> {
        fs::create_dir_all(&self.folder).map_err(FeedError::file(&self.folder))?;
        for (script, text) in &SCRIPTS {
            if !compared.contains(&(*script, ScriptState::Same)) {
                let path = self.folder.join(script);
                write_whole(&path, self.with_settings(text).as_bytes()).map_err(FeedError::file(&path))?;
            }
        }
        Ok(())
    }

    fn with_settings(&self, text: &str) -> String {
        let (mut written, mut is_head) = (String::with_capacity(text.len()), false);
        for line in text.split_inclusive('\n') {
            let content = line.trim_end();
            is_head = if is_head { content != HEAD_END } else { content == HEAD };
            let name = content.split_once('=').map(|(name, _)| name.trim()).filter(|_| is_head);
            match self.settings.iter().find(|setting| Some(setting.name.as_str()) == name) {
                Some(ScriptSetting { name, value }) => {
                    written += &format!("    {name} = '{value}'{}", &line[content.len()..]);
                }
                None => written += line,
            }
        }
        written
    }
}

impl ScriptSetting {
    fn is_attribute(&self) -> bool {
        self.name.ends_with("Attribute") && !self.value.is_empty()
    }
}

impl FromStr for ScriptSetting {
    type Err = String;

    /// `NAME=VALUE`, as the management agent's configuration parameters have it.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("it is not NAME=VALUE")?;
        let (name, value) = (name.trim(), value.trim());
        let defaults = defaults();
        let Some(known) = defaults.iter().find(|setting| setting.name.eq_ignore_ascii_case(name)) else {
            let names: Vec<&str> = defaults.iter().map(|setting| setting.name.as_str()).collect();
            return Err(format!("there is no setting {name}; there are {}", names.join(", ")));
        };
        let needed = match known.name.as_str() {
            "Feed" if value.chars().all(|c| (' '..='~').contains(&c) && c != '\'') => None,
            "Feed" => Some("a path of ASCII characters without '; any other can be a configuration parameter"),
            "MaxAgeHours" if value.len() <= 5 && value.bytes().all(|digit| digit.is_ascii_digit()) => None,
            "MaxAgeHours" => Some("a whole number, or empty"),
            "Verify" if ["0", "1"].contains(&value) => None,
            "Verify" => Some("0 or 1"),
            // What has no name by default need not be imported.
            _ if is_name(value) || (value.is_empty() && known.value.is_empty()) => None,
            _ => Some("a name of ASCII letters, digits, - and _ that begins with a letter"),
        };
        match needed {
            Some(needed) => Err(format!("{} is {needed}", known.name)),
            None => Ok(Self { name: known.name.clone(), value: value.to_owned() }),
        }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= 64
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn defaults() -> Vec<ScriptSetting> {
    let lines = assignments(SCRIPTS[1].1);
    lines
        .map(|(name, value)| ScriptSetting { name: name.to_owned(), value: value.trim_matches('\'').to_owned() })
        .collect()
}

/// The lines of the head, with the quotes of the values.
fn assignments(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let head = text.lines().map(str::trim).skip_while(|line| *line != HEAD).skip(1);
    let head = head.take_while(|line| *line != HEAD_END).filter(|line| !line.is_empty());
    head.map(|line| line.split_once('=').map_or((line, ""), |(name, value)| (name.trim(), value.trim())))
}

/// The settings of a script that is installed.
fn head(text: &str) -> Result<Vec<ScriptSetting>, String> {
    if !text.lines().any(|line| line.trim() == HEAD) {
        return Err("it has no settings of photorelay at its head".to_owned());
    }
    let settings = assignments(text).map(|(name, value)| {
        let value = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
        let value = value.ok_or_else(|| format!("the value of {name} at its head is not one text in single quotes"))?;
        format!("{name}={value}").parse()
    });
    settings.collect()
}

fn replace(settings: &mut [ScriptSetting], with: ScriptSetting) {
    if let Some(setting) = settings.iter_mut().find(|setting| setting.name == with.name) {
        *setting = with;
    }
}

fn read(path: &Path) -> Result<Option<String>, FeedError> {
    let bytes = read_limited(path, MAX_BYTES).map_err(FeedError::file(path))?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}').to_owned()))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    // What is no comment is no signature.
    let signature =
        text.split_once(SIGNATURE).filter(|(_, rest)| rest.lines().skip(1).all(|line| line.starts_with('#')));
    signature.map_or(text, |(text, _)| text).trim_end().lines().map(str::trim_end)
}

fn unusable(folder: &Path, script: &str, why: &str) -> FeedError {
    FeedError::Unusable(format!(
        "{}: {why}. If it is another management agent's, choose another folder; else correct it, or move it away",
        folder.join(script).display()
    ))
}
