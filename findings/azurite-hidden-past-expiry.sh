#!/usr/bin/env bash
# A queue message that is hidden for longer than it lives, at Azurite (azurite 3.37.0).
#
# One would guess: the emulator treats both operations that hide a message alike. The reference of Put Message says that
# the visibility timeout must be smaller than the time to live, and that of Update Message that it cannot be set to a value
# later than the expiry time
# (https://learn.microsoft.com/rest/api/storageservices/update-message).
#
# What is so: Put Message is refused with 400. Update Message is answered with 204 and a time at which the message becomes
# visible that lies after its expiry. The message never becomes visible. An expired message is counted by Get Queue Metadata
# until the next Peek or Get, which removes it without a trace, so that a queue can have length 1 and give nothing.
#
# Whom it hurts: consumers that delay a message by updating it, for example as long as a throttled service asks: with the
# default life of seven days and delays that grow, the last one loses the work, and no call has reported an error. (A
# report of 2012 says that the service did not enforce its own rule either: Azure/azure-sdk-for-java#105.) And alerts on
# the length of a queue, at the emulator.
#
# photorelay's messages never expire (crates/photorelay-core/src/queue/azure.rs).
#
# Output seen with Node.js 20 on Debian 12:
#   put, hidden for 60 s, life of 30 s: 400
#   update, hidden for 600 s, life of 3 s: 204
#   after its life: length 1
#   received: 0
#   then: length 0
#
# Needs Node.js with npm, curl and openssl. Ends with 0 as long as this is so, and with 1 when it has changed.
set -euo pipefail

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
npm install --silent --no-audit --no-fund --prefix "$work" azurite@3.37.0 >/dev/null

"$work/node_modules/.bin/azurite-queue" --silent --inMemoryPersistence --disableTelemetry --queuePort 0 \
    >"$work/log" 2>&1 &
server=$!
for _ in $(seq 100); do
    port=$(sed -n 's/.*listens on http:\/\/127.0.0.1:\([0-9]*\).*/\1/p' "$work/log" | head -n 1)
    [ -z "$port" ] || break
    sleep 0.2
done
[ -n "$port" ] || { cat "$work/log"; exit 1; }

# The emulator's published account and key, and an account SAS for queues with every permission.
account=devstoreaccount1
key='Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='
expiry=$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%SZ)
signature=$(printf '%s\nrwdlacup\nq\nsco\n\n%s\n\nhttps,http\n2022-11-02\n\n' "$account" "$expiry" |
    openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(printf '%s' "$key" | base64 -d | od -An -tx1 | tr -d ' \n')" -binary |
    base64 -w0 | sed 's/+/%2B/g; s/\//%2F/g; s/=/%3D/g')
sas="sv=2022-11-02&ss=q&srt=sco&sp=rwdlacup&se=${expiry//:/%3A}&spr=https,http&sig=$signature"

# The status of a request; its answer is in $work/body and $work/headers.
call() {
    local method=$1 path=$2
    shift 2
    curl -sS -o "$work/body" -D "$work/headers" -w '%{http_code}' -X "$method" -H 'x-ms-version: 2022-11-02' "$@" \
        "http://127.0.0.1:$port/$account/$path&$sas"
}
element() { grep -o "<$1>[^<]*" "$work/body" | head -n 1 | sed 's/^<[^>]*>//'; }
length() {
    call GET 'checks?comp=metadata' >/dev/null
    sed -n 's/^x-ms-approximate-messages-count: *\([0-9]*\).*/\1/Ip' "$work/headers"
}
expect() {
    echo "$1: $2"
    [ "$2" = "$3" ] || { echo "changed: expected $3"; exit 1; }
}

message=(--data-binary '<QueueMessage><MessageText>YWRlbGU=</MessageText></QueueMessage>')
call PUT 'checks?' -H 'Content-Length: 0' >/dev/null
expect 'put, hidden for 60 s, life of 30 s' \
    "$(call POST 'checks/messages?messagettl=30&visibilitytimeout=60' "${message[@]}")" 400
call POST 'checks/messages?messagettl=3' "${message[@]}" >/dev/null
call GET 'checks/messages?visibilitytimeout=2' >/dev/null
receipt=$(element PopReceipt | sed 's/+/%2B/g; s/\//%2F/g; s/=/%3D/g')
expect 'update, hidden for 600 s, life of 3 s' \
    "$(call PUT "checks/messages/$(element MessageId)?popreceipt=$receipt&visibilitytimeout=600" "${message[@]}")" 204
sleep 4
expect 'after its life' "length $(length)" 'length 1'
call GET 'checks/messages?' >/dev/null
expect received "$(grep -c '<MessageId>' "$work/body" || true)" 0
expect 'then' "length $(length)" 'length 0'
