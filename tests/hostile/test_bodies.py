"""Bodies of a user with a key that are cut, doubled, packed in odd ways, or mean more than they say."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest
import zstandard

from target import MEMBER, METHODS, SESSIONS, Target, User, form, form_type
from wire import Connection, ask, compress

META = b'{"v":11,"cv":"test"}'
WINDOWS = range(24, 32)


def with_window(log: int) -> bytes:
    params = zstandard.ZstdCompressionParameters.from_level(1, window_log=log)
    packer = zstandard.ZstdCompressor(compression_params=params).compressobj()
    return packer.compress(META) + packer.flush()


def frames() -> dict[str, bytes]:
    frame = compress(META)
    checked = zstandard.ZstdCompressor(write_checksum=True).compress(META)
    sized = bytearray(zstandard.ZstdCompressor().compress(META))
    skipped = b"\x50\x2a\x4d\x18" + (1000).to_bytes(4, "little") + bytes(1000)
    return {
        "empty": b"", "magic": frame[:4], "plain": META, "gzip": gzip.compress(META), "zlib": zlib.compress(META), "xz": b"\xfd7zXZ\0" + META,
        "cut": frame[:-1], "cut in its head": frame[:5], "bad checksum": checked[:-1] + bytes([checked[-1] ^ 1]),
        "wrong size": bytes(sized[:5]) + bytes([sized[5] ^ 0x15]) + bytes(sized[6:]), "reserved block": frame[:6] + b"\x07\0\0" + frame[9:],
        "skipped": skipped * 3 + frame, "only skipped": skipped, "a skipped one without end": b"\x50\x2a\x4d\x18\xff\xff\xff\xff",
        "a dictionary": b"\x28\xb5\x2f\xfd\x03\x38\xff\xff\xff\xff" + frame[6:], "twice": frame + frame, "rubbish behind": frame + b"\xff" * 1000,
        **{f"window of {n} bits": with_window(n) for n in WINDOWS},
    }


@pytest.mark.parametrize("path", METHODS[1:])
def test_frames(target: Target, member: User, path: str) -> None:
    before = member.meta(), member.digest()
    for what, body in frames().items():
        answer = target.attack(MEMBER, f"{path} {what}", lambda: ask(target.port, path, body, header=member.header(), pack=False))
        if answer.status == 200:  # where the body does not matter, or is what it should be
            continue
        assert answer.status in (400, 409, 413), what
    if path != "/sync/upload":
        assert (member.meta(), member.digest()) == before


@pytest.mark.parametrize("path", [p for p in METHODS[1:] if p != "/sync/download"])
def test_bombs(target: Target, member: User, bombs: dict[str, bytes], gzip_bomb: bytes, path: str) -> None:
    bodies = dict(bombs)
    if path in ("/sync/meta", "/sync/applyChunk", "/sync/upload"):
        bodies["empty blocks"] = compress(b"")[:-3] + bytes(60_000_000)
    before = member.meta()
    for what, body in bodies.items():
        answer = target.attack(MEMBER, f"{path} {what}", lambda: ask(target.port, path, body, header=member.header(), pack=False))
        assert answer.status in (400, 409, 413) or (path == "/sync/upload" and answer.data != b"OK")
    body = form({"data": gzip_bomb, "c": "1", "k": member.key, "s": "x"})
    answer = target.attack(MEMBER, f"form {path} 1 GiB", lambda: target.direct(path, {"CONTENT_TYPE": form_type()}, body))
    assert answer.status in (400, 409, 413) or (path == "/sync/upload" and answer.data != b"OK")
    assert member.meta() == before


@pytest.mark.parametrize("path", ["/sync/meta", "/sync/start", "/sync/upload", "/msync/uploadChanges", *SESSIONS])
def test_half_a_body(target: Target, member: User, path: str) -> None:
    """Whether the length is known or not: a body that stops is never worked on."""
    before = member.meta(), member.digest()
    body = compress(META * 3000)
    header = {"HTTP_ANKI_SYNC": json.dumps(member.header())}
    for cut in (0, 1, 4, 9, len(body) // 2, len(body) - 1, len(body)):
        for params in ({}, {"CONTENT_LENGTH": str(len(body) + 1)}, {"CONTENT_LENGTH": ""}):
            for ends in (True, False):
                if cut == len(body) and ends and not params.get("CONTENT_LENGTH"):
                    continue
                answer = target.attack(MEMBER, f"{path}, {cut} bytes", lambda: target.direct(path, {**header, **params}, body[:cut], ends))
                assert answer is None or answer.status in (400, 409)
    with Connection(target.port) as c:
        c.send(c.head(path, f"content-length: {len(body)}", header=member.header()), body[:20])
    with Connection(target.port) as c:
        c.send(c.head(path, "transfer-encoding: chunked", header=member.header()), b"14\r\n" + body[:20] + b"\r\n")
    assert (member.meta(), member.digest()) == before
