"""
What a web server says to a worker, without one: it would not pass on everything that a test wants to send, and it keeps a
body until it is complete.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from pathlib import Path

import wire
from wire import Answer

BEGIN, END, PARAMS, STDIN, STDOUT, STDERR = 1, 3, 4, 5, 6, 7
RECORD_MAX = 65528


def _record(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def _length(n: int) -> bytes:
    return bytes([n]) if n < 128 else struct.pack(">I", n | 1 << 31)


def _stream(kind: int, data: bytes) -> bytes:
    return b"".join(_record(kind, data[at:at + RECORD_MAX]) for at in range(0, len(data), RECORD_MAX))


def head(params: dict[str, bytes | str]) -> bytes:
    packed = b""
    for name, value in params.items():
        value = value.encode() if isinstance(value, str) else value
        packed += _length(len(name)) + _length(len(value)) + name.encode() + value
    return _record(BEGIN, struct.pack(">HB5x", 1, 0)) + _stream(PARAMS, packed) + _record(PARAMS, b"")


def ask(path: Path, params: dict[str, bytes | str], body: bytes | Iterable[bytes] = b"", ends: bool = True) -> Answer | None:
    """
    One request. The body may come in pieces, and its end record may be missing: then this side shuts its half of the
    connection. None when the worker closes without an answer.
    """
    out = b""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(str(path))
        try:
            s.sendall(head(params))
            for piece in [body] if isinstance(body, bytes) else body:
                s.sendall(_stream(STDIN, piece))
            if ends:
                s.sendall(_record(STDIN, b""))
            else:
                s.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all of it was read
        try:
            while piece := s.recv(1 << 20):
                out += piece
        except ConnectionResetError:
            pass
    return _answer(out)


def _answer(out: bytes) -> Answer | None:
    text, at, complete = b"", 0, False
    while at + 8 <= len(out):
        _, kind, _, length, padding, _ = struct.unpack_from(">BBHHBB", out, at)
        if kind == STDOUT:
            text += out[at + 8:at + 8 + length]
        complete = complete or kind == END
        at += 8 + length + padding
    if b"\r\n\r\n" not in text:
        return None
    lines, body = text.split(b"\r\n\r\n", 1)
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines.decode().split("\r\n"))}
    return wire.Answer(int(headers["status"].split()[0]), headers, body, complete)
