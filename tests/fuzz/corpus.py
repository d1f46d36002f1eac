#!/usr/bin/env python3
"""Writes captured traffic and golden data into a folder, as a fuzzer reads them.

usage: corpus.py TARGET FOLDER
"""

import base64
import gzip
import hashlib
import io
import json
import sys
import zipfile
import zlib
from pathlib import Path

import small_files

TESTS = Path(__file__).parents[1]
TRAFFIC = TESTS / "replay" / "traffic"
VECTORS = TESTS / "vectors"

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
    # `_meta` alone
    yield b'[["a.txt","0"],["b","1"],["c",null],["d",""]]'
    yield '[["ä","2"],["..","0"],["a/b","1"],["x\\u0000","9"]]'.encode()
    yield b"[]"


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


def vectors(name):
    return json.loads((VECTORS / name).read_text("utf-8"))


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def payloads():
    """Method and payload of calls with JSON, as clients sent them."""
    for request in requests():
        body = request.get("body") or {}
        if request["method"] == "POST" and "json" in body:
            yield request, request["path"].split("?")[0].split("/")[-1], body["json"]


def texts_of_json():
    for text in ("[1,-2.5e-3,1e400,18446744073709551616,-0]", '{"a":1,"a":{"b":[null,true,false]},"\\ud83d\\ude00":"\\u0000ä"}', '"\xc3', "NaN"):
        yield text.encode("latin-1", "replace")
    for _, _, value in payloads():
        if len(compact(value)) < 3000:
            yield compact(value)
    for case in vectors("deckconf.json")[::40]:
        yield case["in"].encode()


def lines(values):
    """Three texts to an input."""
    values = [value.replace("\n", " ").encode("utf-8", "replace") for value in values]
    for at in range(0, len(values), 3):
        yield b"\n".join(values[at : at + 3])


def texts():
    names = vectors("decknames.json")
    yield from lines(case["in"] for case in names["single"])
    yield from lines(case["in"] for case in vectors("tags.json")["new_tag"])
    yield from lines(case["flds"] for case in vectors("fields.json")[::3])
    yield from lines(case[0] for case in vectors("soup.json")[::20])
    yield from lines(vectors("unicase.json")["sorted"])
    yield from lines(case["in"] for case in vectors("cards.json")["cases"] if case["column"] == "data" and isinstance(case["in"], str))
    yield b"4\n-300\n20000"


def objects():
    for letter, blob, name in (("d", "1", "decks.json"), ("o", "2", "deckconf.json"), ("n", "3", "notetypes.json")):
        for number, case in enumerate(vectors(name)):
            yield (letter if number % 3 else letter.upper()).encode() + case["in"].encode()
            if "row" not in case:
                continue
            blobs = [bytes.fromhex(column) for column in case["row"][4:]]
            yield blob.encode() + (bytes([len(blobs[0]) % 256]) if blob == "1" else b"") + b"".join(blobs)
            for kind, parts in ((b"4", "fields"), (b"5", "templates")):
                for part in case.get(parts, ())[:1]:
                    yield kind + bytes.fromhex(part[-1])
    for kind, name in (("c", "cards.json"), ("r", "revlog.json")):
        golden = vectors(name)
        for case in golden["cases"]:
            row = list(golden["row"])
            row[golden["columns"].index(case["column"])] = case["in"]
            yield kind.encode() + compact(row)
    for _, method, value in payloads():
        if method == "applyChunk" and isinstance(value, dict):
            for note in (value.get("chunk") or {}).get("notes", ())[:3]:
                yield b"t" + compact(note)


def raw_frame(data):
    """A zstd frame of one block that is not packed."""
    head = b"\x28\xb5\x2f\xfd\xa0" + len(data).to_bytes(4, "little")
    return head + (1 | len(data) << 3).to_bytes(3, "little") + data


def frames():
    for path in sorted((VECTORS / "collections").glob("*.zst")):
        yield b"\xff" + path.read_bytes()
    for number, request in enumerate(requests()):
        if "wire_base64" in request:
            yield bytes([number % 256]) + base64.b64decode(request["wire_base64"])
    yield b"\x00" + raw_frame(b"{}") + b"more"
    yield b"\x07" + raw_frame(b"x" * 5000)


def gzips():
    texts = [b"", b"{}", b"a" * 3000, bytes(range(256)) * 20]
    texts.append(b"".join(wire for _, wire in captured())[:60_000])
    strategies = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY, zlib.Z_FIXED, zlib.Z_RLE)
    for number, text in enumerate(texts):
        for level in (0, 1, 6, 9):
            for strategy in strategies:
                packer = zlib.compressobj(level, zlib.DEFLATED, 31, 8, strategy)
                yield bytes([number * 50]) + packer.compress(text) + packer.flush()
    # A name, a comment, an extra field and a checksum in the header.
    header = b"\x10\x1f\x8b\x08\x1e" + bytes(6) + b"\x02\x00xyname\x00comment\x00\x00\x00"
    yield header + gzip.compress(b"{}")[10:]


