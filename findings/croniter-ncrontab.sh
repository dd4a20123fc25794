#!/usr/bin/env bash
# The schedule of an Azure Functions timer at Python's croniter (croniter 7.0.0, beside cronsim 2.8).
#
# One would guess: a library that accepts six fields reads them as the Functions host does, seconds first, or refuses them.
#
# What is so: croniter takes the sixth field for the seconds. `0 15 * * * *`, at a quarter past every hour for the host, is
# valid and means every second of 15:00, once a day. `0 */5 * * * *`, every five minutes, becomes every second of the first
# minute of each fifth hour. `0 45 * * * *` is refused, since there is no hour 45, so that whether one notices depends on
# the numbers. With second_at_beginning=True it reads them like the host; cronsim always does.
#
# Whom it hurts: whoever computes in Python when a timer of a function app is due, for a dashboard, a test or an alert that
# watches whether it ran.
#
# photorelay's own schedules are of this kind (function.json); its simulation of the host reads them seconds first
# (crates/host-sim/src/ncrontab.rs).
#
# Output seen with Python 3.11 on Debian 12, after 06:00:00:
#   0 15 * * * *   croniter: 15:00:00 15:00:01 15:00:02   seconds first: 06:15:00 07:15:00 08:15:00
#   0 */5 * * * *  croniter: 10:00:00 10:00:01 10:00:02   seconds first: 06:05:00 06:10:00 06:15:00
#   0 45 * * * *   croniter: CroniterBadCronError         seconds first: 06:45:00 07:45:00 08:45:00
#
# Needs Python 3 with venv. Ends with 0 as long as this is so, and with 1 when it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check croniter==7.0.0 cronsim==2.8

"$work/venv/bin/python" - <<'PYTHON'
import sys
from datetime import datetime

from croniter import croniter
from cronsim import CronSim

start = datetime(2026, 11, 30, 6, 0, 0)


def times(next_time):
    return " ".join(f"{next_time():%H:%M:%S}" for _ in range(3))


def by_croniter(expression, **options):
    try:
        occurrences = croniter(expression, start, **options)
        return times(lambda: occurrences.get_next(datetime))
    except ValueError as error:
        return type(error).__name__


def by_cronsim(expression):
    occurrences = CronSim(expression, start)
    return times(lambda: next(occurrences))


EXPECTED = {
    "0 15 * * * *": ("15:00:00 15:00:01 15:00:02", "06:15:00 07:15:00 08:15:00"),
    "0 */5 * * * *": ("10:00:00 10:00:01 10:00:02", "06:05:00 06:10:00 06:15:00"),
    "0 45 * * * *": ("CroniterBadCronError", "06:45:00 07:45:00 08:45:00"),
}
for expression, (default, seconds_first) in EXPECTED.items():
    got = by_croniter(expression)
    print(f"{expression:14} croniter: {got:28} seconds first: {by_cronsim(expression)}")
    others = {by_croniter(expression, second_at_beginning=True), by_cronsim(expression)}
    if got != default or others != {seconds_first}:
        sys.exit(f"changed: it was {default}, and seconds first {seconds_first}, not {others}")
PYTHON
