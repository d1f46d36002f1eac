"""Collections and zips that are made to hurt. (tests/unit/test-importer.c and test-media-zip.c have many more, without a server.)"""

from __future__ import annotations

import random
import sqlite3
import struct
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from target import MEMBER, Target, User, collection

LOOP = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT"


@pytest.fixture(scope="module")
def victim(target: Target) -> User:
    user = target.user(7)
    user.upload(collection())
    user.put_media({"a.txt": b"a"})
    return user


def changed(tmp_path: Path, *statements: str) -> bytes:
    """A collection after these statements; writable_schema lets them change what SQLite itself would not."""
    path = tmp_path / "hostile.anki2"
    path.write_bytes(collection())
    db = sqlite3.connect(path)
    db.create_collation("unicase", lambda a, b: (a.casefold() > b.casefold()) - (a.casefold() < b.casefold()))
    db.executescript("PRAGMA journal_mode = DELETE; PRAGMA writable_schema = ON;" + ";".join(statements))
    db.close()
    return path.read_bytes()


REFUSED = {
    "a trigger": ["CREATE TRIGGER t AFTER INSERT ON notes BEGIN DELETE FROM cards; END"],
    "an endless view for a table": ["DROP TABLE revlog", f"CREATE VIEW revlog AS {LOOP} i AS id, 1 AS cid, 1 AS usn, 1 AS ease, 1 AS ivl, "
                                    "1 AS lastIvl, 1 AS factor, 1 AS time, 1 AS type FROM n"],
    "a virtual table": ["DROP TABLE revlog", "CREATE VIRTUAL TABLE revlog USING fts4(id, cid, usn, ease, ivl, lastIvl, factor, time, type)"],
    "a column of 1 GB for each row": ["DROP TABLE graves", "CREATE TABLE graves (oid, type, usn AS (zeroblob(1000000000)))"],
    "two rows in col": ["INSERT INTO col SELECT 2, crt, mod, scm, ver, dty, usn, ls, conf, models, decks, dconf, tags FROM col"],
    "a column missing": ["ALTER TABLE graves RENAME COLUMN usn TO other"],
    "times out of range": ["UPDATE col SET mod = 9223372036854775807"], "a blob as usn": ["UPDATE col SET usn = x'00'"],
    "blobs that are none": ["UPDATE decks SET kind = x'ffffffffffff'"], "a blob too large": ["UPDATE decks SET common = zeroblob(50000000) WHERE id = 1"],
    "a table that is the schema": ["UPDATE sqlite_schema SET rootpage = 1 WHERE name = 'notes'"],
    "a page beyond the end": ["UPDATE sqlite_schema SET rootpage = 1000000 WHERE name = 'cards'"],
    "a schema that is no SQL": ["UPDATE sqlite_schema SET sql = 'CREATE TABLE notes (' WHERE name = 'notes'"],
}
# These are taken: what does not belong to a collection stays behind, and values are put into their ranges.
MENDED = {
    "other tables": ["CREATE TABLE x (y)", "INSERT INTO x VALUES (zeroblob(1000000))", f"CREATE VIEW v AS {LOOP} i FROM n"],
    "texts where numbers belong": ["UPDATE cards SET due = 'x', ivl = 'y', mod = 'z', odue = x'00'", "UPDATE revlog SET time = 'x', factor = 1e300"],
    "numbers out of range": ["UPDATE cards SET ord = 99999999999, type = -7, queue = 77, flags = -1, usn = 9223372036854775807"],
    "numbers where texts belong": ["UPDATE notes SET flds = 1.5, tags = 7, guid = x'ff00', sfld = x'00', data = 5"],
    "texts that are none": ["UPDATE notes SET tags = CAST(x'ff00fe' AS TEXT)", "UPDATE cards SET data = CAST(x'c328' AS TEXT)"],
}


def attack(target: Target, user: User, what: str, data: bytes) -> str:
    answer = target.attack(MEMBER, f"upload {what}", lambda: target.plain("/sync/upload", data, user.header()))
    assert answer.status == 200, (what, answer.status)
    return answer.data.decode()


