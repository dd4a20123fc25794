#!/usr/bin/env bash
# Batch requests of the Microsoft Graph SDK for Python (msgraph-core 1.5.2 with kiota 1.16.0).
#
# One would guess: `pip install msgraph-core` brings what its batch classes need; a BatchRequestItem that is made from a
# request of the SDK is what POST /$batch takes, with its order; and a response that Graph sends can be read back.
#
# What is so, none of it with an error that names the cause:
#   1. Importing the batch classes fails: they need the package Deprecated, which msgraph-core does not require.
#   2. The item's URL is absolute. Graph takes only URLs relative to the version, and is reported to answer 400.
#   3. An order is written as `depends_on`. Graph reads `dependsOn` and ignores the rest, so the items run in any order.
#   4. Every JSON body of a response is dropped: `body` is None, for results and for errors alike; only bodies that are
#      base64 text, such as photos, arrive. The status is all that tells an empty result from a lost one.
#
# Whom it hurts: whoever reads many users at once with this SDK, for example to compare photo ETags: with the statuses
# 200 everything looks fine, and every ETag is missing. And whoever writes in an order that matters.
#
# Public reports: microsoftgraph/msgraph-sdk-python-core#1030 (1), #1116 (2), pull 996 (3); microsoft/kiota-python#737 (4).
#
# Output seen with Python 3.11 on Debian 12:
#   1. ModuleNotFoundError: No module named 'deprecated'
#   2. the URL of an item: 'https://graph.microsoft.com/v1.0/users/adele@contoso.test'
#   3. its order: {'depends_on': ['a']}
#   4. statuses: [200, 404, 200]
#   4. bodies: [None, None, b'\xff\xd8\xff\xe0\x00\x10']
#
# Needs Python 3 with venv and a package index. Ends with 0 as long as all of this is so, and with 1 when any of it has
# changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
python="$work/venv/bin/python"
pip=("$python" -m pip install --quiet --disable-pip-version-check)

"${pip[@]}" msgraph-core==1.5.2 microsoft-kiota-abstractions==1.16.0 microsoft-kiota-http==1.16.0 \
    microsoft-kiota-authentication-azure==1.16.0 microsoft-kiota-serialization-json==1.16.0
if "$python" -c 'import msgraph_core.requests.batch_request_item' 2>"$work/import"; then
    echo 'changed: the batch classes can be imported without the package Deprecated'
    exit 1
fi
echo "1. $(tail -n 1 "$work/import")"

"${pip[@]}" Deprecated==1.3.1
"$python" - <<'PYTHON'
import json
import sys

from kiota_abstractions.method import Method
from kiota_abstractions.request_information import RequestInformation
from kiota_serialization_json.json_parse_node_factory import JsonParseNodeFactory
from kiota_serialization_json.json_serialization_writer import JsonSerializationWriter
from msgraph_core.requests.batch_request_content import BatchRequestContent
from msgraph_core.requests.batch_request_item import BatchRequestItem
from msgraph_core.requests.batch_response_content import BatchResponseContent


def expect(number, what, got, expected):
    print(f"{number}. {what}: {got!r}")
    if got != expected:
        sys.exit(f"changed: it was {expected!r}")


def get(path):
    request = RequestInformation()
    request.http_method = Method.GET
    request.url = f"https://graph.microsoft.com/v1.0/{path}"
    return request


content = BatchRequestContent()
content.add_request("a", BatchRequestItem(get("users/adele@contoso.test/photo"), "a"))
content.add_request("b", BatchRequestItem(get("users/adele@contoso.test"), "b", depends_on=["a"]))
writer = JsonSerializationWriter()
writer.write_object_value(None, content)
second = json.loads(writer.get_serialized_content())["requests"][1]
expect(2, "the URL of an item", second["url"], "https://graph.microsoft.com/v1.0/users/adele@contoso.test")
order = {name: second[name] for name in ("dependsOn", "depends_on") if name in second}
expect(3, "its order", order, {"depends_on": ["a"]})

# As https://learn.microsoft.com/graph/json-batching shows it.
response = {
    "responses": [
        {
            "id": "a",
            "status": 200,
            "headers": {"Content-Type": "application/json"},
            "body": {"@odata.mediaEtag": '"BA09D118"', "id": "240x240", "width": 240, "height": 240},
        },
        {
            "id": "b",
            "status": 404,
            "headers": {"Content-Type": "application/json"},
            "body": {"error": {"code": "Request_ResourceNotFound", "message": "Resource 'adele' does not exist."}},
        },
        {"id": "c", "status": 200, "headers": {"Content-Type": "image/jpeg"}, "body": "/9j/4AAQ"},
    ]
}
root = JsonParseNodeFactory().get_root_parse_node("application/json", json.dumps(response).encode())
items = root.get_object_value(BatchResponseContent).responses
expect(4, "statuses", [items[name].status for name in "abc"], [200, 404, 200])
expect(4, "bodies", [items[name].body for name in "abc"], [None, None, b"\xff\xd8\xff\xe0\x00\x10"])
PYTHON
