"""The server under test: its address, its accounts, and one plain HTTP request."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from capture import compress, decompress

TIMEOUT = 60
META = b'{"v":11,"cv":"replay,1.0,linux"}'
PIECE = 4096  # clients send their bodies in chunks of this size


@dataclass(frozen=True)
class Account:
    name: str
    password: str


@dataclass
class Reply:
    """An answer as it came: `body` is decoded if it had the v11 header."""

    status: int
    headers: dict[str, str]
    wire: bytes

    @property
    def packed(self) -> bool:
        """Whether this is an answer as v11 clients want it."""
        return "anki-original-size" in self.headers

    @property
    def body(self) -> bytes:
        return decompress(self.wire) if self.packed else self.wire


def accounts() -> list[Account]:
    """All accounts in SYNC_USERS, a comma separated list of name:password."""
    entries = [entry for entry in os.environ.get("SYNC_USERS", "").split(",") if entry]
    return [Account(*entry.split(":", 1)) for entry in entries]


def ordinary_accounts() -> list[Account]:
    return [account for account in accounts() if account.name.isascii()]


def unusual_account() -> Account | None:
    """The account whose name is not ASCII and whose password has a colon."""
    for account in accounts():
        if not account.name.isascii() and ":" in account.password:
            return account
    return None


def send(method: str, path: str, headers: dict[str, str], body: bytes, *, chunked: bool) -> Reply:
    """One request on a connection of its own; `path` begins at the base address."""
    url = urlsplit(os.environ["SYNC_URL"])
    prefix = url.path.rstrip("/")
    connection = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=TIMEOUT)
    try:
        with suppress(BrokenPipeError):  # a server may answer before it has read everything
            if chunked:
                headers = headers | {"transfer-encoding": "chunked"}
                pieces = _pieces(body)
                connection.request(method, prefix + path, pieces, headers, encode_chunked=True)
            else:
                connection.request(method, prefix + path, body or None, headers)
        answer = connection.getresponse()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, names, answer.read())
    finally:
        connection.close()


def _pieces(body: bytes) -> Iterator[bytes]:
    for at in range(0, len(body), PIECE):
        yield body[at : at + PIECE]


def call(key: str, session: str, method: str, body: bytes) -> Reply:
    """A call as a v11 client makes it, for what a scenario needs beforehand."""
    header = json.dumps({"v": 11, "k": key, "c": "replay,1.0,linux", "s": session})
    headers = {"anki-sync": header, "content-type": "application/octet-stream"}
    return send("POST", method, headers, compress(body), chunked=True)


def login(account: Account) -> str:
    """A new host key of this account."""
    who = json.dumps({"u": account.name, "p": account.password}).encode()
    reply = call("", "login", "/sync/hostKey", who)
    assert reply.status == 200, f"login of {account.name}: HTTP {reply.status}"
    return json.loads(reply.body)["key"]
