//! The agent's command line. (That there is a test of the program also has cargo build it, for those tests of the whole
//! system that start and kill it.)

use std::process::Command;

#[test]
fn every_missing_setting_is_told_at_once() {
    let output = Command::new(env!("CARGO_BIN_EXE_photorelay-agent"))
        .arg("run")
        .env_clear()
        .env("PHOTORELAY_LEASE_SECONDS", "0")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let printed = String::from_utf8_lossy(&output.stderr);
    for name in ["PHOTORELAY_TENANT_ID", "PHOTORELAY_FOLDER_PATH", "PhotoStorage__", "PHOTORELAY_LEASE_SECONDS"] {
        assert!(printed.contains(name), "{name} is missing in {printed}");
    }
}
