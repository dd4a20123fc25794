#!/usr/bin/env bash
# A colour that the table of a GIF does not have, at Rust's image (image 0.25.10 with gif 0.14.2, beside Pillow 13.0.0 and
# libvips 8.18.7).
#
# One would guess: a pixel whose index lies beyond the colour table is an error, since section 22 of the GIF89a
# specification wants every index within the table, or it is opaque black, as other readers show it and as PNG's
# specification demands for the same case in a PNG (https://www.w3.org/TR/png-3/#13Decoders.Errors).
#
# What is so: image reports no error and leaves the pixel fully transparent, though the file names no transparent colour.
# Its colour is black, so the result depends on what the caller does next: into_rgb8 drops the transparency and the pixel
# is black; over a white background it is white. Pillow and libvips show black, and libvips reports a picture without
# transparency. (Chromium 156 shows black too; that was looked at by hand.)
#
# Whom it hurts: services that make thumbnails or JPEGs of uploads with image: what is black in the browser of the person who
# uploads it has holes, or is white, in the copy. Such files exist; one was among the public ones of docs/reliability.md. A
# comparison with other readers that looks at RGB alone does not show it.
#
# photorelay hands the decoder a table of 256 colours (crates/photorelay-core/src/photo/decode/gif.rs).
#
# Output seen with Python 3.11 and Rust 1.95 on Debian 12:
#   image, colour in the table: [200, 40, 40, 255]
#   image, colour beyond the table: [0, 0, 0, 0]
#   image, the same by into_rgb8: [0, 0, 0]
#   image, the same over white: [255, 255, 255, 255]
#   Pillow, colour in the table: [200, 40, 40, 255]
#   Pillow, colour beyond the table: [0, 0, 0, 255]
#   libvips, colour in the table: [200, 40, 40]
#   libvips, colour beyond the table: [0, 0, 0]
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
image = { version = "=0.25.10", default-features = false, features = ["gif"] }
gif = "=0.14.2"
TOML
cat >"$work/reader/src/main.rs" <<'RUST'
use image::{imageops, Rgba, RgbaImage};

/// Prints the first pixel, and the last one in four channels, in three, and over white.
fn main() {
    let picture = image::open(std::env::args().nth(1).unwrap()).unwrap();
    let pixels = picture.to_rgba8();
    let mut over_white = RgbaImage::from_pixel(8, 8, Rgba([255; 4]));
    imageops::overlay(&mut over_white, &pixels, 0, 0);
    println!("{:?}", pixels[(0, 0)].0);
    println!("{:?}", pixels[(7, 7)].0);
    println!("{:?}", picture.into_rgb8()[(7, 7)].0);
    println!("{:?}", over_white[(7, 7)].0);
}
RUST
(cd "$work/reader" && CARGO_TARGET_DIR="$work/target" cargo build --quiet)

"$work/venv/bin/python" - "$work/target/debug/reader" "$work/photo.gif" <<'PYTHON'
import subprocess
import sys
from pathlib import Path

import pyvips
from PIL import Image

reader, path = sys.argv[1:]


def expect(what, got, expected):
    print(f"{what}: {got}")
    if got != expected:
        sys.exit(f"changed: it was {expected}")


# Four rows of the first colour and four of colour 100, in a picture whose table has four colours. All codes have nine bits
# (eight for a pixel, and one for 256, which starts a table of codes, and 257, which ends the data).
codes = [256] + [0] * 32 + [100] * 32 + [257]
packed = sum(code << 9 * place for place, code in enumerate(codes)).to_bytes((9 * len(codes) + 7) // 8, "little")
Path(path).write_bytes(
    b"GIF89a"
    + bytes([8, 0, 8, 0, 0x81, 0, 0])
    + bytes([200, 40, 40, 255, 255, 255, 40, 180, 60, 40, 60, 200])
    + bytes([0x2C, 0, 0, 0, 0, 8, 0, 8, 0, 0, 8, len(packed)])
    + packed
    + bytes([0, 0x3B])
)

lines = subprocess.run([reader, path], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
expect("image, colour in the table", lines[0], "[200, 40, 40, 255]")
expect("image, colour beyond the table", lines[1], "[0, 0, 0, 0]")
expect("image, the same by into_rgb8", lines[2], "[0, 0, 0]")
expect("image, the same over white", lines[3], "[255, 255, 255, 255]")

with Image.open(path) as picture:
    pixels = picture.convert("RGBA")
expect("Pillow, colour in the table", list(pixels.getpixel((0, 0))), [200, 40, 40, 255])
expect("Pillow, colour beyond the table", list(pixels.getpixel((7, 7))), [0, 0, 0, 255])

pixels = pyvips.Image.new_from_file(path)
expect("libvips, colour in the table", [int(value) for value in pixels(0, 0)], [200, 40, 40])
expect("libvips, colour beyond the table", [int(value) for value in pixels(7, 7)], [0, 0, 0])
PYTHON
