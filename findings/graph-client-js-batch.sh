#!/usr/bin/env bash
# Photos and errors of a batch, read with the JavaScript Graph client (microsoft-graph-client 3.0.7).
#
# One would guess: BatchResponseContent gives, for each item, a Response like the one of a single request: the bytes of the
# photo for image/jpeg, and JSON for an error.
#
# What is so:
#   1. A photo's Response says image/jpeg and status 200, and its body is the base64 text of the batch. arrayBuffer() and
#      blob() return those characters: a third more bytes, beginning with "/9j/", that no viewer opens.
#   2. JSON is recognised by a header that is written Content-Type, in this case only. With content-type, as HTTP/2 writes
#      it, the body of the Response is the text "[object Object]": the error code is lost, and json() throws.
#
# Whom it hurts: whoever reads photos twenty at a time, as the documentation of throttling recommends. The files are
# written, have plausible sizes and digests, and only a person who looks at them sees that they are no pictures.
#
# photorelay decodes the body of each item and checks the picture before it is stored (src/graph/batch.rs).
#
# Output seen with Node.js 20 on Debian 12:
#   1. 200 image/jpeg: 12 bytes, 2f396a2f; the photo: 7 bytes, ffd8ffe0
#   2. Content-Type: {"error":{"code":"ImageNotFound"}}
#   2. content-type: [object Object]
#
# Needs Node.js with npm. Ends with 0 as long as all of this is so, and with 1 when any of it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --no-audit --no-fund --prefix "$work" @microsoft/microsoft-graph-client@3.0.7 >/dev/null

cat >"$work/read.js" <<'JAVASCRIPT'
const { BatchResponseContent } = require("@microsoft/microsoft-graph-client");

function expect(what, got, expected) {
  console.log(`${what}: ${got}`);
  if (got !== expected) {
    console.log(`changed: it was ${expected}`);
    process.exit(1);
  }
}
const shown = (bytes) => `${bytes.length} bytes, ${bytes.subarray(0, 4).toString("hex")}`;

const photo = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 1, 2]);
const error = { error: { code: "ImageNotFound" } };
// As https://learn.microsoft.com/graph/json-batching shows it.
const batch = new BatchResponseContent({
  responses: [
    { id: "photo", status: 200, headers: { "Content-Type": "image/jpeg" }, body: photo.toString("base64") },
    { id: "upper", status: 404, headers: { "Content-Type": "application/json" }, body: error },
    { id: "lower", status: 404, headers: { "content-type": "application/json" }, body: error },
  ],
});

(async () => {
  const response = batch.getResponseById("photo");
  const bytes = Buffer.from(await response.arrayBuffer());
  expect(
    `1. ${response.status} ${response.headers.get("content-type")}`,
    `${shown(bytes)}; the photo: ${shown(photo)}`,
    "12 bytes, 2f396a2f; the photo: 7 bytes, ffd8ffe0",
  );
  expect("2. Content-Type", await batch.getResponseById("upper").text(), JSON.stringify(error));
  expect("2. content-type", await batch.getResponseById("lower").text(), "[object Object]");
})();
JAVASCRIPT
node "$work/read.js"
