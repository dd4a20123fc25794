#!/usr/bin/env bash
# A SCIM user whose photo is base64 instead of an address, at Python's scim2-models (0.12.3).
#
# One would guess: photos.value is defined as the URI of a resource (RFC 7643, section 4.1.2), so a model that validates it
# refuses the bytes of a picture in base64, which senders that know only Active Directory's thumbnailPhoto put there.
#
# What is so: it depends on the format of the picture. Base64 of a PNG (iVBORw0...) is refused as "Invalid URI". Base64 of a
# JPEG always begins with /9j/, which reads as an absolute path, so the whole picture is accepted as a relative URI, and
# the value leaves the model unchanged.
#
# Whom it hurts: operators of a SCIM endpoint. Their tests with a PNG show that pictures in the attribute are refused; then
# the first real provisioning, with JPEGs, fills the directory with "addresses" of many kilobytes that every client
# resolves against the server: https://server/9j/4AAQ...
#
# Output seen with Python 3.11 on Debian 12:
#   PNG: Invalid URI
#   JPEG: accepted as '/9j/4AAQSkZJRgABAQ=='
#   address: accepted as 'https://photos.contoso.test/adele.jpg'
#
# Needs Python 3 with venv. Ends with 0 as long as this is so, and with 1 when it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check scim2-models==0.12.3

"$work/venv/bin/python" - <<'PYTHON'
import base64
import sys

from scim2_models import User


def expect(what, got, expected):
    print(f"{what}: {got}")
    if got != expected:
        sys.exit(f"changed: it was {expected}")


def read(value):
    try:
        user = User.model_validate({"userName": "adele", "photos": [{"value": value, "type": "thumbnail"}]})
    except ValueError as error:
        return "Invalid URI" if "Invalid URI" in str(error) else str(error)
    return f"accepted as {str(user.photos[0].value)!r}"


png = bytes.fromhex("89504e470d0a1a0a0000000d49484452")
jpeg = bytes.fromhex("ffd8ffe000104a46494600010100")[:13]
expect("PNG", read(base64.b64encode(png).decode()), "Invalid URI")
expect("JPEG", read(base64.b64encode(jpeg).decode()), "accepted as '/9j/4AAQSkZJRgABAQ=='")
address = "https://photos.contoso.test/adele.jpg"
expect("address", read(address), f"accepted as {address!r}")
PYTHON
