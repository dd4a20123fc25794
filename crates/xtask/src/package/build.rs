//! The program that ships: optimised as a whole, and linked so that it starts on the C library of older systems.
//!
//! This machine's linker would require this machine's glibc. Which one a Functions instance has is not documented, so
//! the program is linked by `zig cc` to the symbols of [`GLIBC`], which is in Debian 10, Ubuntu 20.04 and RHEL 8.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::checkout::Checkout;
use crate::phases::Phases;
use crate::{process, tools};

const GLIBC: Glibc = Glibc(2, 28);
const TARGET: &str = "x86_64-unknown-linux-gnu";
const PROFILE: &str = "dist";
/// From PyPI: the compiler and linker that knows the symbols of every glibc.
const ZIG: &str = "ziglang==0.15.2";

pub(crate) fn program(checkout: &Checkout, phases: &mut Phases) -> Result<PathBuf> {
    let zigbuild = phases.run("install cargo-zigbuild", || tools::ZIGBUILD.ensure(checkout))?;
    let python = phases.run("install zig", || tools::python(checkout, "zig", ZIG))?;
    let program = phases.run("build", || {
        let mut build = zigbuild.command(checkout);
        build.args(["--locked", "--profile", PROFILE, "--package", "photorelay", "--bin", "photorelay"]);
        build.arg("--target").arg(format!("{TARGET}.{}", GLIBC.text()));
        build.env("CARGO_ZIGBUILD_PYTHON_PATH", &python);
        process::run(&mut build)?;
        Ok(checkout.target.join(TARGET).join(PROFILE).join("photorelay"))
    })?;
    phases.run("C library", || starts_on_old_systems(&program))?;
    Ok(program)
}

/// The program requires no symbol that is newer than promised.
fn starts_on_old_systems(program: &PathBuf) -> Result<()> {
    let symbols = process::output(Command::new("objdump").arg("-T").arg(program))?;
    let newest =
        symbols.split("GLIBC_").skip(1).filter_map(Glibc::parse).max().context("the program needs no glibc")?;
    println!("the program needs glibc {} or later", newest.text());
    ensure!(newest <= GLIBC, "the program needs glibc {}, but {} is promised", newest.text(), GLIBC.text());
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Glibc(u32, u32);

impl Glibc {
    /// From the text after `GLIBC_`, such as `2.17)  memcpy`.
    fn parse(text: &str) -> Option<Self> {
        let number = text.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
        let mut parts = number.split('.').map(str::parse);
        Some(Self(parts.next()?.ok()?, parts.next()?.ok()?))
    }

    fn text(self) -> String {
        format!("{}.{}", self.0, self.1)
    }
}
