"""Forms, which say only at their end who sent them."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterator

import pytest

from target import BOUNDARY, STRANGER, Target, User, form, form_type
from wire import Answer

MIB = 1 << 20


def send(target: Target, path: str, body: bytes | Iterator[bytes], kind: str | bytes = form_type(), **params: str) -> Answer:
    return target.direct(path, {"CONTENT_TYPE": kind, **params}, body)


def part(headers: bytes, content: bytes = b"x") -> bytes:
    return b"--" + BOUNDARY.encode() + b"\r\n" + headers + b"\r\n\r\n" + content + b"\r\n"


END = b"--" + BOUNDARY.encode() + b"--\r\n"
NAME = b'Content-Disposition: form-data; name="'
HOSTILE = {
    "nothing": b"", "only the end": END, "no end": part(NAME + b'k"'), "no headers": part(b""), "no name": part(b"Content-Disposition: form-data"),
    "a name without end": part(NAME + b"k") + END, "backslashes": part(NAME + b"\\" * 4000 + b'k"') + END, "long name": part(NAME + b"k" * 8000 + b'"') + END,
    "long headers": part(b"X: " + b"x" * 100_000) + END, "many headers": part(b"\r\n".join([b"X: y"] * 10_000)) + END,
    "a header without end": b"--" + BOUNDARY.encode() + b"\r\n" + b"x" * 200_000, "NULs": part(NAME + b'k\0"', b"\0" * 100) + END,
    "line without end": b"--" + BOUNDARY.encode() + b" " * 200_000, "k twice": part(NAME + b'k"') * 2 + END, "data twice": part(NAME + b'data"') * 2 + END,
    "long key": part(NAME + b'k"', b"x" * 100_000) + END, "long session": part(NAME + b's"', b"x" * 5000) + END,
    "only boundaries": (b"--" + BOUNDARY.encode() + b"\r\n") * 10_000, "boundary within": part(NAME + b'k"', b"\r\n--" + BOUNDARY.encode() + b"x") + END,
    "bare LF": part(NAME + b'k"').replace(b"\r\n", b"\n") + END.replace(b"\r\n", b"\n"), "UTF-16": form({"k": "x"}).decode().encode("utf-16"),
    "noise": random.Random(1).randbytes(100_000), "a form in a form": part(NAME + b'k"', form({"k": "x"})) + END,
}
TYPES = ["", "multipart/form-data", "multipart/form-data; boundary", "multipart/form-data; boundary=", 'multipart/form-data; boundary="',
         'multipart/form-data; boundary="\\', "multipart/form-data; boundary=" + "x" * 199, "multipart/form-data; boundary=" + "x" * 900,
         "multipart/form-data;" * 40, "multipart/mixed; boundary=x", "application/json", b"multipart/form-data; boundary=\xff\xfe",
         b"multipart/form-data; boundary=a\0b", "multipart/form-data; boundary=a\r\nb", 'multipart/form-data; x="boundary=y"; boundary=\t']


@pytest.mark.parametrize("path", ["/sync/meta", "/sync/hostKey", "/sync/upload", "/msync/begin", "/msync/uploadChanges"])
def test_hostile_forms(target: Target, path: str) -> None:
    for what, body in HOSTILE.items():
        assert target.attack(STRANGER, f"form {path} {what}", lambda: send(target, path, body)).status in (400, 403, 413)
    for kind in TYPES:
        for body in (b"", form({"k": "x"}), b"--\r\n--\r\n"):
            assert target.attack(STRANGER, f"form {path} {kind!r}", lambda: send(target, path, body, kind)).status in (400, 403, 413)


def repeated(piece: bytes, mib: int) -> Callable[[], Iterator[bytes]]:
    block = piece * (MIB // len(piece))

    def blocks() -> Iterator[bytes]:
        yield b"--a\r\n" + NAME + b'data"\r\n\r\n'
        for _ in range(mib):
            yield block

    return blocks


@pytest.mark.parametrize("what,kind,piece,mib", [
    ("bytes", form_type("a"), bytes(1024), 590), ("parts", form_type("a"), b"\r\n--a\r\n\r\n", 590), ("what looks like a boundary", form_type("a"), b"\r\n--aX", 590),
    ("the beginning of a boundary", form_type("a"), b"\r\n--", 590), ("a long boundary nearly", form_type("a" * 190), b"\r\n--" + b"a" * 189 + b"b", 590),
])
def test_hundreds_of_megabytes(target: Target, what: str, kind: str, piece: bytes, mib: int) -> None:
    answer = target.attack(STRANGER, f"form with {mib} MiB of {what}", lambda: send(target, "/sync/upload", repeated(piece, mib)(), kind))
    assert answer is None or answer.status in (400, 403, 413)


def test_half_a_form(target: Target) -> None:
    body = form({"k": target.innocent.key, "s": "abc", "c": "1", "data": gzip.compress(b'{"v":10,"cv":"test"}')})
    assert send(target, "/sync/meta", body).status == 200
    before = target.innocent.meta()
    for cut in range(0, len(body) - 4, 7):
        for params in ({}, {"CONTENT_LENGTH": str(len(body))}):
            for ends in (True, False):
                answer = target.attack(STRANGER, f"form, {cut} bytes", lambda: target.direct("/sync/meta", {"CONTENT_TYPE": form_type(), **params}, body[:cut], ends))
                assert answer is None or answer.status == 400
    assert target.innocent.meta() == before


def test_a_form_that_is_packed_wrongly(target: Target, member: User) -> None:
    packed = gzip.compress(b'{"v":10,"cv":"test"}')
    for c in ("0", "1", "2", "", "x" * 500):
        for data in (b"", b"x", packed[:-1], packed[:-9], packed + packed, packed[:10] + b"\xff" * 50, packed[:3] + b"\xff" + packed[4:], b"\x1f\x8b"):
            body = form({"data": data, "c": c, "k": member.key})
            assert target.attack(STRANGER, f"c={c[:5]!r} {data[:8]!r}", lambda: send(target, "/sync/meta", body)).status in (200, 400)
