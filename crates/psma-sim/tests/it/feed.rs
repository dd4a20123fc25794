//! A writer of feeds, from docs/mim-feed.md alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use psma_sim::{AttributeValue, ConnectorObject, ManagementAgent, PsmaVersion, shipped_scripts};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

pub(crate) const NOW: i64 = 1_780_000_000;

/// A user of the feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) key: String,
    pub(crate) anchor: String,
    pub(crate) sid: String,
    pub(crate) sam: String,
    pub(crate) domain: String,
    pub(crate) photo: Option<Vec<u8>>,
}

/// The last state of one line.
#[derive(Debug, Clone)]
struct Line {
    sequence: u64,
    /// None for a tombstone.
    person: Option<Person>,
}

/// A feed in a folder of its own, with the scripts below it.
pub(crate) struct TestFeed {
    folder: TempDir,
    epoch: u32,
    pub(crate) sequence: u64,
    floor: u64,
    pub(crate) published: i64,
    /// By user ID and key.
    lines: BTreeMap<(String, String), Line>,
}

pub(crate) fn user_id(number: usize) -> String {
    // Eleven segments, so that some have many users.
    format!("{:02x}{number:06x}-4bd7-4438-9172-7e708e59fcc5", number % 11 * 23)
}

impl TestFeed {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("scripts");
        fs::create_dir(&copy).unwrap();
        for script in ["schema.ps1", "import.ps1", "export.ps1", "password.ps1"] {
            fs::copy(shipped_scripts().join(script), copy.join(script)).unwrap();
        }
        Self { folder, epoch: 1, sequence: 0, floor: 0, published: NOW, lines: BTreeMap::new() }
    }

    /// A published feed of so many users; every third one has no photo.
    pub(crate) fn of(people: usize) -> Self {
        let mut feed = Self::new();
        for number in 0..people {
            let photo = (number % 3 != 2).then(|| format!("photo of {number}").into_bytes());
            feed.put(number, photo);
        }
        feed.publish();
        feed
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A management agent on this feed, its schema read.
    pub(crate) fn agent(&self, version: PsmaVersion) -> ManagementAgent {
        let agent = ManagementAgent::new(version, &self.path().join("scripts"));
        ready(agent.with("Feed", self.path().to_str().unwrap()))
    }

    pub(crate) fn put(&mut self, number: usize, photo: Option<Vec<u8>>) {
        let id = user_id(number);
        self.set(&id, Person { key: id.clone(), photo, ..Person::default() });
    }

    /// Adds or changes a user. A key that changes leaves a tombstone; a key that comes back has none.
    pub(crate) fn set(&mut self, id: &str, person: Person) {
        let old: Vec<String> = self.live_keys(id).filter(|key| *key != person.key).collect();
        for key in old {
            self.bury(id, &key);
        }
        self.lines.retain(|(_, key), line| *key != person.key || line.person.is_some());
        self.sequence += 1;
        let line = Line { sequence: self.sequence, person: Some(person.clone()) };
        self.lines.insert((id.to_owned(), person.key), line);
    }

    /// Gives a user another key, unless a living user has it.
    pub(crate) fn rename(&mut self, number: usize, key: &str) {
        let id = user_id(number);
        let living =
            |((user, _), line): (&(String, String), &Line)| line.person.clone().map(|person| (user.clone(), person));
        let living: Vec<(String, Person)> = self.lines.iter().filter_map(living).collect();
        if living.iter().all(|(_, person)| person.key != key) {
            let own = living.into_iter().find(|(user, _)| *user == id).map(|(_, person)| person);
            self.set(&id, Person { key: key.to_owned(), ..own.unwrap_or_default() });
        }
    }

    pub(crate) fn remove(&mut self, number: usize) {
        let id = user_id(number);
        for key in self.live_keys(&id).collect::<Vec<_>>() {
            self.bury(&id, &key);
        }
    }

    fn live_keys(&self, id: &str) -> impl Iterator<Item = String> {
        let live = self.lines.iter().filter(move |((user, _), line)| user == id && line.person.is_some());
        live.map(|((_, key), _)| key.clone())
    }

    fn bury(&mut self, id: &str, key: &str) {
        self.sequence += 1;
        self.lines.insert((id.to_owned(), key.to_owned()), Line { sequence: self.sequence, person: None });
    }

    pub(crate) fn drop_tombstones(&mut self) {
        let dropped = self.lines.values().filter(|line| line.person.is_none()).map(|line| line.sequence);
        self.floor = dropped.max().unwrap_or(self.floor).max(self.floor);
        self.lines.retain(|_, line| line.person.is_some());
    }

    /// A new epoch; sequence numbers begin again.
    pub(crate) fn rebuild(&mut self) {
        self.epoch += 1;
        (self.sequence, self.floor) = (0, 0);
        self.lines.retain(|_, line| line.person.is_some());
        for line in self.lines.values_mut() {
            self.sequence += 1;
            line.sequence = self.sequence;
        }
    }

    pub(crate) fn publish(&self) {
        let mut manifest = String::new();
        for prefix in (0..=255).map(|byte| format!("{byte:02x}")) {
            let lines: Vec<_> = self.lines.iter().filter(|((id, _), _)| id.starts_with(&prefix)).collect();
            let text: String = lines.iter().map(|((id, key), line)| self.segment_line(id, key, line)).collect();
            let people = lines.iter().filter(|(_, line)| line.person.is_some()).count();
            let highest = lines.iter().map(|(_, line)| line.sequence).max().unwrap_or(0);
            let digest = if lines.is_empty() { "-".to_owned() } else { hex(text.as_bytes()) };
            if !lines.is_empty() {
                self.write(&format!("segments/{prefix}/{digest}.tsv"), text.as_bytes());
            }
            manifest.push_str(&format!("{prefix}\t{digest}\t{people}\t{highest}\n"));
        }
        let epoch = format!("{:08x}-0000-4000-8000-000000000000", self.epoch);
        let name = format!("{epoch}-{}.tsv", self.sequence);
        self.write(&format!("manifests/{name}"), manifest.as_bytes());
        let people = self.lines.values().filter(|line| line.person.is_some()).count();
        let (sequence, floor, published) = (self.sequence, self.floor, self.published);
        let digest = hex(manifest.as_bytes());
        let current = format!("1\t{epoch}\t{sequence}\t{floor}\t{name}\t{digest}\t{people}\t{published}\n");
        self.write("current", current.as_bytes());
    }

    fn segment_line(&self, id: &str, key: &str, line: &Line) -> String {
        let person = line.person.clone().unwrap_or_default();
        let state = match &line.person {
            None => "X",
            Some(Person { photo: None, .. }) => "N",
            Some(_) => "P",
        };
        let photo = person.photo.as_ref().map(|photo| (hex(photo), photo.len().to_string()));
        if let (Some(bytes), Some((digest, _))) = (&person.photo, &photo) {
            self.write(&photo_path(digest), bytes);
        }
        let (digest, length) = photo.unwrap_or_default();
        let texts = [key, &person.anchor, &person.sid, &person.sam, &person.domain].map(encoded);
        let [key, anchor, sid, sam, domain] = texts;
        let sequence = line.sequence;
        format!("{sequence}\t{state}\t{key}\t{id}\t{anchor}\t{sid}\t{sam}\t{domain}\t{digest}\t{length}\t{digest}\n")
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// What the connector space shows after an import with the default settings.
    pub(crate) fn expected(&self) -> BTreeMap<String, ConnectorObject> {
        let people = self.lines.values().filter_map(|line| line.person.as_ref());
        people.map(|person| (person.key.clone(), object(person))).collect()
    }
}

fn object(person: &Person) -> ConnectorObject {
    let mut attributes = BTreeMap::from([("EXOUserKey".to_owned(), AttributeValue::Text(person.key.clone()))]);
    if let Some(photo) = &person.photo {
        attributes.insert("EXOPhoto".to_owned(), AttributeValue::Binary(photo.clone()));
        attributes.insert("EXOPhotoChecksum".to_owned(), AttributeValue::Text(hex(photo)));
    }
    ConnectorObject { class: "EXOUser".to_owned(), anchor: person.key.clone(), attributes }
}

/// Refreshes the schema.
pub(crate) fn ready(mut agent: ManagementAgent) -> ManagementAgent {
    agent.set_clock(NOW);
    agent.refresh_schema().unwrap().unwrap();
    agent
}

pub(crate) fn space(agent: &ManagementAgent) -> BTreeMap<String, ConnectorObject> {
    agent.connector_space().iter().map(|(dn, object)| (dn.to_owned(), object.clone())).collect()
}

pub(crate) fn photo_path(digest: &str) -> String {
    format!("photos/{}/{digest}.jpg", &digest[..2])
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=@,: ".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
