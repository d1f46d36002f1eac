"""Whoever has no key: nothing is decoded for them, and little memory and time is spent."""

from __future__ import annotations

import gzip
import json
import unicodedata

import pytest

import shapes
from target import METHODS, STRANGER, Target, form, form_type
from wire import HEADER, Answer, Connection, ask, compress

DISABLED = 4


@pytest.fixture(scope="module")
def keys(target: Target) -> dict[str, str]:
    """None of them is anybody's."""
    disabled, other = target.user(DISABLED), target.user(5)
    target.admin("user", "disable", disabled.name)
    uid, secret = target.innocent.key.split(".")
    return {
        "none": "", "a dot": ".", "nonsense": "nonsense", "old": "0" * 40, "wrong secret": f"{uid}.{'a' * len(secret)}",
        "no secret": f"{uid}.", "half a secret": f"{uid}.{secret[:-1]}", "secret of another": f"{uid}.{other.key.split('.')[1]}",
        "nobody": f"{'a' * len(uid)}.{secret}", "disabled": disabled.key, "path": f"../{uid[:2]}/{uid}.{secret}",
        "NUL": f"{uid}\0.{secret}", "NUL behind": f"{uid}.{secret}\0", "upper case": f"{uid.upper()}.{secret}",
        "uid twice": f"{uid}.{uid}.{secret}", "long": f"{uid}.{secret * 100}", "not ASCII": "é.😀",
    }


def bodies(bombs: dict[str, bytes]) -> dict[str, bytes]:
    return {"{}": compress(b"{}"), "empty": b"", "no frame": b"{}", "cut": compress(b"{}" * 100)[:-3], **bombs}


@pytest.mark.parametrize("path", METHODS[1:])
def test_no_key_no_work(target: Target, keys: dict[str, str], bombs: dict[str, bytes], path: str) -> None:
    for who, key in keys.items():
        for what, body in bodies(bombs).items():
            header = {**HEADER, "k": key}
            answer = target.attack(STRANGER, f"{path} {who} {what}", lambda: ask(target.port, path, body, header=header, pack=False))
            assert answer.status == 403


@pytest.mark.parametrize("path", METHODS[1:])
def test_no_key_no_work_in_a_form(target: Target, keys: dict[str, str], gzip_bomb: bytes, path: str) -> None:
    for who, key in keys.items():
        for data in (gzip.compress(b"{}"), gzip_bomb if who in ("none", "wrong secret") else b"{}"):
            for parts in ({"k": key, "s": "a", "c": "1", "data": data}, {"data": data, "sk": key, "c": "1", "v": "x"}):
                answer = target.attack(STRANGER, f"form {path} {who}", lambda: target.direct(path, {"CONTENT_TYPE": form_type()}, form(parts)))
                assert answer.status == 403 or (answer.status == 413 and len(data) + len(key) > 1024)


def log_in(target: Target, payload: bytes, address: str = "192.0.2.7", pack: bool = True) -> Answer:
    body = compress(payload) if pack else payload
    return target.direct("/sync/hostKey", {"HTTP_ANKI_SYNC": json.dumps(HEADER), "REMOTE_ADDR": address}, body)


def test_login_of_any_shape(target: Target, bombs: dict[str, bytes]) -> None:
    known = target.innocent
    valid = {"u": known.name, "p": known.password}
    n = 0
    for what, payload in shapes.variants(valid):
        n += 1
        answer = target.attack(STRANGER, f"login {what}", lambda: log_in(target, payload, f"10.0.{n // 200}.{n % 200}"))
        assert answer.status in (400, 403, 413) or json.loads(payload) == valid
    for what, payload in shapes.broken(valid):
        assert target.attack(STRANGER, f"login {what}", lambda: log_in(target, payload)).status == 400
    for what, body in bombs.items():
        assert target.attack(STRANGER, f"login {what}", lambda: log_in(target, body, pack=False)).status == 413
    # a frame of nothing but empty blocks, and one with rubbish behind it
    empty = compress(b"")[:-3] + b"\0\0\0" * 20_000_000
    for body in (empty, compress(json.dumps(valid).encode()) + bytes(100 << 20)):
        assert target.attack(STRANGER, "login, long", lambda: log_in(target, body, pack=False)).status in (400, 413)
    assert log_in(target, json.dumps(valid).encode()).status == 200


