"""Forms of clients before version 11: multipart bodies taken apart and put together again."""

from __future__ import annotations

from collections.abc import Sequence

import capture
from capture import Exchange


def _boundary(exchange: Exchange) -> bytes:
    kind = exchange.request["headers"]["content-type"]
    return kind.split("boundary=")[1].strip('"').encode()


def contents(exchange: Exchange) -> list[bytes | None]:
    """The bytes of each part as captured, None where the capture did not keep the body."""
    wire = (
        capture.content(exchange.request["body"])
        if exchange.request["body"]["kind"] != "multipart"
        else None
    )
    if wire is None:
        return [None] * len(exchange.parts)
    pieces = wire.split(b"--" + _boundary(exchange))[1:-1]
    return [piece.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for piece in pieces]


def join(exchange: Exchange, parts: Sequence[bytes]) -> bytes:
    """A body with the captured boundary and part headers."""
    mark = b"--" + _boundary(exchange)
    body = b""
    for part, content in zip(exchange.parts, parts):
        body += (
            mark
            + b"\r\n"
            + "\r\n".join(part["part_headers"]).encode()
            + b"\r\n\r\n"
            + content
            + b"\r\n"
        )
    return body + mark + b"--\r\n"
