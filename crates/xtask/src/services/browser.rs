//! Chromium, driven by its own driver over WebDriver, and axe-core, which finds what a reader with a disability cannot use.
//!
//! The driver starts a browser of its own for every test. Readiness is the driver's own word for it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::service::{ServiceVariables, TestService};
use crate::checkout::Checkout;
use crate::{apt, npm, process};

const AXE: &str = "4.14.1";
const MAX_ANSWER_BYTES: usize = 64 * 1024;
const ANNOUNCED: &str = "ChromeDriver was started successfully on port ";

pub(super) struct BrowserService;

impl TestService for BrowserService {
    fn name(&self) -> &'static str {
        "browser"
    }

    fn install(&self, checkout: &Checkout) -> Result<()> {
        if !is_installed() {
            ensure!(apt::is_root()?, "Chromium and its driver are missing: apt-get install chromium chromium-driver");
            eprintln!("installing Chromium once (some seconds)");
            apt::install(&["chromium", "chromium-driver", "fonts-dejavu-core"])?;
            ensure!(is_installed(), "apt-get installed no Chromium that works");
        }
        npm::install(&source(checkout), &folder(checkout))?;
        ensure!(axe(checkout).exists(), "npm installed no {}", axe(checkout).display());
        Ok(())
    }

    fn command(&self, checkout: &Checkout, _folder: &Path, tied: bool) -> Result<Command> {
        let mut node = Command::new("node");
        node.arg(source(checkout).join("drive.cjs"));
        if tied {
            node.arg("--tied");
        }
        Ok(node)
    }

    fn ready(&self, checkout: &Checkout, log: &str) -> Result<Option<ServiceVariables>> {
        let Some(port) = announced(log) else { return Ok(None) };
        if !answers(port)? {
            return Ok(None);
        }
        Ok(Some(ServiceVariables::from([
            ("PHOTORELAY_TEST_WEBDRIVER".to_owned(), format!("http://127.0.0.1:{port}")),
            ("PHOTORELAY_TEST_AXE".to_owned(), axe(checkout).display().to_string()),
            ("PHOTORELAY_TEST_SCREENSHOTS".to_owned(), checkout.target.join("screenshots").display().to_string()),
        ])))
    }
}

fn folder(checkout: &Checkout) -> PathBuf {
    checkout.tools().join(format!("axe-core-{AXE}"))
}

/// The committed manifest, which pins axe-core, and the program that starts the driver.
fn source(checkout: &Checkout) -> PathBuf {
    checkout.xtask().join("browser")
}

fn axe(checkout: &Checkout) -> PathBuf {
    folder(checkout).join("node_modules/axe-core/axe.min.js")
}

fn is_installed() -> bool {
    process::works(Command::new("chromium").arg("--version"))
        && process::works(Command::new("chromedriver").arg("--version"))
}

/// The port that the driver prints when it listens.
fn announced(log: &str) -> Option<u16> {
    log.lines().find_map(|line| line.strip_prefix(ANNOUNCED)?.trim_end_matches('.').parse().ok())
}

/// `false` while nothing listens; any answer but that it is ready is an error, because waiting does not help.
fn answers(port: u16) -> Result<bool> {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return Ok(false) };
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET /status HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
    // The driver keeps the connection open, whatever it was asked: its word ends the answer.
    let (mut answer, mut chunk) = (String::new(), [0; 4096]);
    loop {
        match stream.read(&mut chunk).context("the driver broke off its response")? {
            0 => bail!("the driver is not ready: {}", answer.lines().next().unwrap_or("no answer")),
            length => answer += &String::from_utf8_lossy(&chunk[..length]),
        }
        if answer.contains("\"ready\":true") {
            return Ok(true);
        }
        ensure!(!answer.contains("\"ready\":false"), "the driver says that it is not ready");
        ensure!(answer.len() < MAX_ANSWER_BYTES, "the driver does not answer what was asked");
    }
}
