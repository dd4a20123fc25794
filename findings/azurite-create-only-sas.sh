#!/usr/bin/env bash
# A caller who may create blobs but not overwrite them, at Azurite (azurite 3.37.0).
#
# One would guess: a SAS with permission to create and not to write, as one gives it to a writer of an append-only
# trail, meets at the emulator what it meets in Azure: the first Put Blob of a name succeeds, and the second one is
# refused with the code that the service documents for just this case, 403 UnauthorizedBlobOverwrite
# (https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes).
#
# What is so: the second Put Blob is refused with 403 AuthorizationPermissionMismatch, the answer to a caller without any
# right to write. The header If-None-Match: *, which should give 409 BlobAlreadyExists or 412, does not change that: the
# permission is checked first. So at Azurite "the blob exists" and "you may not write here" are the same answer.
#
# Whom it hurts: whoever tests create-once writes with least privilege. Code that takes 403 for a missing role passes at
# Azurite with a full SAS and fails in Azure with a create-only one; code that waits for UnauthorizedBlobOverwrite works in
# Azure and cannot be tested at Azurite. Reading the blob's properties after a 403 tells both cases apart.
#
# Output seen with Node.js 20 on Debian 12:
#   created: 201
#   again: 403 AuthorizationPermissionMismatch
#   again, if it does not exist: 403 AuthorizationPermissionMismatch
#   a new name: 201
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
    port=$(sed -n 's/.*listens on http:\/\/127.0.0.1:\([0-9]*\).*/\1/p; s/.*listening at http:\/\/127.0.0.1:\([0-9]*\).*/\1/p' \
        "$work/log" | head -n 1)
    [ -z "$port" ] || break
    sleep 0.2
done
[ -n "$port" ] || { cat "$work/log"; exit 1; }

# The emulator's published account and key.
account=devstoreaccount1
key='Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='
expiry=$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%SZ)

# An account SAS of version 2022-11-02 for blobs, with these permissions.
sas() {
    local hex signature
    hex=$(printf '%s' "$key" | base64 -d | od -An -tx1 | tr -d ' \n')
    signature=$(printf '%s\n%s\nb\nsco\n\n%s\n\nhttps,http\n2022-11-02\n\n' "$account" "$1" "$expiry" |
        openssl dgst -sha256 -mac HMAC -macopt "hexkey:$hex" -binary | base64 -w0 | sed 's/+/%2B/g; s/\//%2F/g; s/=/%3D/g')
    printf 'sv=2022-11-02&ss=b&srt=sco&sp=%s&se=%s&spr=https,http&sig=%s' "$1" "${expiry//:/%3A}" "$signature"
}

# The status of a PUT, and the service's code if it is refused.
put() {
    local query=$1 path=$2 status code
    shift 2
    status=$(curl -sS -o "$work/body" -D "$work/headers" -w '%{http_code}' -X PUT -H 'x-ms-version: 2022-11-02' "$@" \
        "http://127.0.0.1:$port/$account/$path?$query")
    code=$(sed -n 's/^x-ms-error-code: *\([A-Za-z]*\).*/\1/Ip' "$work/headers" | tr -d '\r')
    printf '%s%s' "$status" "${code:+ $code}"
}

blob=(-H 'x-ms-blob-type: BlockBlob' --data-binary 'an entry')
put "$(sas rwlc)&restype=container" trail -H 'Content-Length: 0' >/dev/null
create_only=$(sas rlc)

failed=0
expect() {
    echo "$1: $2"
    [ "$2" = "$3" ] || { echo "changed: expected $3"; failed=1; }
}
expect 'created' "$(put "$create_only" trail/1 "${blob[@]}")" 201
expect 'again' "$(put "$create_only" trail/1 "${blob[@]}")" '403 AuthorizationPermissionMismatch'
expect 'again, if it does not exist' "$(put "$create_only" trail/1 "${blob[@]}" -H 'If-None-Match: *')" \
    '403 AuthorizationPermissionMismatch'
expect 'a new name' "$(put "$create_only" trail/2 "${blob[@]}")" 201
exit "$failed"
