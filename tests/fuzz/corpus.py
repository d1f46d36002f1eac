#!/usr/bin/env python3
"""Writes what was captured into a folder, as a fuzzer reads it.

usage: corpus.py form|zip FOLDER
"""

import base64
import gzip
import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path

TRAFFIC = Path(__file__).parents[1] / "replay" / "traffic"

# What no capture has: spellings that clients might have, and what is nearly a boundary.
BY_HAND = (
    (
        'multipart/form-data; boundary="b"',
        b"--b\r\nContent-Disposition: form-data; name=k\r\n\r\nK\r\n--b--",
    ),
    (
        "multipart/form-data; boundary=b",
        b'x\r\n--b \t\r\nContent-Disposition: form-data; name="data"; filename="a\\"b"\r\n\r\n\r\n--bx\r\n--b\r\n'
        b'X: y\r\n\r\n\r\n--b\r\ncontent-disposition: form-data; name="v"\r\n\r\nanki\r\n--b--\r\nend',
    ),
    ("multipart/form-data; boundary=--", b"------\r\n\r\n\r\n------"),
    ("k=a%2Cb&v=anki%2C2.1.56+%2807fd88dd%29&sk=", b""),
)


def main(target, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for seed in SEEDS[target]():
        (folder / hashlib.sha1(seed).hexdigest()).write_bytes(seed)


def requests():
    for path in sorted(TRAFFIC.glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            yield json.loads(line)["request"]


def forms():
    for number, (kind, wire) in enumerate([*BY_HAND, *captured()]):
        yield bytes([number % 256]) + kind.encode() + b"\n" + wire


def zips():
    for request in requests():
        body = request.get("body") or {}
        if body.get("kind") == "zip" and "base64" in body:
            yield base64.b64decode(body["base64"])
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            archive.writestr("0", b"text " * 50)
            archive.writestr("1", b"x")
            archive.writestr("_meta", '[["a.txt","0"],["b","1"],["c",null],["d",""]]')
        yield out.getvalue()


def captured():
    for request in requests():
        kind = request["headers"].get("content-type", "")
        if kind.startswith("multipart/form-data"):
            yield kind, raw(request["body"]) or rebuilt(kind, request["multipart"])


def raw(body):
    return body["text"].encode() if "text" in body else base64.b64decode(body.get("base64", ""))


def rebuilt(kind, parts):
    boundary = kind.split("boundary=")[1].encode()
    wire = b""
    for part in parts:
        wire += (
            b"--"
            + boundary
            + b"\r\n"
            + "\r\n".join(part["part_headers"]).encode()
            + b"\r\n\r\n"
            + content(part)
            + b"\r\n"
        )
    return wire + b"--" + boundary + b"--\r\n"


def content(part):
    if "value" in part:
        return part["value"].encode()
    data = json.dumps(part.get("decoded", {}).get("json", {})).encode()
    return gzip.compress(data, mtime=0) if part.get("gzip") else data


SEEDS = {"form": forms, "zip": zips}

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in SEEDS:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]))
