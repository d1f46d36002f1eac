"""Comparing values by meaning: the forms that two servers may write differently made one."""

from __future__ import annotations

import io
import json
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import seeds

ABSENT = "(absent)"
REVLOG_USN, CARD_USN, NOTE_USN, CARD_DATA = 2, 5, 4, 17
USN_COLUMN = {"revlog": REVLOG_USN, "cards": CARD_USN, "notes": NOTE_USN}

Number = Callable[[int], int]


@dataclass(frozen=True)
class Difference:
    """One place in one reply where the replayed server says something else."""

    where: str  # scenario/step and the path within the reply
    expected: Any
    got: Any

    def __str__(self) -> str:
        return f"{self.where}: expected {_short(self.expected)}, got {_short(self.got)}"


def _short(value: Any) -> str:
    text = value if value == ABSENT else json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 300 else text[:300] + "…"


def differences(expected: Any, got: Any, where: str) -> list[Difference]:
    """All places where two JSON values differ; 1, 1.0 and true are different things."""
    if isinstance(expected, dict) and isinstance(got, dict):
        found: list[Difference] = []
        for key in expected | got:
            left, right = expected.get(key, ABSENT), got.get(key, ABSENT)
            found += differences(left, right, f"{where}.{key}")
        return found
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        found = []
        for index, (left, right) in enumerate(zip(expected, got)):
            found += differences(left, right, f"{where}.{index}")
        return found
    same = type(expected) is type(got) and expected == got
    return [] if same else [Difference(where, expected, got)]


# The forms of replies in which order has no meaning


def graves(reply: dict[str, Any]) -> Any:
    """Three sets of ids."""
    return _in_each(reply, lambda ids: sorted(ids) if isinstance(ids, list) else ids)


def changes(reply: dict[str, Any], usn: Number = lambda usn: usn) -> Any:
    """Objects by their ids; the day that un-burying writes down depends on when it runs."""
    if not isinstance(reply, dict) or not {"models", "decks", "tags"} <= reply.keys():
        return reply
    form = dict(reply)
    form["models"] = _by_id(reply["models"], usn)
    form["decks"] = _by_id(reply["decks"][0], usn)
    form["options"] = _by_id(reply["decks"][1], usn)
    form["tags"] = sorted(reply["tags"])
    if isinstance(reply.get("conf"), dict):
        form["conf"] = {k: v for k, v in reply["conf"].items() if k != "lastUnburied"}
    return form


def _by_id(objects: list[dict[str, Any]], usn: Number) -> dict[str, Any]:
    form: dict[str, Any] = {}
    for number, found in enumerate(objects):
        key = str(found.get("id"))
        key = key if key not in form else f"{key} again at {number}"
        form[key] = found | {"usn": usn(found["usn"])}
    return form


def rows(chunks: list[dict[str, Any]], usn: Number = lambda usn: usn) -> Any:
    """The rows of all chunk replies of one sync, by table and id."""
    form: dict[str, Any] = {table: {} for table in USN_COLUMN}
    for chunk in chunks:
        for table, column in USN_COLUMN.items():
            for row in chunk.get(table, []):
                row = list(row)
                row[column] = usn(row[column])
                if table == "cards":
                    row[CARD_DATA] = json.loads(row[CARD_DATA])
                key = str(row[0])
                form[table][key if key not in form[table] else f"{key} again"] = row
    form["other keys"] = sorted({key for chunk in chunks for key in chunk} - {*USN_COLUMN, "done"})
    return form


def _in_each(reply: Any, change: Callable[[Any], Any]) -> Any:
    return {k: change(v) for k, v in reply.items()} if isinstance(reply, dict) else reply


# Files


def zip_files(data: bytes) -> dict[str, bytes]:
    """Name to content of a zip with media that a server sent; all members are stored."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        packed = [info.filename for info in archive.infolist() if info.compress_type]
        assert not packed, f"members not stored plainly: {packed}"
        names = json.loads(archive.read("_meta"))
        assert {*names, "_meta"} == {*archive.namelist()}, "_meta and members differ"
        return {name: archive.read(member) for member, name in names.items()}


ROW_KEYS = {
    "notes": "id",
    "cards": "id",
    "revlog": "id",
    "decks": "id",
    "deck_config": "id",
    "notetypes": "id",
    "fields": "ntid, ord",
    "templates": "ntid, ord",
    "config": "key",
    "tags": "tag",
    "graves": "oid, type",
    "col": "id",
}


def collection(data: bytes) -> dict[str, Any]:
    """Every row of a collection file; protobuf messages with their fields in any order."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.anki2"
        path.write_bytes(seeds.plain_journal(data))
        db = seeds.connect(path)
        db.row_factory = sqlite3.Row
        try:
            return {table: _table(db, table, key) for table, key in ROW_KEYS.items()}
        finally:
            db.close()


def old_collection(data: bytes) -> dict[str, Any]:
    """The rows of a file of schema 11; `col` is its one row, with its JSON read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.anki2"
        path.write_bytes(data)
        db = seeds.connect(path)
        db.row_factory = sqlite3.Row
        try:
            form = {
                table: _table(db, table, ROW_KEYS[table]) for table in ("notes", "cards", "revlog")
            }
            form["col"] = _table(db, "col", "id")["1"]
        finally:
            db.close()
    for column in ("conf", "models", "decks", "dconf", "tags"):
        form["col"][column] = json.loads(form["col"][column])
    return form


def _table(db: sqlite3.Connection, table: str, key: str) -> dict[str, Any]:
    names = key.split(", ")
    form = {}
    for row in db.execute(f"select * from {table}"):
        values = dict(row)
        row_key = "-".join(str(values[name if name in values else name.upper()]) for name in names)
        form[row_key] = {k.lower(): _blob(table, v) for k, v in values.items()}
    return form


def _blob(table: str, value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    return json.loads(value) if table == "config" else protobuf(value)


def protobuf(data: bytes) -> dict[str, list[Any]]:
    """A message's fields by number; inner messages stay bytes."""
    at = 0
    form: dict[str, list[Any]] = {}
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
        else:
            size, at = _varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value, at = data[at : at + size].hex(), at + size
        form.setdefault(str(tag >> 3), []).append(value)
    return form


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