@pytest.mark.parametrize("what", REFUSED)
def test_refused_in_words(target: Target, victim: User, tmp_path: Path, what: str) -> None:
    before = victim.meta(), victim.digest()
    text = attack(target, victim, what, changed(tmp_path, *REFUSED[what]))
    assert text != "OK" and text[0].isupper() and text.endswith("."), text
    assert (victim.meta(), victim.digest()) == before and not victim.leftovers()


@pytest.mark.parametrize("what", MENDED)
def test_mended(target: Target, tmp_path: Path, what: str) -> None:
    user = target.user(8)
    assert attack(target, user, what, changed(tmp_path, *MENDED[what])) == "OK"
    user.read_all()
    user.sync()
    user.digest()


def patched(data: bytes, at: int, what: bytes) -> bytes:
    return data[:at] + what + data[at + len(what):]


def files() -> dict[str, bytes]:
    data, rng = collection(), random.Random(3)
    page = int.from_bytes(data[16:18], "big") or 65536
    return {
        "nothing": b"", "a byte": b"S", "its name only": data[:16], "its head only": data[:100], "zeros": bytes(1 << 20), "noise": rng.randbytes(1 << 20),
        "299 MiB of nothing behind its head": data[:100] + bytes((299 << 20) - 100),
        "cut in a page": data[:-100], "a page short": data[:-page], "a page more": data + bytes(page), "page size 0": patched(data, 16, b"\0\0"),
        "page size 7": patched(data, 16, b"\0\x07"), "reserved space": patched(data, 20, b"\xff"),
        "pages by noise": data[:page] + rng.randbytes(len(data) - page), "first page by noise": data[:100] + rng.randbytes(page - 100) + data[page:],
        "an HTML page": b"<!doctype html>" * 1000, "text": "日本".encode() * 10_000,
    }


@pytest.mark.parametrize("what", files())
def test_no_collection(target: Target, victim: User, what: str) -> None:
    before = victim.meta(), victim.digest()
    text = attack(target, victim, what, files()[what])
    assert text != "OK" and text[0].isupper() and text.endswith("."), text
    assert (victim.meta(), victim.digest()) == before and not victim.leftovers()


# --- media ---

def made(*members: tuple[str, bytes], meta: bytes = b'[["a.txt","0"]]') -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, data in members:
            z.writestr(name, data)
        z.writestr("_meta", meta)
    return out.getvalue()


def bomb(mib: int) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        with z.open("0", "w") as f:
            for _ in range(mib):
                f.write(bytes(1 << 20))
        z.writestr("_meta", b'[["a.txt","0"]]')
    return out.getvalue()


def overlapping() -> bytes:
    """Many members that are all the same bytes of the file."""
    packer = zlib.compressobj(9, wbits=-15)
    data = b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(90)), packer.flush()])
    crc = 0
    for _ in range(90):
        crc = zlib.crc32(bytes(1 << 20), crc)
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(data), 90 << 20, 1, 0) + b"0" + data
    central = b"".join(struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, len(data), 90 << 20, 2, 0, 0, 0, 0, 0, 0) + b"%02d" % i
                       for i in range(10, 60))
    return local + central + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 50, 50, len(central), len(local), 0)


ZIPS: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"", "noise": lambda: random.Random(1).randbytes(5000), "a bomb": lambda: bomb(300), "one byte too many": lambda: bomb(101),
    "overlapping": overlapping, "cut": lambda: made(("0", b"x" * 1000))[:-30], "a path as a member": lambda: made(("../0", b"x")),
    **{f"the list {meta[:30]!r}": (lambda meta=meta: made(("0", b"x"), meta=meta)) for meta in (
        b"{}", b"null", b"[[]]", b'[[1,"0"]]', b'[["a",0]]', b'[["a","1"]]', b'[["\\ud800","0"]]', b'[["../../../../etc/passwd","0"]]', b"[" * 5000)},
}


@pytest.mark.parametrize("what", ZIPS)
def test_zips(target: Target, victim: User, what: str) -> None:
    before = victim.meta(), victim.digest()
    answer = target.attack(MEMBER, f"zip {what}", lambda: target.plain("/msync/uploadChanges", ZIPS[what](), victim.header()))
    assert answer.status in (400, 413)
    assert (victim.meta(), victim.digest()) == before and not victim.leftovers()
