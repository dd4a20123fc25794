#!/usr/bin/env bash
# The names of blob metadata at the JavaScript SDK (@azure/storage-blob 12.32.0, beside Python's azure-storage-blob 12.31.1).
#
# One would guess: metadata that was stored as photoSha256 is called photoSha256 wherever the SDK shows it. The service
# keeps the case of a name in which it was created.
#
# What is so: the listing of a container, which is XML, shows photoSha256. The properties of the blob and its download,
# which are headers, show photosha256 at the JavaScript SDK, because its HTTP layer writes every header name in lower case.
# The Python SDK shows photoSha256 in all three places.
#
# Whom it hurts: whoever keeps the digest or the owner of a photo in metadata and reads it in two ways, such as a listing
# in a nightly comparison and a download in the daily work: one of the two finds nothing and takes every photo for one
# without a digest. And a Python job and a JavaScript job that share a container. Names without capitals avoid it.
#
# Output seen with Node.js 20, Python 3.11 and Azurite 3.37.0 on Debian 12:
#   JavaScript: list photoSha256, properties photosha256, download photosha256
#   Python: list photoSha256, properties photoSha256, download photoSha256
#
# Needs Node.js with npm and Python 3 with venv. Ends with 0 as long as this is so, and with 1 when it has changed.
set -euo pipefail

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
npm install --silent --no-audit --no-fund --prefix "$work" azurite@3.37.0 @azure/storage-blob@12.32.0 >/dev/null
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check azure-storage-blob==12.31.1 azure-core==1.41.0

# The clients send later API versions than the emulator knows.
"$work/node_modules/.bin/azurite-blob" --silent --inMemoryPersistence --disableTelemetry --skipApiVersionCheck \
    --blobPort 0 >"$work/log" 2>&1 &
server=$!
for _ in $(seq 100); do
    port=$(sed -n 's/.*listens on http:\/\/127.0.0.1:\([0-9]*\).*/\1/p' "$work/log" | head -n 1)
    [ -z "$port" ] || break
    sleep 0.2
done
[ -n "$port" ] || { cat "$work/log"; exit 1; }

account=devstoreaccount1
# The emulator's published key.
key='Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='
connection="DefaultEndpointsProtocol=http;AccountName=$account;AccountKey=$key"
connection+=";BlobEndpoint=http://127.0.0.1:$port/$account"

expect() {
    echo "$1: $2"
    [ "$2" = "$3" ] || { echo "changed: it was $3"; exit 1; }
}

cat >"$work/names.js" <<'JAVASCRIPT'
const { BlobServiceClient } = require("@azure/storage-blob");

(async () => {
  const photos = BlobServiceClient.fromConnectionString(process.argv[2]).getContainerClient("photos");
  await photos.create();
  const photo = photos.getBlockBlobClient("adele");
  await photo.upload("bytes", 5, { metadata: { photoSha256: "abc" } });
  const { value } = await photos.listBlobsFlat({ includeMetadata: true }).next();
  const names = {
    list: value.metadata,
    properties: (await photo.getProperties()).metadata,
    download: (await photo.download()).metadata,
  };
  console.log(
    Object.entries(names)
      .map(([where, metadata]) => `${where} ${Object.keys(metadata)}`)
      .join(", "),
  );
})();
JAVASCRIPT
javascript=$(node "$work/names.js" "$connection")
expect JavaScript "$javascript" 'list photoSha256, properties photosha256, download photosha256'

cat >"$work/names.py" <<'PYTHON'
import sys

from azure.storage.blob import BlobServiceClient

photos = BlobServiceClient.from_connection_string(sys.argv[1]).get_container_client("photos")
photo = photos.get_blob_client("adele")
names = {
    "list": next(iter(photos.list_blobs(include=["metadata"]))).metadata,
    "properties": photo.get_blob_properties().metadata,
    "download": photo.download_blob().properties.metadata,
}
print(", ".join(f"{where} {','.join(metadata)}" for where, metadata in names.items()))
PYTHON
python=$("$work/venv/bin/python" "$work/names.py" "$connection")
expect Python "$python" 'list photoSha256, properties photoSha256, download photoSha256'
