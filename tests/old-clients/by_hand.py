"""Clients that cannot be run here any more, played by hand: forms as Python clients and AnkiDroid sent them."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import requests
from referee.accounts import Account, empty_collection

BOUNDARY = "Anki-sync-boundary"
TIMEOUT = 60


class HandClient:
    """One session of a client of protocol `version`: fields first, `data` last, one fixed boundary."""

    def __init__(self, account: Account, version: int) -> None:
        self.account = account
        self.version = version
        self.session = "abcd1234"
        self.key = ""

    def post(self, path: str, fields: dict[str, str], data: bytes | None) -> requests.Response:
        body = b"".join(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        )
        if data is not None:
            body += (
                f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="data"; filename="data"\r\n'
                "Content-Type: application/octet-stream\r\n\r\n"
            ).encode()
            body += data + b"\r\n"
        body += f"--{BOUNDARY}--\r\n".encode()
        headers = {
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "User-Agent": "Anki",
        }
        return requests.post(self.account.url + path, data=body, headers=headers, timeout=TIMEOUT)

    def call(
        self, method: str, payload: Any = None, *, raw: bytes | None = None, session: bool = True
    ) -> requests.Response:
        """A method of the collection, with its payload packed; no `data` at all when there is none."""
        data = raw if payload is None else json.dumps(payload).encode()
        fields = {"k": self.key} if self.key else {}
        if session:
            fields["s"] = self.session
        fields["c"] = "1"
        reply = self.post(f"sync/{method}", fields, None if data is None else gzip.compress(data))
        assert "anki-original-size" not in reply.headers
        return reply

    def ask(self, method: str, payload: Any = None) -> Any:
        """The same, of a method that must succeed."""
        reply = self.call(method, payload)
        assert reply.status_code == 200, f"{method}: HTTP {reply.status_code}"
        return reply.json()

    def login(self) -> None:
        self.key = self.call(
            "hostKey", {"u": self.account.name, "p": self.account.password}, session=False
        ).json()["key"]

    def meta(self) -> dict[str, Any]:
        return self.ask("meta", {"v": self.version, "cv": "ankidesktop,2.0.52,lin::"})


def with_scheduler(scheduler: int) -> bytes:
    """An empty collection as such a client would have it: an old scheduler, no scheme for time zones."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "collection.anki2"
        path.write_bytes(empty_collection())
        db = sqlite3.connect(path)
        with db:
            db.execute(
                "update config set val = ? where key = 'schedVer'", (str(scheduler).encode(),)
            )
            db.execute("delete from config where key in ('creationOffset', 'sched2021')")
        db.close()
        assert not os.path.exists(f"{path}-wal")
        return path.read_bytes()
