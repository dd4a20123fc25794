#!/usr/bin/env bash
# The time of a CloudEvent after it was read and sent on (cloudevents 10.0.0 for JavaScript, cloudevents 2.2.0 for Python).
#
# One would guess: `time` says when the producer saw the occurrence, so an SDK that reads an event and sends it on keeps
# it; and an event without the optional `time` stays without it.
#
# What is so:
#   1. JavaScript keeps milliseconds: the rest of a time with microseconds (.NET and Graph write seven digits) or
#      nanoseconds is cut off while the event is read.
#   2. Python's new API (cloudevents.core) keeps microseconds. Its older one (cloudevents.v1), in the same package, keeps
#      the text as it is.
#   3. Both APIs of Python give an event without a time the time of reading. So the same message, read twice, makes two
#      different events, and an old event looks new.
#
# Whom it hurts: whoever orders or deduplicates change events by their time, or signs or hashes an event's JSON, in a chain
# of services in several languages: two changes within a millisecond change places or become one.
#
# photorelay writes nanoseconds in `time` for people, and orders by the sequence number in the data, never by time
# (crates/photorelay-core/src/contract/writeback.rs).
#
# Output seen with Node.js 20 and Python 3.11 on Debian 12:
#   sent                 2026-11-23T15:49:34.170162454Z
#   1. JavaScript        2026-11-23T15:49:34.170Z
#   2. Python core       2026-11-23T15:49:34.170162Z
#   2. Python v1         2026-11-23T15:49:34.170162454Z
#   3. without a time    core: another at each reading, v1: another at each reading
#
# Needs Node.js with npm and Python 3 with venv. Ends with 0 as long as all of this is so, and with 1 when any of it has
# changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --no-audit --no-fund --prefix "$work" cloudevents@10.0.0 >/dev/null
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check cloudevents==2.2.0

sent=2026-11-23T15:49:34.170162454Z
untimed='{"specversion":"1.0","id":"adele:7","source":"/photos","type":"test.contoso.photo","data":{"sequence":7}}'
timed=${untimed/\"data\"/\"time\":\"$sent\",\"data\"}
printf '%-20s %s\n' sent "$sent"

expect() {
    printf '%-20s %s\n' "$1" "$2"
    [ "$2" = "$3" ] || { echo "changed: expected $3"; exit 1; }
}

javascript=$(cd "$work" && node -e '
const { HTTP } = require("cloudevents");
const read = HTTP.toEvent({ headers: { "content-type": "application/cloudevents+json" }, body: process.argv[1] });
console.log(JSON.parse(HTTP.structured(read).body).time);' "$timed")
expect '1. JavaScript' "$javascript" 2026-11-23T15:49:34.170Z

cat >"$work/forward.py" <<'PYTHON'
import json
import sys

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1.conversion import to_json
from cloudevents.v1.http import from_json


def core(text):
    return json.loads(JSONFormat().write(JSONFormat().read(CloudEvent, text.encode())))["time"]


def v1(text):
    return json.loads(to_json(from_json(text)))["time"]


api = {"core": core, "v1": v1}[sys.argv[1]]
print(api(sys.argv[2]))
PYTHON
forward() { "$work/venv/bin/python" "$work/forward.py" "$@"; }
expect '2. Python core' "$(forward core "$timed")" 2026-11-23T15:49:34.170162Z
expect '2. Python v1' "$(forward v1 "$timed")" "$sent"
twice() {
    local first second
    first=$(forward "$1" "$untimed")
    second=$(forward "$1" "$untimed")
    if [ "$first" = "$second" ]; then echo 'the same'; else echo 'another at each reading'; fi
}
expect '3. without a time' "core: $(twice core), v1: $(twice v1)" \
    'core: another at each reading, v1: another at each reading'
