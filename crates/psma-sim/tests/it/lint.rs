//! What the scripts may be made of, whether a test runs the line or not.

use std::collections::BTreeSet;
use std::fs;

use psma_sim::{KNOWN_COMMANDS, KNOWN_METHODS, KNOWN_STATICS, KNOWN_TYPES, node_kinds, parse, shipped_scripts};

const SCRIPTS: [&str; 4] = ["schema.ps1", "import.ps1", "export.ps1", "password.ps1"];

/// Tests on a real engine; only their syntax is looked at here.
const PESTER: &str = "tests/Scripts.Tests.ps1";

fn text(script: &str) -> String {
    fs::read_to_string(shipped_scripts().join(script)).unwrap()
}

#[test]
fn scripts_are_ascii_with_crlf() {
    for script in SCRIPTS.into_iter().chain([PESTER]) {
        let text = text(script);
        assert!(text.is_ascii(), "{script}: Windows PowerShell 5.1 reads a file without a mark as ANSI");
        assert!(text.ends_with("\r\n") && text.matches('\n').count() == text.matches("\r\n").count(), "{script}");
        let long: Vec<_> = text.lines().filter(|line| line.len() > 120).collect();
        assert!(long.is_empty(), "{script}: {long:?}");
    }
}

#[test]
fn scripts_use_no_syntax_that_the_interpreter_does_not_run() {
    for script in SCRIPTS {
        parse(script, &text(script)).unwrap();
    }
}

#[test]
fn scripts_are_valid_and_use_no_syntax_that_came_after_windows_powershell_5_1() {
    for script in SCRIPTS.into_iter().chain([PESTER]) {
        let kinds = node_kinds(&text(script)).unwrap();
        let newer = ["ternary_expression", "null_coalesce_expression", "pipeline_chain_tail", "ERROR", "MISSING"];
        assert!(newer.iter().all(|kind| !kinds.contains(*kind)), "{script} {kinds:?}");
    }
}

#[test]
fn syntax_of_powershell_7_and_broken_syntax_are_refused() {
    for text in
        ["$a ? 1 : 2", "$a ?? 1", "$a ??= 1", "f && g", "f || g", "$a?.b", "if ($a { 1 }", "x | y", "& $a", ". x"]
    {
        assert!(parse("test.ps1", text).is_err(), "{text}");
    }
}

#[test]
fn scripts_call_only_what_is_on_the_lists() {
    fn beyond<'a>(used: &'a BTreeSet<String>, known: &[&str]) -> Vec<&'a String> {
        used.iter().filter(|name| !known.contains(&name.as_str())).collect()
    }
    let members: Vec<&str> = KNOWN_METHODS.into_iter().chain(KNOWN_STATICS).collect();
    for script in SCRIPTS {
        let parsed = parse(script, &text(script)).unwrap();
        let vocabulary = parsed.vocabulary();
        assert!(beyond(&vocabulary.commands, &KNOWN_COMMANDS).is_empty(), "{script} {vocabulary:?}");
        assert!(beyond(&vocabulary.types, &KNOWN_TYPES).is_empty(), "{script} {vocabulary:?}");
        assert!(beyond(&vocabulary.members, &members).is_empty(), "{script} {vocabulary:?}");
    }
}

#[test]
fn no_state_between_pages_is_ever_empty_and_there_is_no_other_state() {
    let text = text("import.ps1");
    let assigned = text.lines().filter_map(|line| line.trim_start().strip_prefix("$global:"));
    let assigned: Vec<_> = assigned.map(|line| line.split_once(" = ").unwrap()).collect();
    let names: BTreeSet<_> = assigned.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, BTreeSet::from(["MoreToImport", "PageToken", "RunStepCustomData"]));
    assert!(assigned.iter().all(|(_, value)| !value.contains("''")), "{assigned:?}");
}

#[test]
fn no_entry_of_the_lists_is_left_over() {
    let all: Vec<_> = SCRIPTS.map(|script| parse(script, &text(script)).unwrap().vocabulary().clone()).into();
    let used = |name: &&str| {
        all.iter().any(|it| it.commands.contains(*name) || it.types.contains(*name) || it.members.contains(*name))
    };
    let lists = KNOWN_COMMANDS.into_iter().chain(KNOWN_METHODS).chain(KNOWN_STATICS).chain(KNOWN_TYPES);
    let unused: Vec<&str> = lists.filter(|name| !used(name)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn schema_and_import_have_the_same_settings() {
    let block = |script: &str| {
        let text = text(script);
        let from = text.find("# Settings.").unwrap();
        let to = text.find("# End of the settings.").unwrap();
        text[from..to].to_owned()
    };
    assert_eq!(block("schema.ps1"), block("import.ps1"));
}

#[test]
fn no_parameter_begins_with_the_name_that_older_management_agents_pass() {
    for script in SCRIPTS {
        let text = text(script).to_lowercase();
        let parameters = &text[text.find("param(").unwrap()..];
        let parameters = &parameters[..parameters.find(')').unwrap()];
        assert!(!parameters.contains("$user"), "{script} {parameters}");
        assert!(!text.contains("cmdletbinding"), "{script}");
    }
}

#[test]
fn the_readme_lists_every_setting_with_its_default() {
    let readme = fs::read_to_string(shipped_scripts().join("README.md")).unwrap();
    let script = text("import.ps1");
    let block = script.split("$settings = @{").nth(1).unwrap().split('}').next().unwrap();
    for line in block.lines().filter(|line| line.contains('=')) {
        let (name, value) = line.split_once('=').unwrap();
        let (name, value) = (name.trim(), value.trim().trim_matches('\''));
        let row = readme.lines().find(|row| row.starts_with(&format!("| `{name}`")));
        let row = row.unwrap_or_else(|| panic!("README.md does not list {name}"));
        assert!(value.is_empty() || row.contains(&format!("`{value}`")), "{row}");
    }
}
