"""Writes JPEGs of every kind, and what an independent reader (Pillow, and libjpeg-turbo below it) shows of each.

Usage: oracle.py FOLDER. The folder holds wide.icc, a colour profile. For each file, NAME.jpg and NAME.ppm are written,
and a line with its name and what is special about it to standard output. `cjpeg` writes the files.
"""

import io
import itertools
import os
import struct
import subprocess
import sys

from PIL import Image, ImageCms, ImageOps

# Hardly any is a multiple of a block, and none is far from a square, which is all that is compared.
SIZES = [(16, 16), (17, 22), (23, 19), (40, 33), (57, 61), (72, 65)]
SAMPLINGS = ["1x1", "2x1", "1x2", "2x2", "4x1", "4x2", "3x1", "1x1,2x2,2x2", "2x2,2x1,1x2"]
SCANS = {
    "one scan": None,
    "one scan each": "0; 1; 2;",
    "luma, then chroma": "0; 1 2;",
    "progressive": "progressive",
    "progressive, separately": "0: 0-0, 0, 0; 1: 0-0, 0, 1; 2: 0-0, 0, 1; 2: 1-63, 0, 2; 1: 1-63, 0, 0; 0: 1-5, 0, 2;"
    "0: 6-63, 0, 2; 0: 1-63, 2, 1; 2: 1-63, 2, 1; 1: 0-0, 1, 0; 0: 1-63, 1, 0; 2: 0-0, 1, 0; 2: 1-63, 1, 0;",
    "progressive, band by band": "0 1 2: 0-0, 0, 0;"
    + "".join(f"{c}: {k}-{k + 6}, 0, 0;" for k in range(1, 64, 7) for c in (2, 0, 1)),
}
RESTARTS = [[], ["-restart", "1"], ["-restart", "3B"]]


def picture(width, height):
    """Soft and hard edges, and a different colour in each corner."""
    image = Image.new("RGB", (width, height))
    for y, x in itertools.product(range(height), range(width)):
        right, down = x / width, y / height
        pixel = [40 + 180 * right, 200 - 150 * down, 60 + 120 * (right + down) / 2]
        if (x - 0.35 * width) ** 2 + (y - 0.4 * height) ** 2 < (0.22 * width) ** 2:
            pixel = [225, 170, 140]
        if 0.7 < down < 0.85:
            pixel = [30, 60, 200 * right]
        image.putpixel((x, y), tuple(int(value) for value in pixel))
    return image


def cjpeg(image, options, scans=None):
    if scans == "progressive":
        options = options + ["-progressive"]
    elif scans:
        with open("scans.txt", "w") as script:
            script.write(scans.replace(";", ";\n"))
        options = options + ["-scans", "scans.txt"]
    ppm = io.BytesIO()
    image.save(ppm, "PPM")
    return subprocess.run(["cjpeg", *options], input=ppm.getvalue(), stdout=subprocess.PIPE, check=True).stdout


def segments(jpeg):
    """The segments before the first scan, and everything else."""
    at, found = 2, []
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
        found.append(jpeg[at:end])
        at = end
    return found, jpeg[at:]


def segment(marker, content):
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def marked(jpeg, new):
    """The file with these markers in place of its own."""
    old, rest = segments(jpeg)
    return b"".join([b"\xff\xd8", *new, *(one for one in old if one[1] not in (0xE0, 0xEE)), rest])


def renamed(jpeg, ids):
    """The file with other component ids."""
    head, rest = segments(jpeg)
    for number, one in enumerate(head):
        if one[1] in (0xC0, 0xC1, 0xC2):
            one = bytearray(one)
            names = {one[10 + 3 * index]: name for index, name in enumerate(ids)}
            one[10::3] = ids
            head[number] = bytes(one)
    rest, at = bytearray(rest), 0
    while True:
        at = rest.find(b"\xff\xda", at)
        if at < 0:
            return b"\xff\xd8" + b"".join(head) + bytes(rest)
        for index in range(rest[at + 4]):
            rest[at + 5 + 2 * index] = names[rest[at + 5 + 2 * index]]
        at += 2


