//! Azurite, the storage emulator: blobs and queues in memory, on ports that the system chooses.
//!
//! Readiness is a signed request that is answered with 200, so that a wrong signature fails here and not in a test.
//! Azurite accepts immutability headers without enforcing them: no test of write-once retention may rely on it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::sas;
use super::service::{ServiceVariables, TestService};
use crate::checkout::Checkout;
use crate::npm;

const VERSION: &str = "3.37.0";

pub(super) struct AzuriteService;

impl TestService for AzuriteService {
    fn name(&self) -> &'static str {
        "azurite"
    }

    fn install(&self, checkout: &Checkout) -> Result<()> {
        npm::install(&source(checkout), &folder(checkout))?;
        ensure!(program(checkout).exists(), "npm installed no {}", program(checkout).display());
        Ok(())
    }

    fn command(&self, checkout: &Checkout, _folder: &Path, tied: bool) -> Result<Command> {
        // Node itself and not npm's wrapper, so that the process we track is the one that listens.
        let mut node = Command::new("node");
        if tied {
            node.arg("--require").arg(source(checkout).join("preload.cjs"));
        }
        node.arg(program(checkout)).args(["--silent", "--inMemoryPersistence", "--disableTelemetry"]);
        for service in ["blob", "queue", "table"] {
            node.args([format!("--{service}Host"), "127.0.0.1".to_owned(), format!("--{service}Port"), "0".to_owned()]);
        }
        Ok(node)
    }

    fn ready(&self, checkout: &Checkout, log: &str) -> Result<Option<ServiceVariables>> {
        // Tests that break or stop their storage start one of their own.
        let mut variables = ServiceVariables::from([(
            "PHOTORELAY_TEST_AZURITE_PROGRAM".to_owned(),
            program(checkout).display().to_string(),
        )]);
        for (service, variable) in
            [("Blob", "PHOTORELAY_TEST_AZURITE_BLOB"), ("Queue", "PHOTORELAY_TEST_AZURITE_QUEUE")]
        {
            let Some(address) = address(log, service) else { return Ok(None) };
            let path = format!("/{}", sas::ACCOUNT);
            if !answers(address, &format!("{path}?comp=list&{}", sas::query()))? {
                return Ok(None);
            }
            variables.push((variable.to_owned(), format!("http://{address}{path}?{}", sas::query())));
        }
        Ok(Some(variables))
    }
}

fn folder(checkout: &Checkout) -> PathBuf {
    checkout.tools().join(format!("azurite-{VERSION}"))
}

/// The committed manifest, which pins Azurite and everything below it.
fn source(checkout: &Checkout) -> PathBuf {
    checkout.xtask().join("azurite")
}

fn program(checkout: &Checkout) -> PathBuf {
    folder(checkout).join("node_modules/azurite/dist/src/azurite.js")
}

/// Where one of its services listens, as Azurite prints it when it does.
fn address<'a>(log: &'a str, service: &str) -> Option<&'a str> {
    let announced = format!("Azurite {service} service is successfully listening at http://");
    log.lines().find_map(|line| line.strip_prefix(&announced)).map(str::trim)
}

/// `false` while nothing listens; any answer but 200 is an error, because waiting does not help.
fn answers(address: &str, target: &str) -> Result<bool> {
    let Ok(mut stream) = TcpStream::connect(address) else { return Ok(false) };
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).context("Azurite broke off its response")?;
    let answer = String::from_utf8_lossy(&answer);
    match answer.split_whitespace().nth(1) {
        Some("200") => Ok(true),
        _ => bail!("Azurite refuses a signed request: {}", answer.lines().next().unwrap_or("no answer")),
    }
}
