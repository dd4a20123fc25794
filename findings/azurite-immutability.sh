#!/usr/bin/env bash
# A blob that is stored with an immutability policy and a legal hold, at Azurite (azurite 3.37.0).
#
# One would guess: an emulator that does not implement immutable storage refuses a Put Blob that asks for it, so that the
# client that asked for write-once storage knows that it has not got it.
#
# What is so: Put Blob with x-ms-immutability-policy-until-date, x-ms-immutability-policy-mode: Locked and
# x-ms-legal-hold: true is answered with 201, like in Azure. Nothing is kept of it: the properties show neither policy nor
# hold, the next Put Blob replaces the blob, and Delete Blob deletes it.
#
# Whom it hurts: whoever tests an audit trail that must not be changed. The writer's tests pass, and tests of what must
# fail (replace, delete, shorten) cannot be written against the emulator; if they are skipped for that reason, a writer
# that never sends the headers passes too.
#
# photorelay's trail relies on the container's policy (infra/modules/storage.bicep) and on a role that may only create
# (infra/modules/create-only-role.bicep), neither of which the emulator enforces: see azurite-create-only-sas.sh.
#
# Output seen with Node.js 20 on Debian 12:
#   put with a locked policy and a legal hold: 201
#   policy and hold in its properties: 0 headers
#   replace: 201
#   delete: 202
#
# Needs Node.js with npm, curl and openssl. Ends with 0 as long as this is so, and with 1 when it has changed.
set -euo pipefail

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
npm install --silent --no-audit --no-fund --prefix "$work" azurite@3.37.0 >/dev/null

"$work/node_modules/.bin/azurite-blob" --silent --inMemoryPersistence --disableTelemetry --blobPort 0 \
    >"$work/log" 2>&1 &
server=$!
for _ in $(seq 100); do
    port=$(sed -n 's/.*listens on http:\/\/127.0.0.1:\([0-9]*\).*/\1/p' "$work/log" | head -n 1)
    [ -z "$port" ] || break
    sleep 0.2
done
[ -n "$port" ] || { cat "$work/log"; exit 1; }

# The emulator's published account and key, and an account SAS for blobs with every permission.
account=devstoreaccount1
key='Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='
expiry=$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%SZ)
signature=$(printf '%s\nrwdlaci\nb\nsco\n\n%s\n\nhttps,http\n2022-11-02\n\n' "$account" "$expiry" |
    openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(printf '%s' "$key" | base64 -d | od -An -tx1 | tr -d ' \n')" -binary |
    base64 -w0 | sed 's/+/%2B/g; s/\//%2F/g; s/=/%3D/g')
sas="sv=2022-11-02&ss=b&srt=sco&sp=rwdlaci&se=${expiry//:/%3A}&spr=https,http&sig=$signature"

# The status of a request; the headers of its answer are in $work/headers.
call() {
    local method=$1 path=$2
    shift 2
    curl -sS -o /dev/null -D "$work/headers" -w '%{http_code}' -X "$method" -H 'x-ms-version: 2022-11-02' "$@" \
        "http://127.0.0.1:$port/$account/$path&$sas"
}
expect() {
    echo "$1: $2"
    [ "$2" = "$3" ] || { echo "changed: expected $3"; exit 1; }
}

until=$(date -u -d '+1 day' '+%a, %d %b %Y %H:%M:%S GMT')
policy=(-H "x-ms-immutability-policy-until-date: $until" -H 'x-ms-immutability-policy-mode: Locked')
blob=(-H 'x-ms-blob-type: BlockBlob' --data-binary 'an entry')
call PUT 'audit?restype=container' -H 'Content-Length: 0' >/dev/null
expect 'put with a locked policy and a legal hold' \
    "$(call PUT 'audit/1?' "${blob[@]}" "${policy[@]}" -H 'x-ms-legal-hold: true')" 201
call GET 'audit/1?' >/dev/null
expect 'policy and hold in its properties' \
    "$(grep -ciE '^x-ms-(immutability|legal-hold)' "$work/headers" || true) headers" '0 headers'
expect replace "$(call PUT 'audit/1?' "${blob[@]}")" 201
expect delete "$(call DELETE 'audit/1?')" 202
