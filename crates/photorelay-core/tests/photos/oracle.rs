//! Over a thousand JPEGs of every kind, compared with what an independent reader shows of them.
//!
//! `oracle.py` makes them with libjpeg-turbo's `cjpeg` and reads them with Pillow; `cargo xtask test` installs both.

use std::path::Path;
use std::process::Command;

use moxcms::ColorProfile;
use photorelay_core::photo::{PhotoLimits, RenditionSpec, decode, decode_for};

use crate::sources::Picture;

/// What rounding may change, on the whole and in any square of this side.
const MEAN: f64 = 2.0;
const MEAN_OF_CELL: f64 = 6.0;
const CELL: u32 = 8;
/// A picture of one in so many pixels a side is made of a photo that is decoded in a reduced size, where that is done. In
/// so few pixels, what compression alone changes is more; wrong pixels are further apart.
const REDUCED: u32 = 4;
const MEAN_OF_REDUCED: f64 = 9.0;

#[test]
fn every_kind_of_jpeg_shows_what_an_independent_reader_shows() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("wide.icc"), ColorProfile::new_display_p3().encode().unwrap()).unwrap();
    let kinds = make(folder.path());
    assert!(kinds.len() >= 1000, "only {} files", kinds.len());
    let wrong: Vec<String> = kinds.iter().filter_map(|(name, kind)| difference(folder.path(), name, kind)).collect();
    assert!(wrong.is_empty(), "{} of {} files: {wrong:#?}", wrong.len(), kinds.len());
}

/// Names of the files, and what is special about each.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration but what installed Pillow for them")]
fn make(folder: &Path) -> Vec<(String, String)> {
    let name = "PHOTORELAY_TEST_PILLOW";
    let python = std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`, which installs Pillow and cjpeg"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/photos/oracle.py");
    let output = Command::new(python).arg(script).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let index = String::from_utf8(output.stdout).unwrap();
    index.lines().map(|line| line.split_once(' ').unwrap()).map(|(name, kind)| (name.into(), kind.into())).collect()
}

/// How the photo that we show differs from the reader's, in words.
fn difference(folder: &Path, name: &str, kind: &str) -> Option<String> {
    let expected = read_ppm(&std::fs::read(folder.join(name).with_extension("ppm")).unwrap());
    let jpeg = std::fs::read(folder.join(name).with_extension("jpg")).unwrap();
    let photo = match decode(&jpeg, &PhotoLimits::default()) {
        Ok(photo) => photo,
        Err(refusal) => return Some(format!("{name} ({kind}): {refusal}")),
    };
    if (photo.width(), photo.height()) != (expected.width, expected.height) {
        return Some(format!("{name} ({kind}): {}x{}", photo.width(), photo.height()));
    }
    let side = expected.width.min(expected.height);
    let whole = RenditionSpec { name: "whole".to_owned(), side, max_bytes: 1 << 20 };
    let shown = Picture::of_jpeg(&photo.render(&whole).unwrap().bytes);
    let square = expected.crop((expected.width - side) / 2, (expected.height - side) / 2, side);
    // What making a JPEG of it changes, it changes in both.
    let expected = Picture::of_jpeg(&square.jpeg(92));
    let cells = (0..side / CELL).flat_map(|y| (0..side / CELL).map(move |x| (x * CELL, y * CELL)));
    let worst =
        cells.map(|(left, top)| shown.crop(left, top, CELL).apart(&expected.crop(left, top, CELL))).fold(0.0, f64::max);
    let mean = shown.apart(&expected);
    let reduced = match decode_for(&jpeg, &PhotoLimits::default(), side / REDUCED) {
        Ok(reduced) => reduced,
        Err(refusal) => return Some(format!("{name} ({kind}), in a reduced size: {refusal}")),
    };
    let small = RenditionSpec { name: "small".to_owned(), side: side / REDUCED, max_bytes: 1 << 20 };
    let [whole, reduced] = [&photo, &reduced].map(|photo| Picture::of_jpeg(&photo.render(&small).unwrap().bytes));
    let lost = reduced.apart(&whole);
    (mean > MEAN || worst > MEAN_OF_CELL || lost > MEAN_OF_REDUCED)
        .then(|| format!("{name} ({kind}): {mean:.1} on the whole, {worst:.1} at worst, {lost:.1} in a reduced size"))
}

/// A portable pixmap: a header of words and then the pixels.
fn read_ppm(bytes: &[u8]) -> Picture {
    let mut rest = bytes;
    let mut word = || {
        let length = rest.iter().position(u8::is_ascii_whitespace).unwrap();
        let (word, behind) = rest.split_at(length);
        rest = &behind[1..];
        std::str::from_utf8(word).unwrap().to_owned()
    };
    assert_eq!(word(), "P6");
    let (width, height) = (word().parse().unwrap(), word().parse().unwrap());
    assert_eq!(word(), "255");
    Picture { width, height, rgb: rest.to_vec() }
}
