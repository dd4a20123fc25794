//! The independent reader of photos that the tests compare with: Pillow, and `cjpeg` to make what it reads.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::{apt, process};

/// The system's Python, for which Debian's package of Pillow is made, whatever else is first in the path.
const PYTHON: &str = "/usr/bin/python3";
const PACKAGES: [&str; 2] = ["python3-pil", "libjpeg-turbo-progs"];

/// Makes sure that both are installed; returns the variable that the tests read.
pub(crate) fn install() -> Result<(&'static str, &'static str)> {
    if !is_installed() && apt::is_root()? {
        eprintln!("installing Pillow and cjpeg once (some seconds)");
        apt::install(&PACKAGES)?;
    }
    ensure!(is_installed(), "Pillow or cjpeg is missing: apt-get install {}", PACKAGES.join(" "));
    Ok(("PHOTORELAY_TEST_PILLOW", PYTHON))
}

fn is_installed() -> bool {
    process::works(Command::new(PYTHON).args(["-c", "from PIL import ImageCms"]))
        && process::works(Command::new("cjpeg").arg("-version").stdin(std::process::Stdio::null()))
}
