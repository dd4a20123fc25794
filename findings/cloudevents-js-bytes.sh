#!/usr/bin/env bash
# Binary data of a CloudEvent, read by the JavaScript SDK (cloudevents 10.0.0).
#
# One would guess: an event in structured JSON that carries a photo in data_base64 is read back as the bytes of the photo,
# as a Buffer or a Uint8Array: an event that is made with a Uint8Array becomes that JSON.
#
# What is so: the reader returns a Uint32Array with one byte of the photo in each 32-bit number. It prints like the right
# bytes, has the right length, and its elements are equal one by one. Written to a file or a socket it is four times as
# long, three zeros after every byte (on a little-endian machine), and no image. An event that is read in binary mode, or
# that never left the process, holds a Uint8Array, so that a test without the JSON format passes.
#
# Whom it hurts: consumers of photo events, such as badge systems, that take the bytes from the event; and whoever compares
# a digest: the SHA-256 is another one.
#
# photorelay's events carry no photo but its place and its SHA-256 (crates/photorelay-core/src/contract/writeback.rs).
#
# Output seen with Node.js 20 on Debian 12:
#   sent: 7 bytes, in JSON /9j/4AABAg==
#   read: Uint32Array of length 7
#   written to a file: 28 bytes, ff000000d8000000
#   in binary mode: Uint8Array of length 7
#
# Needs Node.js with npm. Ends with 0 as long as this is so, and with 1 when it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --no-audit --no-fund --prefix "$work" cloudevents@10.0.0 >/dev/null

cat >"$work/read.js" <<'JAVASCRIPT'
const fs = require("node:fs");
const { CloudEvent, HTTP } = require("cloudevents");

function expect(what, got, expected) {
  console.log(`${what}: ${got}`);
  if (got !== expected) {
    console.log(`changed: it was ${expected}`);
    process.exit(1);
  }
}
const kind = (data) => `${data.constructor.name} of length ${data.length}`;

const photo = Uint8Array.from([0xff, 0xd8, 0xff, 0xe0, 0, 1, 2]);
const event = new CloudEvent({
  id: "adele:7",
  source: "/photos",
  type: "test.contoso.photo",
  datacontenttype: "image/jpeg",
  data: photo,
});
const message = HTTP.structured(event);
expect(
  "sent",
  `${photo.length} bytes, in JSON ${JSON.parse(message.body).data_base64}`,
  "7 bytes, in JSON /9j/4AABAg==",
);
const read = HTTP.toEvent({ headers: message.headers, body: message.body });
expect("read", kind(read.data), "Uint32Array of length 7");
const file = `${__dirname}/photo.jpg`;
fs.writeFileSync(file, read.data);
const written = fs.readFileSync(file);
expect(
  "written to a file",
  `${written.length} bytes, ${written.subarray(0, 8).toString("hex")}`,
  "28 bytes, ff000000d8000000",
);
expect("in binary mode", kind(HTTP.toEvent(HTTP.binary(event)).data), "Uint8Array of length 7");
JAVASCRIPT
node "$work/read.js"
