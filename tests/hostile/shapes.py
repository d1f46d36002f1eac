"""JSON in shapes that no client sends: a payload in which one place after the other holds something else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

# As texts, since Python would not write some of them.
VALUES = [
    "null", "true", "false", "0", "-1", "1.5", "-0", "1e3", "1e308", "2147483648", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
    "1" * 300, '""', '"x"', '"1"', '"9223372036854775808"', r'"\u0000"', r'"a\u0000b"', r'"\ufffe\ud83d\ude00\u202e"', '"\u001f"'.replace("\x1f", r"\u001f"),
    '"' + "::" * 300 + '"', '"' + "é" * 5000 + '"', '"' + "e\u0301\u0323" * 2000 + '"',
    "[]", "[null]", "[[]]", "{}", '{"a":{}}', "[" * 100 + "]" * 100, "[" + "0," * 3000 + "0]",
]
# Not JSON, wherever they stand.
NO_JSON = [
    "NaN", "Infinity", "-Infinity", "nul", "01", "+1", ".5", "1.", "1e", "0x10", "1e400", "-1e400", "'x'", '"x', r'"\ud800"',
    r'"\udc00\ud800"', r'"\x"', r'"\u12"', '"\t"', "[1,]", "[,1]", "[1 2]", "{1:2}", '{"a"}', '{"a":1,}', "[", "]", "[" * 10000,
    "[" * 10000 + "]" * 10000, '{"a":' * 10000 + "1" + "}" * 10000, "/**/1", "1" * 1000 + ".5",
]
NO_UTF8 = [b'"\xff"', b'"\xc0\xaf"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe2\x82"']

_MARK = "\ue000"


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """The paths to all values within `value`, itself first."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def alike(path: tuple) -> tuple:
    """Places in elements of one list are all alike, but columns of rows are not."""
    return tuple("*" if isinstance(key, int) and i + 1 < len(path) else key for i, key in enumerate(path))


def with_text(value: Any, path: tuple, text: bytes) -> bytes:
    """The payload with `text` at one place."""
    copy = json.loads(json.dumps(value))
    if not path:
        return text
    at = copy
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = _MARK
    return json.dumps(copy, ensure_ascii=False).encode().replace(b'"' + _MARK.encode() + b'"', text)


def without(value: Any, path: tuple) -> bytes:
    copy = json.loads(json.dumps(value))
    at = copy
    for key in path[:-1]:
        at = at[key]
    del at[path[-1]]
    return json.dumps(copy).encode()


def twice(value: Any, path: tuple) -> bytes:
    """The payload in which the key at the end of `path` comes a second time, with another value."""
    key = json.dumps(path[-1]).encode()
    text = with_text(value, path, _MARK.encode())
    return text.replace(_MARK.encode(), b"1," + key + b":0", 1)


def variants(value: Any) -> Iterator[tuple[str, bytes]]:
    """What stands where, and the payload."""
    seen = set()
    for path in places(value):
        if alike(path) in seen:
            continue
        seen.add(alike(path))
        where = "/".join(map(str, path))
        for text in VALUES:
            yield f"{where} = {text[:40]}", with_text(value, path, text.encode())
        if path:
            yield f"{where} missing", without(value, path)
        if path and isinstance(path[-1], str):
            yield f"{where} twice", twice(value, path)


def broken(value: Any) -> Iterator[tuple[str, bytes]]:
    """Texts that are no JSON, at the deepest place."""
    deepest = max(places(value), key=len)
    yield "nothing", b""
    for path in ((), deepest):
        for text in [*(t.encode() for t in NO_JSON), *NO_UTF8]:
            yield f"{'/'.join(map(str, path))} = {text[:40]!r}", with_text(value, path, text)
    whole = json.dumps(value).encode()
    for cut in sorted({len(whole) * i // 12 for i in range(12)}):
        yield f"cut at {cut}", whole[:cut]
    for more in (b"x", b"{}", b"\0", b","):
        yield f"{more!r} behind it", whole + more
    yield "byte order mark", b"\xef\xbb\xbf" + whole
    yield "UTF-16", whole.decode().encode("utf-16")
