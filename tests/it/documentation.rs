//! The documentation is true: every command of a `console` block is run here, in the order of the page, and what it
//! prints has the shape that the page shows; or it stands in [`NOT_RUN`] with the reason.
//!
//! A page is run against a simulator, an embedded store and an agent in this process, in a folder of its own. README.md
//! starts with no settings but those that it exports, so that it can be pasted as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use photorelay::jobs::sweep::Run;
use testkit::process::program;
use testkit::world::{CLIENT_STATE, Setup, World};
use tokio::process::Command;

use crate::commands::settings;
use crate::infra::root;
use crate::watch::heartbeat_of;

/// Commands that begin like this cannot be run by a test, or are run by another one.
const NOT_RUN: [(&str, &str); 31] = [
    ("az ", "needs an Azure subscription"),
    ("azd ", "needs an Azure subscription"),
    ("infra/scripts/", "needs an Azure subscription; `cargo xtask infra` lints the scripts"),
    ("docker ", "needs a container runtime; `cargo xtask infra` scans the files"),
    ("kubectl ", "needs a cluster; `cargo xtask infra` parses the manifest"),
    ("cd infra/container", "prepares `docker`"),
    ("mkdir -m 0777 written", "prepares `docker`"),
    ("cd infra/monitoring", "prepares `jq`"),
    ("jq ", "needs jq; `cargo xtask infra` compares the workbook with the files"),
    ("cargo demo", "`cargo xtask ci` runs it"),
    (
        "target/release/photorelay-agent --env-file",
        "works on a run of the demo; tests/it/operators.rs covers --env-file",
    ),
    ("eval ", "starts services; `cargo xtask test` starts the same"),
    ("cargo xtask test", "it is what runs this test"),
    ("cargo xtask package", "builds for another C library; tests/it/host.rs runs its package where it was built"),
    ("cargo build --release", "cargo has built the programs of this test"),
    ("export PATH=", "the test knows where the programs are"),
    ("graph-sim ", "runs in this process"),
    ("photorelay run", "runs in this process; tests/it/standalone.rs starts the program"),
    ("PHOTORELAY_FOLDER_PATH=./written photorelay-agent run", "runs in this process"),
    ("photorelay probe", "needs an application that may change photos; tests/it/doctor.rs runs it"),
    ("photorelay console", "answers until it is ended; tests/it/console/ opens it"),
    ("photorelay completions", "writes into /etc; tests/it/command_line.rs runs it"),
    ("photorelay-agent completions", "likewise; the agent's tests/it/program.rs runs it"),
    ("openssl req", "makes a certificate; testkit makes one of its own"),
    ("openssl x509", "likewise"),
    ("cat agent.crt", "likewise"),
    ("install ", "needs root and systemd"),
    ("systemctl ", "needs root and systemd"),
    ("journalctl ", "needs root and systemd"),
    ("cp -a /srv/", "needs the folder of an installation"),
    ("cp /usr/local/", "needs an installation"),
];

/// Pages whose commands are run; the others have none, which is checked.
const PAGES: [&str; 11] = [
    "README.md",
    "docs/commands.md",
    "docs/console.md",
    "docs/data-protection.md",
    "docs/deploy.md",
    "docs/permissions.md",
    "docs/recovery.md",
    "docs/updates.md",
    "infra/agent/README.md",
    "infra/container/README.md",
    "infra/monitoring/README.md",
];

/// A command of a page, and the lines that it prints there.
#[derive(Debug)]
struct Example {
    line: usize,
    command: String,
    printed: Vec<String>,
}

fn examples(page: &str) -> Vec<Example> {
    let text = std::fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
    let (mut examples, mut is_console): (Vec<Example>, bool) = (Vec::new(), false);
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            is_console = !is_console && line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").or_else(|| line.strip_prefix("# ")).filter(|_| is_console)
        {
            examples.push(Example { line: index + 1, command: command.to_owned(), printed: Vec::new() });
        } else if let Some(example) = examples.last_mut().filter(|_| is_console && !line.trim().is_empty()) {
            example.printed.push(line.to_owned());
        }
    }
    examples
}

/// The words of a command line, as a shell splits them.
fn split(command: &str) -> Vec<String> {
    let (mut words, mut quote) = (vec![String::new()], None);
    for c in command.chars() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, ' ') => words.push(String::new()),
            (None, '#') if words.last().is_some_and(String::is_empty) => break,
            (_, c) => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A line without what differs from run to run: whatever holds a digit, the unit after it, and the columns.
fn shape(line: &str) -> String {
    let mut shape: Vec<&str> = Vec::new();
    for word in line.split_whitespace() {
        let unit = ["s", "min", "h", "days", "kB", "MB"].contains(&word.trim_matches([',', ';', ':', '(', ')']));
        shape.push(match word {
            _ if word.contains(|c: char| c.is_ascii_digit()) => "#",
            // One is counted as one.
            word if word.starts_with("request") && shape.last() == Some(&"#") => "requests",
            _ if unit && shape.last() == Some(&"#") => "unit",
            word => word,
        });
    }
    shape.join(" ")
}

/// Every line of the page was printed, in this order; `...` stands for any.
fn assert_shape(at: &str, example: &Example, printed: &str) {
    let mut rest = printed.lines().map(shape);
    for line in example.printed.iter().filter(|line| *line != "...") {
        let is_there = rest.any(|printed| printed == shape(line));
        assert!(is_there, "{at}: `{}` does not print, or not in this place,\n{line}\nbut\n{printed}", example.command);
    }
}

