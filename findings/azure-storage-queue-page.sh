#!/usr/bin/env bash
# One message that is not base64 in a page of messages (Python's azure-storage-queue 12.18.1).
#
# One would guess: a client that is told to decode base64, as the Functions host encodes by default, and receives up to 32
# messages at once, gives the good ones to its caller and fails for the one that a producer wrote as plain text.
#
# What is so: the decoding policy sees the whole page. If one message in it cannot be decoded, receive_messages raises
# before it returns any, and the service has already made the whole page invisible: the good messages are neither
# delivered nor seen by others until the visibility timeout ends, each with one attempt less. Every later receive that
# catches the bad message takes its neighbours with it, until their attempts are used up. Besides, the error is not the
# DecodeError that the policy means to raise, because building that error fails: it is an AttributeError about a
# PipelineResponse, which names neither a message nor an encoding.
#
# Whom it hurts: whoever lets Python workers share a queue with a Functions host, or reads its poison queue with them: a
# single hand-written message delays and dead-letters the messages of other users.
#
# photorelay decodes each message by itself and dead-letters only the one that cannot be decoded
# (crates/photorelay-core/src/queue, crates/photorelay-core/src/consumer.rs).
#
# Output seen with Python 3.11, Node.js 20 and Azurite 3.37.0 on Debian 12:
#   received: [] and AttributeError: 'PipelineResponse' object has no attribute 'reason'
#   in the queue: 3, of them visible: 0
#   when they are visible again, read without decoding: attempts [2, 2, 2]
#
# Needs Python 3 with venv and Node.js with npm. Ends with 0 as long as this is so, and with 1 when it has changed.
set -euo pipefail

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
npm install --silent --no-audit --no-fund --prefix "$work" azurite@3.37.0 >/dev/null
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check azure-storage-queue==12.18.1 azure-core==1.41.0

# The client sends a later API version than the emulator knows.
"$work/node_modules/.bin/azurite-queue" --silent --inMemoryPersistence --disableTelemetry --skipApiVersionCheck \
    --queuePort 0 >"$work/log" 2>&1 &
server=$!
for _ in $(seq 100); do
    port=$(sed -n "s/.*listens on http:..127.0.0.1:\([0-9]*\).*/\1/p" "$work/log" | head -n 1)
    [ -z "$port" ] || break
    sleep 0.2
done
[ -n "$port" ] || { cat "$work/log"; exit 1; }

"$work/venv/bin/python" - "$port" <<'PYTHON'
import sys
import time

from azure.storage.queue import QueueClient, TextBase64DecodePolicy, TextBase64EncodePolicy

account = "devstoreaccount1"
# The emulator's published key.
key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
url = f"http://127.0.0.1:{sys.argv[1]}/{account}"


def client(**policies):
    credential = {"account_name": account, "account_key": key}
    return QueueClient(url, "photo-checks", credential=credential, **policies)


def expect(what, got, expected):
    print(f"{what}: {got}")
    if got != expected:
        sys.exit(f"changed: it was {expected}")


plain = client()
encoded = client(message_encode_policy=TextBase64EncodePolicy(), message_decode_policy=TextBase64DecodePolicy())
plain.create_queue()
encoded.send_message('{"userId":"adele"}')
plain.send_message('{"userId":"diego"}')
encoded.send_message('{"userId":"lee"}')

received, error = [], None
try:
    for message in encoded.receive_messages(messages_per_page=32, visibility_timeout=3):
        received.append(message.content)
except Exception as caught:
    error = f"{type(caught).__name__}: {caught}"
expect("received", f"{received} and {error}", "[] and AttributeError: 'PipelineResponse' object has no attribute 'reason'")
waiting = plain.get_queue_properties().approximate_message_count
expect("in the queue", f"{waiting}, of them visible: {len(plain.peek_messages(32))}", "3, of them visible: 0")
time.sleep(4)
again = [message.dequeue_count for message in plain.receive_messages(messages_per_page=32)]
expect("when they are visible again, read without decoding", f"attempts {again}", "attempts [2, 2, 2]")
PYTHON
