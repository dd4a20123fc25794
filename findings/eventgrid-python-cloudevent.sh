#!/usr/bin/env bash
# A change notification of Microsoft Graph as Event Grid delivers it, at Python's azure-eventgrid (4.22.1).
#
# One would guess: EventGridEvent.from_json of the Event Grid SDK reads what Event Grid delivers, or refuses what is in the
# other schema. Its counterpart, CloudEvent.from_json of azure-core, refuses an event in Event Grid's schema and says which
# class to use.
#
# What is so: Graph's partner topics deliver CloudEvents 1.0 only
# (https://learn.microsoft.com/azure/event-grid/subscribe-to-graph-api-events), and EventGridEvent.from_json takes them
# without complaint. The two schemas share only id, subject and data, so those are right; event_type, event_time and topic
# are None, and what they should be hides in additional_properties under other names.
#
# Whom it hurts: subscribers to a partner topic. A handler that dispatches by event_type finds no case for any event and
# drops them all, or takes every deletion of a user for the default; it has data to log, so it looks alive.
#
# photorelay's function reads the members of the event itself and knows a CloudEvent by its specversion
# (src/host/events.rs).
#
# Output seen with Python 3.11 on Debian 12:
#   subject: Users/1f2c0b0e-0000-4000-8000-000000000001, type: None, time: None, topic: None
#   as a CloudEvent: Microsoft.Graph.UserDeleted
#   the other way round: ValueError
#
# Needs Python 3 with venv. Ends with 0 as long as this is so, and with 1 when it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check azure-eventgrid==4.22.1 azure-core==1.41.0

"$work/venv/bin/python" - <<'PYTHON'
import json
import sys

from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent


def expect(what, got, expected):
    print(f"{what}: {got}")
    if got != expected:
        sys.exit(f"changed: it was {expected}")


graph = {
    "id": "00d8a100-2e92-4bfa-86e1-0056dacd0fce",
    "source": "/tenants/84bd8158-6d4d-4958-8b9f-9d6445542f95/applications/24d3b144-21ae-4080-943f-7067b395b913",
    "specversion": "1.0",
    "type": "Microsoft.Graph.UserDeleted",
    "subject": "Users/1f2c0b0e-0000-4000-8000-000000000001",
    "time": "2026-05-24T22:24:31.3062901Z",
    "datacontenttype": "application/json",
    "data": {"changeType": "deleted", "resource": "Users/1f2c0b0e-0000-4000-8000-000000000001"},
}
event = EventGridEvent.from_json(json.dumps(graph))
expect(
    "subject",
    f"{event.subject}, type: {event.event_type}, time: {event.event_time}, topic: {event.topic}",
    "Users/1f2c0b0e-0000-4000-8000-000000000001, type: None, time: None, topic: None",
)
expect("as a CloudEvent", CloudEvent.from_json(json.dumps(graph)).type, "Microsoft.Graph.UserDeleted")

other = {
    "id": "1",
    "topic": "/subscriptions/0",
    "subject": "photos",
    "eventType": "Microsoft.Storage.BlobCreated",
    "eventTime": "2026-05-24T22:24:31Z",
    "data": {},
    "dataVersion": "1",
}
try:
    got = str(CloudEvent.from_json(json.dumps(other)))
except ValueError as error:
    got = type(error).__name__
expect("the other way round", got, "ValueError")
PYTHON