def exif(orientation, byte_order, kind):
    value = struct.pack(byte_order + ("HH" if kind == 3 else "I"), *([orientation, 0] if kind == 3 else [orientation]))
    head = (b"II" if byte_order == "<" else b"MM") + struct.pack(byte_order + "HI", 42, 8)
    entry = struct.pack(byte_order + "HHHI", 1, 0x112, kind, 1) + value + bytes(4)
    return segment(0xE1, b"Exif\0\0" + head + entry)


JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")


def adobe(transform):
    return segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))


def cmyk(image, progressive):
    jpeg = io.BytesIO()
    image.convert("CMYK").save(jpeg, "JPEG", quality=90, progressive=progressive)
    return jpeg.getvalue()


def files(profile):
    pictures = [picture(*size) for size in SIZES]
    qualities = itertools.cycle([75, 95, 40, 100, 88])
    number = itertools.count()

    def options():
        return ["-quality", str(next(qualities)), *(["-optimize"] if next(number) % 3 == 0 else [])]

    for sampling, (name, scans), restart in itertools.product(SAMPLINGS, SCANS.items(), RESTARTS):
        for image in pictures:
            what = f"{sampling}, {name}, {' '.join(restart) or 'no restart'}"
            yield what, cjpeg(image, [*options(), "-sample", sampling, *restart], scans)

    scripts = {name: SCANS[name] for name in ("one scan", "one scan each", "progressive")}
    for (name, scans), image in itertools.product(scripts.items(), pictures):
        plain = cjpeg(image, [*options(), "-sample", "2x2"], scans)
        rgb = cjpeg(image, [*options(), "-rgb"], scans)
        yield f"no marker, {name}", marked(plain, [])
        yield f"Adobe YCbCr, {name}", marked(plain, [adobe(1)])
        yield f"JFIF and Adobe, {name}", marked(plain, [JFIF, adobe(1)])
        yield f"JFIF with ids RGB, {name}", renamed(plain, b"RGB")
        yield f"other ids, {name}", renamed(marked(plain, []), b"\0\1\2")
        yield f"Adobe RGB, {name}", rgb
        yield f"ids RGB, {name}", renamed(marked(rgb, []), b"RGB")
        if scans in (None, "progressive"):
            ink = cmyk(image, scans is not None)
            yield f"CMYK, {name}", ink
            yield f"CMYK without marker, {name}", marked(ink, [])
            for sampling in ("1x1", "2x2"):
                yield f"grey {sampling}, {name}", cjpeg(image, [*options(), "-grayscale", "-sample", sampling], scans)

    for scans, image in itertools.product((None, "progressive"), pictures[3:]):
        plain = cjpeg(image, [*options(), "-sample", "2x1"], scans)
        for orientation, order, kind in itertools.product(range(1, 9), "<>", (3, 4)):
            yield f"orientation {orientation} {order} of type {kind}", marked(plain, [exif(orientation, order, kind)])
        wide = segment(0xE2, b"ICC_PROFILE\0\1\1" + profile)
        half = len(profile) // 2
        parts = [segment(0xE2, b"ICC_PROFILE\0\2\2" + profile[half:]), segment(0xE2, b"ICC_PROFILE\0\1\2" + profile[:half])]
        yield "profile", marked(plain, [JFIF, wide])
        yield "profile in two parts, the second first", marked(plain, [JFIF, *parts])
        yield "profile and orientation", marked(plain, [exif(6, "<", 3), wide])


def shown(jpeg, kind, profile):
    image = Image.open(io.BytesIO(jpeg))
    image.load()
    image = ImageOps.exif_transpose(image)
    if kind.startswith("profile"):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        image = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return image.convert("RGB")


def main():
    os.chdir(sys.argv[1])
    with open("wide.icc", "rb") as file:
        profile = file.read()
    for number, (kind, jpeg) in enumerate(files(profile)):
        with open(f"{number:04}.jpg", "wb") as file:
            file.write(jpeg)
        shown(jpeg, kind, profile).save(f"{number:04}.ppm")
        print(f"{number:04} {kind}")


main()
