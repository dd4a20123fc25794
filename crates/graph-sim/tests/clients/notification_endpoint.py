"""An endpoint on loopback that Graph may send notifications to: it answers the handshake and keeps what it gets."""

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class NotificationEndpoint:
    def __init__(self):
        self.handshakes = 0
        self.items = queue.Queue()
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{server.server_port}/notifications"
        threading.Thread(target=server.serve_forever, daemon=True).start()


def _handler(endpoint):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            token = parse_qs(urlsplit(self.path).query).get("validationToken")
            if token:
                endpoint.handshakes += 1
                return self._respond(200, token[0].encode())
            for item in json.loads(body)["value"]:
                endpoint.items.put(item)
            return self._respond(202, b"")

        def _respond(self, status, body):
            self.send_response(status)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler
