//! A photo of the size that Graph returns, made into the thumbnail: processor time, beside libvips and ImageMagick.
//!
//! The others are given the same file many times in one call, so that their start does not count. libvips runs as its
//! program, and in a process of ours, where it has less to do.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::output::program;
use super::table::{BudgetVerdict, FigureRow, FigureTable};
use crate::apt;
use crate::checkout::{self, Checkout};
use crate::process;
use crate::processor;
use crate::tools;

const PHOTOS: [&str; 3] = ["astronaut-648.jpg", "cat-648.jpg", "coffee-648.jpg"];
/// Shares of what libvips takes in the same run.
const OF_PROGRAM: f64 = 0.25;
const OF_LIBRARY: f64 = 0.8;
const REPETITIONS: usize = 100;

pub(super) fn measure(checkout: &Checkout, table: &mut FigureTable) -> Result<()> {
    apt::ensure_program("vipsthumbnail", "libvips-tools")?;
    apt::ensure_program("mogrify", "imagemagick")?;
    let python = tools::python_packages(checkout, "vips", &checkout.xtask().join("bench/requirements.txt"))?;
    let out = checkout.target.join("bench").join("photo");
    checkout::remove(&out)?;
    std::fs::create_dir_all(&out)?;
    for name in PHOTOS {
        let photo = checkout.root.join("tests/fixtures/photos").join(name);
        let ours = ours(checkout, &photo)?;
        let vips = peer(
            Command::new("vipsthumbnail")
                .args(["--size", "96x96", "--smartcrop", "centre", "--output"])
                .arg(out.join("%s.jpg[Q=85,strip]")),
            &photo,
        )?;
        let script = checkout.xtask().join("bench/thumbnail.py");
        let library: f64 = process::output(Command::new(&python).arg(script).arg(&photo))?.trim().parse()?;
        let magick = peer(
            Command::new("mogrify")
                .arg("-path")
                .arg(&out)
                .args("-resize 96x96^ -gravity center -extent 96x96 -quality 85 -strip".split(' ')),
            &photo,
        )?;
        table.add(FigureRow {
            measure: format!("{name} to thumbnailPhoto, processor time"),
            figure: format!("{ours:.2} ms, {:.2} of vipsthumbnail, {:.2} of libvips", ours / vips, ours / library),
            budget: format!("<= {OF_PROGRAM} of vipsthumbnail, {OF_LIBRARY} of libvips"),
            peer: format!("vipsthumbnail {vips:.1} ms, libvips {library:.1} ms, ImageMagick {magick:.1} ms"),
            verdict: match ours <= OF_PROGRAM * vips && ours <= OF_LIBRARY * library {
                true => BudgetVerdict::Kept,
                false => BudgetVerdict::GateFailed,
            },
        });
    }
    checkout::remove(&out)
}

fn ours(checkout: &Checkout, photo: &Path) -> Result<f64> {
    let output = process::output(program(checkout, "photo_bench").arg(photo))?;
    let (_, milliseconds) = output.trim().rsplit_once('\t').context("photo_bench printed no figure")?;
    Ok(milliseconds.parse()?)
}

/// Milliseconds of processor time for each photo, all threads together.
fn peer(command: &mut Command, photo: &Path) -> Result<f64> {
    let before = processor::used_by_children()?;
    process::run(command.args(std::iter::repeat_n(photo, REPETITIONS)))?;
    Ok((processor::used_by_children()? - before) * 1000.0 / REPETITIONS as f64)
}
