//! The program: its first line, its folder of pictures and its end.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use crate::helpers::picture;

#[test]
fn the_program_prints_its_address_skips_bad_pictures_and_ends_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("good.jpg"), picture(300, 400, 1)).unwrap();
    std::fs::write(folder.path().join("page.jpg"), "<html>").unwrap();
    std::fs::write(folder.path().join("empty.jpg"), "").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_graph-sim"))
        .args(["--users", "3", "--seed", "9", "--photos"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
    let port = first.trim_end().strip_prefix("listening on http://127.0.0.1:").unwrap();
    assert!(port.parse::<u16>().unwrap() > 0);
    let ended = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(ended.success());
    assert!(child.wait().unwrap().success());
    let mut reported = String::new();
    child.stderr.unwrap().read_to_string(&mut reported).unwrap();
    assert!(
        reported.contains("skipped page.jpg")
            && reported.contains("skipped empty.jpg")
            && !reported.contains("good.jpg"),
        "{reported}"
    );
}

#[test]
fn the_program_listens_on_loopback_only() {
    let output = Command::new(env!("CARGO_BIN_EXE_graph-sim")).args(["--listen", "0.0.0.0:0"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("loopback"));
}
