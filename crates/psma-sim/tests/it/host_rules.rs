//! The stand-in's own rules: what PSMA and MIM do to a script that does not keep to the contract.

use std::fs;

use psma_sim::{Import, ManagementAgent, PsmaVersion, RunReport, RunResult};
use tempfile::TempDir;

const SCHEMA: &str = "$class = New-Object PSObject
Add-Member -InputObject $class -MemberType NoteProperty -Name 'Anchor-id|String' -Value ''
Add-Member -InputObject $class -MemberType NoteProperty -Name 'photo|Binary' -Value ''
Add-Member -InputObject $class -MemberType NoteProperty -Name 'objectClass|String' -Value 'user'
$class";

fn agent_with(version: PsmaVersion, import: &str) -> (TempDir, ManagementAgent) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("schema.ps1"), SCHEMA).unwrap();
    fs::write(folder.path().join("import.ps1"), import).unwrap();
    let mut agent = ManagementAgent::new(version, folder.path());
    agent.refresh_schema().unwrap().unwrap();
    (folder, agent)
}

fn run(version: PsmaVersion, import: &str, profile: Import) -> RunReport {
    let (_folder, mut agent) = agent_with(version, import);
    agent.run(profile).unwrap()
}

#[test]
fn objects_beyond_the_page_size_are_lost_while_more_are_announced() {
    let script = "$global:RunStepCustomData = 'x'
$global:MoreToImport = \"$global:PageToken\" -eq ''
$global:PageToken = 'next'
@{ objectClass = 'user'; id = \"$($global:MoreToImport)1\" }
@{ objectClass = 'user'; id = \"$($global:MoreToImport)2\" }";
    for version in PsmaVersion::ALL {
        let report = run(version, script, Import::full().paged(1));
        assert_eq!((report.lost, report.adds), (1, 3), "{version:?}");
        assert_eq!(run(version, script, Import::full()).adds, 2, "unpaged, MoreToImport is not read");
    }
}

#[test]
fn only_hashtables_are_objects_and_an_exception_of_one_is_not_shown() {
    let script = "$global:RunStepCustomData = 'x'
'text'
@{ objectClass = 'user'; id = 'a'; photo = 'no bytes' }
@{ objectClass = 'user'; id = 'b'; unknown = 'dropped' }
@{ objectClass = 'user' }
@{ id = 'c' }
@{ objectClass = 'group'; id = 'd' }";
    let report = run(PsmaVersion::V6_1, script, Import::full());
    assert_eq!((report.skipped.len(), report.swallowed.len(), report.adds), (1, 1, 1));
    let names: Vec<_> = report.errors.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(names, ["missing-anchor-value", "missing-objectclass-value", "invalid-objecttype"]);
    assert_eq!(report.result, RunResult::CompletedDiscoveryErrors);
}

#[test]
fn the_text_engine_drops_globals_and_ignores_empty_values() {
    let script = "$global:MoreToImport = \"$global:PageToken\" -ne 'end'
$seen = \"$global:mine\"
$global:mine = 'kept'
@{ objectClass = 'user'; id = \"$global:PageToken $seen\" }
$global:RunStepCustomData = ''
if (\"$global:PageToken\" -eq '') { $global:RunStepCustomData = 'first' }
$global:PageToken = 'end'";
    let keys = |version| {
        let (_folder, mut agent) = agent_with(version, script);
        assert!(agent.run(Import::full().paged(5)).unwrap().is_clean());
        let keys: Vec<String> = agent.connector_space().iter().map(|(dn, _)| dn.to_owned()).collect();
        (keys, agent.watermark().to_owned())
    };
    let live = (vec![" ".to_owned(), "end kept".to_owned()], String::new());
    assert_eq!(keys(PsmaVersion::V5_6), live);
    let dropped = (vec![" ".to_owned(), "end ".to_owned()], "first".to_owned());
    assert_eq!(keys(PsmaVersion::V6_0Text), dropped);
}

#[test]
fn an_old_user_parameter_binds_to_a_declared_name_that_it_begins() {
    let script = "param($Username, $UsernameAux)\n$global:RunStepCustomData = 'x'";
    let report = run(PsmaVersion::V5_5, script, Import::full());
    assert!(report.exception().unwrap().contains("'User' is ambiguous"), "{report:?}");
    assert!(run(PsmaVersion::V6_1, script, Import::full()).is_clean());
}

#[test]
fn what_the_stand_in_does_not_know_fails_and_cannot_be_caught() {
    for text in [
        "Get-Content x",
        "Write-Error 'x'",
        "$a = [IO.File]::ReadAllText('x')",
        "try { 'x'.PadLeft(3) } catch { }",
        "$a = $never",
        "$a = 1 -gt '2'",
        "$a = 'a' * 3",
        "foreach ($x in 'a') { }",
        "if ('text') { }",
        "$a, $b = 1, 2, 3",
        "[IO.File]::ReadAllBytes(\"$PSScriptRoot/import.ps1\")",
        "switch ($a) { 1 { } }",
        "for ($i = 0; $i -lt 3; $i++) { }",
        "$env:PATH",
        "@'\nhere\n'@",
    ] {
        let (_folder, mut agent) = agent_with(PsmaVersion::V6_1, text);
        assert!(agent.run(Import::full()).is_err(), "{text}");
    }
}
