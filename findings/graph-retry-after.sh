#!/usr/bin/env bash
# A long Retry-After at two Graph SDKs (microsoft-graph-client 3.0.7 for JavaScript, microsoft-kiota-http 1.16.0, which
# carries the Python SDK).
#
# One would guess: the retry handler that Microsoft ships for a throttled Graph waits as long as Graph asks, as the
# throttling guidance demands, or hands the answer to the caller with what Graph asked for.
#
# What is so, for waits of three minutes and more (315 seconds have been reported for Graph):
#   JavaScript waits 180 seconds, whatever Graph asks, and then sends again: early, which counts against the limit.
#   Python does not wait and does not retry: at 180 seconds and more it returns the 429 at once. At 179 it waits 179. The
#   option max_delay changes none of this; it is added to the delay of attempts without the header.
#
# Whom it hurts: whoever reads many photos with these SDKs. A long job survives short throttling in tests, and the first
# long one either prolongs itself or ends the job, although both SDKs "retry 429".
#
# photorelay's message about a throttled user stays in the queue for as long as Graph asks (src/jobs/propagate/failure.rs).
#
# Output seen with Node.js 20 and Python 3.11 on Debian 12:
#   JavaScript: asked for 10 s: waits 10 s, 200; asked for 315 s: waits 180 s, 200; asked for 600 s: waits 180 s, 200
#   Python: asked for 10 s: waits 10 s, 200; asked for 179 s: waits 179 s, 200; asked for 315 s: waits 0 s, 429
#
# The waits are recorded and not waited. Needs Node.js with npm and Python 3 with venv. Ends with 0 as long as this is so,
# and with 1 when it has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --no-audit --no-fund --prefix "$work" @microsoft/microsoft-graph-client@3.0.7 >/dev/null
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check microsoft-kiota-http==1.16.0 \
    microsoft-kiota-abstractions==1.16.0

expect() {
    echo "$1: $2"
    [ "$2" = "$3" ] || { echo "changed: it was $3"; exit 1; }
}

cat >"$work/retry.js" <<'JAVASCRIPT'
const { RetryHandler, RetryHandlerOptions } = require("@microsoft/microsoft-graph-client");

async function ask(retryAfter) {
  const waits = [];
  const later = globalThis.setTimeout;
  globalThis.setTimeout = (callback, milliseconds) => {
    waits.push(Math.floor(milliseconds / 1000));
    return later(callback, 0);
  };
  let calls = 0;
  const graph = {
    async execute(context) {
      calls += 1;
      context.response =
        calls === 1
          ? new Response("{}", { status: 429, headers: { "Retry-After": retryAfter } })
          : new Response("{}", { status: 200 });
    },
  };
  const handler = new RetryHandler(new RetryHandlerOptions());
  handler.setNext(graph);
  const context = { request: "https://graph.microsoft.com/v1.0/users", options: { method: "GET" } };
  await handler.execute(context);
  globalThis.setTimeout = later;
  // The option `delay` adds a pause of its own, of three seconds.
  const longest = Math.max(0, ...waits);
  return `asked for ${retryAfter} s: waits ${longest} s, ${context.response.status}`;
}

(async () => {
  console.log([await ask("10"), await ask("315"), await ask("600")].join("; "));
})();
JAVASCRIPT
javascript=$(node "$work/retry.js")
expect JavaScript "$javascript" \
    'asked for 10 s: waits 10 s, 200; asked for 315 s: waits 180 s, 200; asked for 600 s: waits 180 s, 200'

cat >"$work/retry.py" <<'PYTHON'
import asyncio
from unittest.mock import patch

import httpx
from kiota_http.middleware import BaseMiddleware
from kiota_http.middleware.retry_handler import RetryHandler


class Graph(BaseMiddleware):
    def __init__(self, retry_after):
        super().__init__()
        self.retry_after = retry_after
        self.calls = 0

    async def send(self, request, transport):
        self.calls += 1
        if self.calls == 1:
            return httpx.Response(429, headers={"Retry-After": self.retry_after}, request=request)
        return httpx.Response(200, request=request)


async def ask(retry_after):
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    handler = RetryHandler()
    handler.next = Graph(retry_after)
    request = httpx.Request("GET", "https://graph.microsoft.com/v1.0/users")
    request.options = {}
    with patch("asyncio.sleep", sleep):
        response = await handler.send(request, None)
    return f"asked for {retry_after} s: waits {sum(waits)} s, {response.status_code}"


async def main():
    print("; ".join([await ask("10"), await ask("179"), await ask("315")]))


asyncio.run(main())
PYTHON
python=$("$work/venv/bin/python" "$work/retry.py")
expect Python "$python" \
    'asked for 10 s: waits 10 s, 200; asked for 179 s: waits 179 s, 200; asked for 315 s: waits 0 s, 429'