def test_names_that_are_nobodys(target: Target) -> None:
    name = "zoë"
    names = ["", "U1", "u1 ", " u1", "u1\0", "u1\0x", "../u1", "/etc/passwd", "u1/../u1", "u1'--", "u1\n", "%", "*", "'\";", "u1\u200b",
             unicodedata.normalize("NFD", name), "\u202eu1", "𝕦𝟙", "x" * 255, "x" * 256, "x" * 60_000, "é" * 30_000]
    for i, u in enumerate(names):
        payload = json.dumps({"u": u, "p": target.innocent.password}).encode()
        assert target.attack(STRANGER, f"name {u[:20]!r}", lambda: log_in(target, payload, f"10.1.0.{i}")).status == (403 if len(payload) <= 65536 else 413)
    passwords = ["", "P1", "p1 ", "p1\0", "p1\0x", "x" * 1024, "x" * 1025, "x" * 60_000, "$argon2id$v=19$m=19456,t=2,p=1$"]
    for i, p in enumerate(passwords):
        payload = json.dumps({"u": target.innocent.name, "p": p}).encode()
        assert target.attack(STRANGER, f"password {p[:20]!r}", lambda: log_in(target, payload, f"10.2.0.{i}")).status == 403


def test_header_of_any_shape(target: Target) -> None:
    """Past the web server, which would not let all of them through."""
    user = target.innocent
    valid = user.header()
    meta = compress(b'{"v":11,"cv":"test"}')

    def send(text: bytes | str, **more: str) -> Answer:
        return target.direct("/sync/meta", {"HTTP_ANKI_SYNC": text, **more}, meta)

    for what, text in shapes.variants(valid):
        assert target.attack(STRANGER, f"header {what}", lambda: send(text)).status in (200, 400, 403, 413, 501)
    for what, text in shapes.broken(valid):
        if b"\0" not in text:
            assert target.attack(STRANGER, f"header {what}", lambda: send(text)).status in (400, 413)
    full = json.dumps(valid)
    for name in ("SCRIPT_NAME", "PATH_INFO", "REQUEST_URI", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_USER_AGENT", "HTTP_HOST",
                 "REMOTE_ADDR", "REQUEST_METHOD", "HTTPS", "HTTP_ANKI_SYNC", "REQUEST_SCHEME", "HTTP_X_FORWARDED_PROTO"):
        for value in (b"", b"x", b"\xff\xfe", b"a\0b", b"\r\nx: y", b"-1", b"18446744073709551616", b"9" * 19, b"%00%2e%2e/", b"/" * 2000,
                      b"x" * 3000, b"x" * 70_000, b"/sync/" * 300, b"'\"<script>", b"../" * 100):
            target.attack(STRANGER, f"{name} {value[:20]!r}", lambda: send(full, **{name: value}))


@pytest.mark.parametrize("path", ["/", "/sync", "/sync/", "/sync//", "/sync/meta/", "/sync/meta/x", "/sync/../../etc/passwd", "/sync/%00",
                                  "/sync/META", "/msync/meta", "/sync/upload%00x", "/%ff%fe", "/.git/config", "/sync/meta?k=x", "/" + "a" * 2500,
                                  "/" + "a/" * 1100, "/sync/" + "m" * 1500, "/health/", "/health?" + "x" * 3000, "/users/", "/accounts.db"])
def test_paths(target: Target, path: str) -> None:
    for verb in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        answer = target.attack(STRANGER, f"{verb} {path[:40]}", lambda: ask(target.port, path, verb=verb, framing="length"))
        assert answer.status != 200 or verb in ("GET", "HEAD") or "meta" in path


@pytest.mark.parametrize("query", ["", "k", "k=", "k=%", "k=%zz&v=%", "k=x&k=y", "k=x&sk=y", "v=1", "k=x&v=" + "%41" * 2000, "&&&&", "=&=&=",
                                   "k=%00", "k=x" * 900, "&".join(f"a{i}=b" for i in range(1000))])
def test_begin_with_a_query(target: Target, query: str) -> None:
    answer = target.attack(STRANGER, f"begin?{query[:40]}", lambda: ask(target.port, f"/msync/begin?{query}", verb="GET", framing=None, header=None))
    assert answer.status in (400, 403, 413)


def test_half_a_body(target: Target, bombs: dict[str, bytes]) -> None:
    """The web server goes away in the middle: with and without a length, with and without an end."""
    body = compress(json.dumps({"u": "u1", "p": "p1"}).encode())
    for cut in range(0, len(body), 5):
        for params in ({}, {"CONTENT_LENGTH": str(len(body))}, {"CONTENT_LENGTH": ""}):
            for ends in (True, False):
                answer = target.attack(STRANGER, f"login, {cut} bytes", lambda: target.direct(
                    "/sync/hostKey", {"HTTP_ANKI_SYNC": json.dumps(HEADER), **params}, body[:cut], ends))
                assert answer is None or answer.status == 400
    with Connection(target.port) as c:
        c.send(b"POST /sync/hostKey HTTP/1.1\r\nhost: x\r\ncontent-length: 18446744073709551615\r\n\r\nx")
    with Connection(target.port) as c:
        c.send(c.head("/sync/hostKey", "transfer-encoding: chunked"), b"fffffffffffffff\r\nx")
