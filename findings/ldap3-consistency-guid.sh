#!/usr/bin/env bash
# The two GUIDs that anchor a user in Active Directory, at Python's ldap3 (ldap3 2.9.1 with its schema of AD 2012 R2).
#
# One would guess: objectGUID and mS-DS-ConsistencyGuid are both octet strings, and Entra Connect copies the one into the
# other, so a client treats them alike: a search for the one finds what a search for the other finds, and both show the
# same value.
#
# What is so: ldap3 converts objectGUID by its name, and not the other. It shows objectGUID as text in braces and
# mS-DS-ConsistencyGuid as 16 bytes, so that equal anchors compare as different. In a filter, it turns the text of a GUID
# into its 16 bytes for objectGUID; for mS-DS-ConsistencyGuid it sends the 36 characters as they are. The server answers
# that nothing matches: no error, no warning, only a user who is not found.
#
# Whom it hurts: identity administrators who look up the on-premises user of a cloud user by the source anchor, or compare
# both attributes before a migration between forests: all users seem to be missing, or to differ. Bytes in the filter, each
# as \hh in the order in which Windows stores them, find the user by either attribute.
#
# photorelay always sends the bytes (crates/photorelay-agent/src/connectors/ldap/identifiers.rs).
#
# Output seen with Python 3.11 on Debian 12:
#   objectGUID: '{00112233-4455-6677-8899-aabbccddeeff}'
#   mS-DS-ConsistencyGuid: b'3"\x11\x00UDwf\x88\x99\xaa\xbb\xcc\xdd\xee\xff'
#   found by the text of the GUID: {'objectGUID': 1, 'mS-DS-ConsistencyGuid': 0}
#   found by its bytes: {'objectGUID': 1, 'mS-DS-ConsistencyGuid': 1}
#
# Needs Python 3 with venv. ldap3's own in-memory directory answers. Ends with 0 as long as this is so, and with 1 when it
# has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check ldap3==2.9.1

"$work/venv/bin/python" - <<'PYTHON'
import sys
import uuid

from ldap3 import MOCK_SYNC, OFFLINE_AD_2012_R2, Connection, Server

ANCHORS = ["objectGUID", "mS-DS-ConsistencyGuid"]
guid = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")


def expect(what, got, expected):
    print(f"{what}: {got!r}")
    if got != expected:
        sys.exit(f"changed: it was {expected!r}")


directory = Connection(Server("dc1.contoso.test", get_info=OFFLINE_AD_2012_R2), client_strategy=MOCK_SYNC)
directory.strategy.add_entry(
    "CN=Adele,DC=contoso,DC=test", {"objectClass": ["user"], **{anchor: guid.bytes_le for anchor in ANCHORS}}
)
directory.bind()


def found(text):
    return {
        anchor: len(directory.response) if directory.search("DC=contoso,DC=test", f"({anchor}={text})") else 0
        for anchor in ANCHORS
    }


directory.search("DC=contoso,DC=test", "(objectClass=user)", attributes=ANCHORS)
shown = directory.response[0]["attributes"]
expect("objectGUID", shown["objectGUID"], "{00112233-4455-6677-8899-aabbccddeeff}")
expect("mS-DS-ConsistencyGuid", shown["mS-DS-ConsistencyGuid"], guid.bytes_le)
expect("found by the text of the GUID", found(str(guid)), {"objectGUID": 1, "mS-DS-ConsistencyGuid": 0})
escaped = "".join(f"\\{byte:02x}" for byte in guid.bytes_le)
expect("found by its bytes", found(escaped), {"objectGUID": 1, "mS-DS-ConsistencyGuid": 1})
PYTHON
