"""Drives the photo endpoint with curl and pyLibravatar, and reads a forwarded event with the CloudEvents SDK and the
reference library of Standard Webhooks.

    python drive.py CONSUMERS

CONSUMERS is the example of that name. Prints one line that says what was driven. Ends with 1 and the difference if a client
gets anything but what the system holds.
"""

import base64
import hashlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path

import libravatar
from cloudevents.core.bindings.http import HTTPMessage, from_http
from cloudevents.core.formats.json import JSONFormat
from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def check(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: got {got!r}, wanted {wanted!r}")


def receiver(requests):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            requests.put((dict(self.headers), body))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/events"


def events(requests, secret, system):
    headers, body = requests.get_nowait()
    Webhook(secret).verify(body, headers)
    try:
        Webhook(secret).verify(body.replace(b'"seq":1', b'"seq":2'), headers)
    except WebhookVerificationError:
        pass
    else:
        sys.exit("a changed event passes for a signed one")
    event = from_http(HTTPMessage(headers=headers, body=body), JSONFormat())
    check("type", event.get_type(), "photorelay.photo.changed.v1")
    check("subject", event.get_subject(), system["subject"])
    digests = [rendition["sha256"] for rendition in event.get_data()["renditions"]]
    check("renditions", digests, [rendition["sha256"] for rendition in system["renditions"]])
    check("further events", requests.empty(), True)


def curl(folder, url, *arguments):
    written = Path(folder) / "photo"
    written.write_bytes(b"")
    command = ["curl", "--silent", "--show-error", "--output", written, "--write-out", "%{http_code}", *arguments, url]
    status = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return status, hashlib.sha256(written.read_bytes()).hexdigest(), written.stat().st_size


def photos(folder, system):
    url = f"http://{system['address']}/photos/{system['account']}.jpg"
    small, large = (rendition["sha256"] for rendition in system["renditions"])
    etag = ["--etag-save", f"{folder}/etag", "--etag-compare", f"{folder}/etag"]
    check("the first photo", curl(folder, url, *etag)[:2], ("200", small))
    check("its ETag", (Path(folder) / "etag").read_text().strip(), f'"{small}"')
    check("the photo that curl knows", curl(folder, url, *etag)[::2], ("304", 0))
    check("If-None-Match", curl(folder, url, "--header", f'If-None-Match: "{small}"')[::2], ("304", 0))
    check("the large photo", curl(folder, url + "?s=240")[:2], ("200", large))
    check("a stranger", curl(folder, url.replace(".jpg", "x.jpg"))[::2], ("404", 0))


def fetch(url):
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, hashlib.sha256(answer.read()).hexdigest()
    except urllib.error.HTTPError as error:
        return error.code, None


def avatars(system):
    # In place of the DNS record by which a mail domain names its server.
    libravatar.lookup_avatar_server = lambda domain, https: system["address"]
    small, large = (rendition["sha256"] for rendition in system["renditions"])
    avatar = libravatar.libravatar_url
    check("an avatar", fetch(avatar(email=system["mail"].upper(), size=80)), (200, small))
    check("a large avatar", fetch(avatar(email=system["mail"], size=512)), (200, large))
    check("a stranger's avatar", fetch(avatar(email="none@contoso.test", default="404")), (404, None))
    status, neutral = fetch(avatar(email="none@contoso.test", default="mm"))
    check("a neutral avatar", (status, neutral in (small, large)), (200, False))


def main(consumers):
    requests, secret = queue.Queue(), "whsec_" + base64.b64encode(os.urandom(32)).decode()
    started = subprocess.Popen(
        [consumers, receiver(requests), secret], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        system = json.loads(started.stdout.readline())
        events(requests, secret, system)
        with tempfile.TemporaryDirectory() as folder:
            photos(folder, system)
        avatars(system)
    finally:
        started.stdin.close()
        check("the end of the system", started.wait(30), 0)
    clients = ", ".join(f"{name} {version(name)}" for name in ("pyLibravatar", "cloudevents", "standardwebhooks"))
    print(f"curl, {clients}: photos by account and by mail address, ETags, a signed event")


if __name__ == "__main__":
    main(*sys.argv[1:])
