#!/usr/bin/env python3
"""Writes the captured forms into a folder, in the form that fuzz-form reads.

usage: corpus.py FOLDER
"""

import base64
import gzip
import hashlib
import json
import sys
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


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for number, (kind, wire) in enumerate([*BY_HAND, *captured()]):
        seed = bytes([number % 256]) + kind.encode() + b"\n" + wire
        (folder / hashlib.sha1(seed).hexdigest()).write_bytes(seed)


def captured():
    for path in sorted(TRAFFIC.glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            request = json.loads(line)["request"]
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


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
