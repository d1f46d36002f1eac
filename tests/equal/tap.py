"""A relay between clients and the server that counts what each sync moves.

"Nothing moved" means: no deletions, no objects, no tags, no rows, in neither direction. The
configuration does not count, since one side always sends it whole.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urljoin

import requests
from referee.wire import decompress

TIMEOUT = 120
PASSED_ON = {"anki-sync", "content-type", "accept"}
PASSED_BACK = {"anki-original-size", "content-type", "location"}
COUNTED = {"start", "applyGraves", "applyChanges", "chunk", "applyChunk"}


class Tap:
    """Relays to `upstream`; clients are given `url`."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.moved: Counter[str] = Counter()
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __enter__(self) -> Tap:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def count(self, method: str, sent: bytes, answered: bytes) -> None:
        """Note what one exchange moved."""
        up, down = (_things(json.loads(decompress(data) or b"null")) for data in (sent, answered))
        with self.lock:
            self.moved += Counter({f"{kind} up": n for kind, n in up.items()})
            self.moved += Counter({f"{kind} down": n for kind, n in down.items()})

    def forget(self) -> None:
        with self.lock:
            self.moved.clear()


def _things(message: Any) -> Counter[str]:
    """How many things of each kind a message of a sync carries."""
    if not isinstance(message, dict):
        return Counter()
    found: Counter[str] = Counter()
    for key, value in message.items():
        if key in ("changes", "chunk", "graves"):
            found += _things(value)
        elif key == "decks" and value and isinstance(value[0], list):
            found += Counter({"decks": len(value[0]), "options": len(value[1])})
        elif isinstance(value, list):
            found += Counter({key: len(value)})
    return found


def _handler_for(tap: Tap) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self._body()
            answer = requests.post(
                urljoin(tap.upstream, self.path.lstrip("/")),
                data=body,
                headers=_only(self.headers.items(), PASSED_ON),
                timeout=TIMEOUT,
                allow_redirects=False,
            )
            method = self.path.rsplit("/", 1)[-1]
            if method in COUNTED and answer.status_code == 200:
                tap.count(method, body, answer.content)
            self.send_response(answer.status_code)
            for name, value in _only(answer.headers.items(), PASSED_BACK).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("content-length", 0)))
            parts = []
            while size := int(self.rfile.readline().strip(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def log_message(self, *args: object) -> None:
            """Stay quiet."""

    return Handler


def _only(items: Any, names: set[str]) -> dict[str, str]:
    return {key: value for key, value in items if key.lower() in names}