/// A world in which a page is run.
struct Reader {
    world: World,
    variables: BTreeMap<String, String>,
}

impl Reader {
    async fn start(page: &str) -> Self {
        let sim = graph_sim::SimConfig { users: 20, ..Default::default() };
        let mut world = World::with(Setup { sim, ..Setup::default() }).await;
        world.agent = world.agent_builder().named("agent-1").build();
        heartbeat_of(&world, "agent-1", Timestamp::now()).await;
        if page == "docs/data-protection.md" {
            // It is about people whose photos were captured.
            world.app.sweep.run(&Run::default()).await.unwrap();
            world.settle().await;
        }
        let mut variables = BTreeMap::new();
        if page != "README.md" {
            variables.extend(settings(&world).into_iter().map(|(name, value)| (name.to_owned(), value)));
            variables.insert("PHOTORELAY_FOLDER_PATH".to_owned(), "./written".to_owned());
        }
        Self { world, variables }
    }

    /// What stands in a page, as it is in this process.
    fn here(&self, text: &str) -> String {
        let user = "bjorn.muller1@contoso.test";
        let places = [
            ("http://127.0.0.1:7999", self.world.sim.url().to_string().trim_end_matches('/').to_owned()),
            ("http://127.0.0.1:7071", self.world.url.to_string().trim_end_matches('/').to_owned()),
            ("./data", self.world.dir().display().to_string()),
            ("<a user principal name>", user.to_owned()),
            ("<user>", user.to_owned()),
        ];
        places.iter().fold(text.to_owned(), |text, (there, here)| text.replace(there, here))
    }

    async fn run(&mut self, at: &str, example: &Example) {
        let words = split(&self.here(&example.command));
        let assignments = words.iter().take_while(|word| word.split('=').next() != Some(word)).count();
        let (own, words) = words.split_at(assignments);
        let pairs = |words: &[String]| -> Vec<(String, String)> {
            words.iter().filter_map(|word| word.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
        };
        let printed = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["export", ..] => {
                self.variables.extend(pairs(&words[1..]));
                // Of the subscription that the app in this process has made.
                self.variables.insert("PHOTORELAY_CLIENT_STATE".to_owned(), CLIENT_STATE.to_owned());
                return;
            }
            ["curl", "-X", "POST", url] => reqwest::Client::new().post(url).send().await.unwrap().text().await.unwrap(),
            ["ls", folder] => listing(&self.world.dir().join(folder)),
            ["photorelay" | "photorelay-agent", ..] => self.program(at, words, pairs(own)).await,
            _ => panic!("{at}: this test cannot run `{}`: add it to NOT_RUN with the reason", example.command),
        };
        assert_shape(at, example, &printed.replace(&self.world.dir().display().to_string(), "."));
        self.world.settle().await;
    }

    async fn program(&self, at: &str, words: &[String], own: Vec<(String, String)>) -> String {
        let mut command = Command::new(program(&words[0]));
        command.args(&words[1..]).env_clear().envs(&self.variables).envs(own).current_dir(self.world.dir());
        let output = command.output().await.unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        let is_expected = match words[1].as_str() {
            // Users that differ are a result.
            "drift" => code == Some(0) || code == Some(2),
            // It only says what it would do.
            "forget" if !words.iter().any(|word| word == "--yes") => code == Some(1),
            _ => code == Some(0),
        };
        assert!(is_expected, "{at}: {words:?} ended with {code:?}:\n{printed}");
        printed
    }
}

/// What `ls` prints.
fn listing(folder: &Path) -> String {
    let files = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let names: BTreeSet<String> = files.map(|file| file.unwrap().file_name().display().to_string()).collect();
    names.into_iter().filter(|name| !name.starts_with('.')).collect::<Vec<_>>().join("\n")
}

fn is_run(command: &str) -> bool {
    !NOT_RUN.iter().any(|(prefix, _)| command.starts_with(prefix))
}

#[tokio::test]
async fn the_commands_of_the_documentation_do_what_it_says() {
    for page in PAGES {
        let examples = examples(page);
        let mut reader = Reader::start(page).await;
        for example in examples.iter().filter(|example| is_run(&example.command)) {
            reader.run(&format!("{page}, line {}", example.line), example).await;
        }
        reader.world.end_with_leftovers().await;
    }
}

#[test]
fn no_page_has_commands_that_nothing_reads_and_no_exception_is_left_over() {
    let mut pages: Vec<String> = Vec::new();
    for folder in ["", "docs", "infra/agent", "infra/container", "infra/mim", "infra/monitoring"] {
        for file in std::fs::read_dir(root().join(folder)).unwrap() {
            let name = Path::new(folder).join(file.unwrap().file_name()).display().to_string();
            pages.extend(Some(name).filter(|name| name.ends_with(".md")));
        }
    }
    let all: Vec<Example> = pages.iter().flat_map(|page| examples(page)).collect();
    for page in pages.iter().filter(|page| !PAGES.contains(&page.as_str())) {
        let run: Vec<String> =
            examples(page).into_iter().map(|example| example.command).filter(|it| is_run(it)).collect();
        assert!(run.is_empty(), "add {page} to PAGES: {run:?}");
    }
    for (prefix, reason) in NOT_RUN {
        assert!(all.iter().any(|example| example.command.starts_with(prefix)), "no page has `{prefix}` ({reason})");
    }
}
