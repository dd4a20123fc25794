#!/usr/bin/env bash
# Change records and the version line at Python's ldif (ldif 4.3.0).
#
# One would guess: a parser whose documentation says that it reads "entry or change records" of RFC 2849 returns what an
# LDIF delta says: who is deleted, and whose attribute is replaced.
#
# What is so, with files as the RFC's grammar allows them:
#   1. A version line that is followed by a blank line is returned as a record of its own, with no name: (None, {}).
#   2. A deletion is returned like an entry, with the text "delete" in an attribute changetype. Whoever takes the records
#      for entries adds the person who should go.
#   3. A modification ends the parsing with "ValueError: subsection not found": its separator "-" has no colon. The records
#      after it are lost.
#
# Whom it hurts: whoever checks or converts the deltas of a metadirectory, such as those of the LDIF management agent of
# Microsoft Identity Manager, before they are applied.
#
# Output seen with Python 3.11 on Debian 12:
#   1. [(None, {}), ('CN=Adele,DC=contoso,DC=test', {'objectClass': ['user']})]
#   2. [('CN=Adele,DC=contoso,DC=test', {'changetype': ['delete']})]
#   3. ValueError: subsection not found
#
# Needs Python 3 with venv. Ends with 0 as long as all of this is so, and with 1 when any of it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check ldif==4.3.0

"$work/venv/bin/python" - <<'PYTHON'
import io
import sys

from ldif import LDIFParser

ADELE = "dn: CN=Adele,DC=contoso,DC=test\n"
NAME = "CN=Adele,DC=contoso,DC=test"


def expect(number, got, expected):
    print(f"{number}. {got}")
    if got != expected:
        sys.exit(f"changed: it was {expected}")


def records(text):
    return [(name, dict(entry)) for name, entry in LDIFParser(io.BytesIO(text.encode())).parse()]


content = f"version: 1\n\n{ADELE}objectClass: user\n"
expect(1, records(content), [(None, {}), (NAME, {"objectClass": ["user"]})])
expect(2, records(f"{ADELE}changetype: delete\n"), [(NAME, {"changetype": ["delete"]})])
modification = f"{ADELE}changetype: modify\nreplace: thumbnailPhoto\nthumbnailPhoto:: /9j/4AAQ\n-\n"
try:
    got = str(records(modification))
except ValueError as error:
    got = f"{type(error).__name__}: {error}"
expect(3, got, "ValueError: subsection not found")
PYTHON
