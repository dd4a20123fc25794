#!/usr/bin/env bash
# A PNG whose text or colour profile has a wrong checksum, at Python's Pillow (13.0.0, beside libvips 8.18.7 and Rust's
# image 0.25.10 with png 0.18.1).
#
# One would guess: readers agree on a PNG in which everything that the picture needs is whole, and only the CRC of a chunk
# that they may ignore (tEXt, zTXt, iCCP) is wrong. Or, since PNG's specification leaves it to the reader whether a wrong
# CRC is fatal (https://www.w3.org/TR/png-3/#13Decoders.Errors), a reader that refuses it names the cause.
#
# What is so:
#   1. Pillow refuses such a file if the chunk comes before the pixels, where an iCCP chunk always is and the others often
#      are. The exception says "cannot identify image file", as for a file that is no picture at all. The same tEXt
#      or zTXt chunk behind the pixels is no error.
#   2. libvips and image show the picture without an error in all cases. (Chromium 156 does for a chunk before the pixels;
#      that was looked at by hand.) They differ in what becomes of the chunk: libvips reports the colour profile with the
#      wrong CRC as the picture's own, image ignores it.
#   3. ImageFile.LOAD_TRUNCATED_IMAGES, whose name promises another thing, makes Pillow skip these CRCs
#      (python-pillow/Pillow#1991). It then uses the profile, as libvips does.
#
# Whom it hurts: services that take a photo which the browser has just shown to its owner, and answer that it is no
# picture; and those that check uploads with one reader and convert colours with another. The setting that helps is one for
# the whole process and also accepts pictures that are cut off.
#
# Output seen with Python 3.11 and Rust 1.95 on Debian 12:
#   tEXt before the pixels: Pillow: cannot identify image file; libvips: shown; image: shown
#   zTXt before the pixels: Pillow: cannot identify image file; libvips: shown; image: shown
#   iCCP before the pixels: Pillow: cannot identify image file; libvips: shown with a profile; image: shown
#   tEXt behind the pixels: Pillow: shown; libvips: shown; image: shown
#   zTXt behind the pixels: Pillow: shown; libvips: shown; image: shown
#   iCCP with the right CRC: Pillow: shown with a profile; libvips: shown with a profile; image: shown with a profile
#   with LOAD_TRUNCATED_IMAGES, iCCP: Pillow: shown with a profile
#
# Needs Rust with cargo, and Python 3 with venv. Ends with 0 as long as this is so, and with 1 when it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check pillow==13.0.0 pyvips==3.2.0 pyvips-binary==8.18.7

mkdir -p "$work/reader/src"
cat >"$work/reader/Cargo.toml" <<'TOML'
[package]
name = "reader"
version = "0.0.0"
edition = "2021"

[dependencies]
image = { version = "=0.25.10", default-features = false, features = ["png"] }
png = "=0.18.1"
TOML
cat >"$work/reader/src/main.rs" <<'RUST'
use image::{DynamicImage, ImageDecoder, ImageReader, ImageResult};

fn read(path: &str) -> ImageResult<String> {
    let mut decoder = ImageReader::open(path)?.into_decoder()?;
    let profile = decoder.icc_profile()?.map_or("", |_| " with a profile");
    let pixel = DynamicImage::from_decoder(decoder)?.into_rgb8()[(7, 7)].0;
    Ok(if pixel == [200, 40, 40] { format!("shown{profile}") } else { format!("{pixel:?}") })
}

fn main() {
    let path = std::env::args().nth(1).unwrap();
    println!("{}", read(&path).unwrap_or_else(|error| error.to_string()));
}
RUST
(cd "$work/reader" && CARGO_TARGET_DIR="$work/target" cargo build --quiet)

"$work/venv/bin/python" - "$work/target/debug/reader" "$work/photo.png" <<'PYTHON'
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pyvips
from PIL import Image, ImageCms, ImageFile, UnidentifiedImageError

reader, path = sys.argv[1:]
COLOUR = (200, 40, 40)


def expect(what, got, expected):
    print(f"{what}: {got}")
    if got != expected:
        sys.exit(f"changed: it was {expected}")


def chunk(kind, data, wrong=0):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ wrong)


def write(before=b"", behind=b""):
    pixels = zlib.compress((b"\0" + bytes(COLOUR) * 8) * 8)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
    chunks = header + before + chunk(b"IDAT", pixels) + behind + chunk(b"IEND", b"")
    Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def shown(pixel, profile):
    if tuple(pixel) != COLOUR:
        return str(pixel)
    return "shown with a profile" if profile else "shown"


def by_pillow():
    try:
        with Image.open(path) as picture:
            picture.load()
            return shown(picture.getpixel((7, 7)), "icc_profile" in picture.info)
    except UnidentifiedImageError as error:
        return str(error).replace(f" {path!r}", "")


def by_libvips():
    # A buffer, since libvips remembers what it read from a path.
    picture = pyvips.Image.new_from_buffer(Path(path).read_bytes(), "")
    return shown(picture(7, 7), "icc-profile-data" in picture.get_fields())


def by_all():
    image = subprocess.run([reader, path], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    return f"Pillow: {by_pillow()}; libvips: {by_libvips()}; image: {image}"


profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ANCILLARY = {
    "tEXt": b"Comment\0Adele",
    "zTXt": b"Comment\0\0" + zlib.compress(b"Adele"),
    "iCCP": b"sRGB\0\0" + zlib.compress(profile),
}

for kind, data in ANCILLARY.items():
    write(before=chunk(kind.encode(), data, wrong=1))
    libvips = "shown with a profile" if kind == "iCCP" else "shown"
    refused = f"Pillow: cannot identify image file; libvips: {libvips}; image: shown"
    expect(f"{kind} before the pixels", by_all(), refused)
for kind in ["tEXt", "zTXt"]:
    write(behind=chunk(kind.encode(), ANCILLARY[kind], wrong=1))
    expect(f"{kind} behind the pixels", by_all(), "Pillow: shown; libvips: shown; image: shown")
write(before=chunk(b"iCCP", ANCILLARY["iCCP"]))
with_profile = "shown with a profile"
right = f"Pillow: {with_profile}; libvips: {with_profile}; image: {with_profile}"
expect("iCCP with the right CRC", by_all(), right)
ImageFile.LOAD_TRUNCATED_IMAGES = True
write(before=chunk(b"iCCP", ANCILLARY["iCCP"], wrong=1))
expect("with LOAD_TRUNCATED_IMAGES, iCCP", f"Pillow: {by_pillow()}", f"Pillow: {with_profile}")
PYTHON
