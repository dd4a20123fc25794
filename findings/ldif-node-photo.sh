#!/usr/bin/env bash
# A photo in an LDIF file, read by Node's ldif (ldif 0.5.1).
#
# One would guess: a value that LDIF marks with two colons is base64 because it is not text; a parser returns its bytes, or
# at least its base64.
#
# What is so: the parser decodes it and reads the bytes as UTF-8. Every byte of a JPEG that is no valid UTF-8 becomes
# U+FFFD, and nothing of the original is kept in the result: not the bytes, not the base64, not a mark that there was one.
# A JPEG begins with such bytes (FF D8 FF), so that no photo survives, and neither does an objectGUID: different ones can
# even become equal.
#
# Whom it hurts: whoever moves photos or anchors of users between directories by LDIF export. The file that is written
# next is valid, and longer than the original.
#
# Output seen with Node.js 20 on Debian 12:
#   thumbnailPhoto: string, 8 characters, as UTF-8 16 bytes, was 8
#   its start: efbfbdefbfbdefbfbdefbfbd
#   two users' anchors are equal: true
#
# Needs Node.js with npm. Ends with 0 as long as this is so, and with 1 when it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --no-audit --no-fund --prefix "$work" ldif@0.5.1 >/dev/null

cat >"$work/read.js" <<'JAVASCRIPT'
const ldif = require("ldif");

function expect(what, got, expected) {
  console.log(`${what}: ${got}`);
  if (got !== expected) {
    console.log(`changed: it was ${expected}`);
    process.exit(1);
  }
}

function read(attribute, bytes) {
  const text = `version: 1\n\ndn: CN=Adele,DC=contoso,DC=test\n${attribute}:: ${bytes.toString("base64")}\n`;
  return ldif.parse(text).entries[0].toObject({}).attributes[attribute];
}

const photo = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10, 0x4a, 0x46]);
const value = read("thumbnailPhoto", photo);
const bytes = Buffer.from(value, "utf8");
expect(
  "thumbnailPhoto",
  `${typeof value}, ${value.length} characters, as UTF-8 ${bytes.length} bytes, was ${photo.length}`,
  "string, 8 characters, as UTF-8 16 bytes, was 8",
);
expect("its start", bytes.subarray(0, 12).toString("hex"), "efbfbdefbfbdefbfbdefbfbd");
const anchors = ["a1", "b1"].map((first) => read("objectGUID", Buffer.from(first + "11".repeat(15), "hex")));
expect("two users' anchors are equal", String(anchors[0] === anchors[1]), "true");
JAVASCRIPT
node "$work/read.js"
