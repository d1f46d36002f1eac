"""Collections that a scenario presumes and that the capture does not hold.

All are made from the one that 02-first-upload sends: other ids, other counts, other
marks in the `col` row, as told by the replies of the scenario.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import capture

CAPTURED_DAY = 1795492800  # crt of every captured collection


@dataclass(frozen=True)
class Seed:
    """What the server held before the first request of a scenario."""

    mod: int
    scm: int
    usn: int
    notetype: int  # id of "Basic"; the five others follow
    notes: tuple[int, ...] = ()  # ids; each has one card with the same id
    config: dict[str, object] = field(default_factory=dict)
    notetypes: int = 6  # how many are there: older clients have no Image Occlusion

    def file(self) -> bytes:
        """The collection as a client would upload it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "seed.anki2"
            path.write_bytes(plain_journal(first_upload()))
            db = connect(path)
            with db:
                self._fill(db)
            db.execute("vacuum")
            db.close()
            return path.read_bytes()

    def _fill(self, db: sqlite3.Connection) -> None:
        db.execute("update col set mod=?, scm=?, usn=?", (self.mod, self.scm, self.usn))
        first = db.execute("select min(id) from notetypes").fetchone()[0]
        for table, column in (("notetypes", "id"), ("fields", "ntid"), ("templates", "ntid")):
            # by way of negative numbers, since old and new ids may overlap
            db.execute(f"update {table} set {column} = -({column} + ?)", (self.notetype - first,))
            db.execute(f"update {table} set {column} = -{column}")
        last = self.notetype + self.notetypes - 1
        for table, column in (("notetypes", "id"), ("fields", "ntid"), ("templates", "ntid")):
            db.execute(f"delete from {table} where {column} > ?", (last,))
        db.execute("delete from notes")
        db.execute("delete from cards")
        db.execute("delete from tags")
        for due, nid in enumerate(self.notes, 1):
            front = f"seed {nid}"
            db.execute(
                "insert into notes values (?,?,?,?,0,'',?,?,0,0,'')",
                (nid, f"guid{nid}", self.notetype, nid // 1000, f"{front}\x1fback", front),
            )
            db.execute(
                "insert into cards values (?,?,1,0,?,0,0,0,?,0,0,0,0,0,0,0,0,'{}')",
                (nid, nid, nid // 1000, due),
            )
        self._configure(db)

    def _configure(self, db: sqlite3.Connection) -> None:
        db.execute("delete from config where key like '\\_%' escape '\\'")
        values = {
            "_deck_1_lastNotetype": self.notetype,
            f"_nt_{self.notetype}_lastDeck": 1,
            "curModel": self.notetype,
            "nextPos": len(self.notes) + 1,
        }
        for key, value in (values | self.config).items():
            db.execute(
                "insert or replace into config values (?,0,?,?)",
                (key, self.mod // 1000, json.dumps(value).encode()),
            )


def first_upload() -> bytes:
    """The file in 02-first-upload."""
    for exchange in capture.load("02-first-upload"):
        if exchange.method == "upload":
            data = capture.content(exchange.request["body"])
            assert data
            return data
    raise AssertionError("02-first-upload holds no upload")


def connect(path: Path) -> sqlite3.Connection:
    """Open a collection, with the collation that its text columns need."""
    db = sqlite3.connect(path)
    db.create_collation("unicase", _unicase)
    return db


def _unicase(left: str, right: str) -> int:
    left, right = left.casefold(), right.casefold()
    return (left > right) - (left < right)


def plain_journal(data: bytes) -> bytes:
    """The same database without the mark that asks for a write-ahead log beside it."""
    return data[:18] + b"\x01\x01" + data[20:]