def heads():
    for request in requests():
        path, _, query = request["path"].partition("?")
        headers = request["headers"]
        body = request.get("body") or {}
        wire = b""
        if "wire_base64" in request:
            wire = base64.b64decode(request["wire_base64"])
        elif "json" in body and "anki-sync" in headers:
            wire = raw_frame(compact(body["json"])[:3000])
        elif "text" in body:
            wire = body["text"].encode()
        params = {"REQUEST_METHOD": request["method"], "SCRIPT_NAME": path, "QUERY_STRING": query, "REMOTE_ADDR": "192.0.2.1"}
        params["REQUEST_URI"] = request["path"]
        params["CONTENT_LENGTH"] = str(len(wire))
        params["CONTENT_TYPE"] = headers.get("content-type", "")
        if "anki-sync" in headers:
            params["HTTP_ANKI_SYNC"] = headers["anki-sync"]
        yield "".join(f"{name}={value}\n" for name, value in params.items()).encode() + b"\n" + wire
    yield b"REQUEST_METHOD=GET\nSCRIPT_NAME=/x/\nHTTP_HOST=h:80\nHTTPS=on\n\n"
    yield b"REQUEST_METHOD=POST\nSCRIPT_NAME=/sync\nSCRIPT_NAME=/msync\nPATH_INFO=/meta\nCONTENT_LENGTH=5\nCONTENT_LENGTH=x\ngone=\n\nbody"
    yield b"REQUEST_METHOD=POST\n*SCRIPT_NAME=/\n*HTTP_ANKI_SYNC={\ncore=3\n\n"


LETTERS = {
    "meta": "m", "start": "s", "applyGraves": "g", "applyChanges": "c", "chunk": "k", "applyChunk": "p", "sanityCheck2": "y",
    "finish": "f", "abort": "a", "download": "d", "hostKey": "h", "begin": "b", "mediaChanges": "M", "downloadFiles": "D",
    "mediaSanity": "S",
}  # fmt: skip


def calls():
    """Each capture as it was; each of its payloads within a sync; and some stories."""
    for path in sorted(TRAFFIC.glob("*.jsonl")):
        told, known = [], {}
        for line in path.read_text("utf-8").splitlines():
            request = json.loads(line)["request"]
            method, value = request["path"].split("?")[0].split("/")[-1], (request.get("body") or {}).get("json")
            if value is None or method not in LETTERS or len(compact(value)) > 4000:
                continue
            session = request["headers"].get("anki-sync", "").partition('"s":')[2]
            key = known.setdefault(session, chr(ord("b") + len(known) % 20)).encode()
            told.append(LETTERS[method].encode() + key + compact(value))
            if method in ("applyGraves", "applyChanges", "applyChunk"):
                yield b'sb{"minUsn":0,"lnewer":true}\n' + told[-1][:1] + b"b" + told[-1][2:] + b"\nfb{}"
        if told:
            yield b"\n".join(told[:40])
    deck = json.loads(vectors("decks.json")[0]["in"])
    notetype = json.loads(vectors("notetypes.json")[0]["in"])
    changes = {"models": [notetype], "decks": [[deck, deck | {"id": 5, "name": "a::b"}], [small_files.options_json()]],
               "tags": ["x::y", "X"], "conf": {"schedVer": 2, "a": None}, "crt": 1700000000}  # fmt: skip
    chunk = {"done": True, "revlog": [vectors("revlog.json")["row"]], "cards": [vectors("cards.json")["row"]],
             "notes": [[1, "g", notetype["id"], 1700000000, 0, " a ", "f\x1fb", "", "", 0, ""]]}  # fmt: skip
    yield b"\n".join((
        b'mb{"v":11,"cv":"x"}', b'sb{"minUsn":0,"lnewer":true,"graves":{"cards":[1],"notes":["2"],"decks":[5]}}',
        b'gb{"chunk":{"cards":[21],"notes":[],"decks":[]}}', b"cb" + compact({"changes": changes}), b"kb{}",
        b"pb" + compact({"chunk": chunk}), b'yb{"client":[[0,0,0],1,1,1,0,2,2,2]}', b"fb{}", b"fb{}", b"aB{}",
    ))  # fmt: skip
    yield b"\n".join((
        b'Ub[["a.txt","0"],["b.txt","1"]]', b'Mb{"lastUsn":0}', b'Db{"files":["a.txt","b.txt"]}', b'Ub[["a.txt",null],["b.txt","0"]]',
        b'Sb{"local":1}', b'bB{"v":"x"}', b'hb{"u":"user","p":"right"}', b'hb{"u":"user","p":"wrong"}', b"dB{}", b"db{}",
    ))  # fmt: skip


SEEDS = {
    "calls": calls, "form": forms, "gzip": gzips, "head": heads, "import": small_files.files, "json": texts_of_json, "objects": objects,
    "text": texts, "zip": zips, "zstd": frames,
}  # fmt: skip

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in SEEDS:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]))
