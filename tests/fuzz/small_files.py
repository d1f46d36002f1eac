"""Small collection files for the fuzzer of uploads: each version, each encoding, and such as no Anki makes."""

import json
import sqlite3
import tempfile
from pathlib import Path

VECTORS = Path(__file__).parents[1] / "vectors"

TABLES = {
    "col": "id integer PRIMARY KEY, crt, mod, scm, ver, dty, usn, ls, conf text, models text, decks text, dconf text, tags text",
    "notes": "id integer PRIMARY KEY, guid text, mid, mod, usn, tags text, flds text, sfld, csum, flags, data text",
    "cards": "id integer PRIMARY KEY, nid, did, ord, mod, usn, type, queue, due, ivl, factor, reps, lapses, left, odue, odid,"
    " flags, data text",
    "revlog": "id integer PRIMARY KEY, cid, usn, ease, ivl, lastIvl, factor, time, type",
    "graves": "oid integer NOT NULL, type integer NOT NULL, usn integer NOT NULL, PRIMARY KEY (oid, type)) WITHOUT ROWID",
    "config": "KEY text NOT NULL PRIMARY KEY, usn, mtime_secs, val blob) WITHOUT ROWID",
    "tags": "tag text NOT NULL PRIMARY KEY COLLATE unicase, usn, collapsed, config blob) WITHOUT ROWID",
    "deck_config": "id integer PRIMARY KEY, name text COLLATE unicase, mtime_secs, usn, config blob",
    "decks": "id integer PRIMARY KEY, name text COLLATE unicase, mtime_secs, usn, common blob, kind blob",
    "notetypes": "id integer PRIMARY KEY, name text COLLATE unicase, mtime_secs, usn, config blob",
    "fields": "ntid integer NOT NULL, ord integer NOT NULL, name text COLLATE unicase, config blob, PRIMARY KEY (ntid, ord)) WITHOUT ROWID",
    "templates": "ntid integer NOT NULL, ord integer NOT NULL, name text COLLATE unicase, mtime_secs, usn, config blob,"
    " PRIMARY KEY (ntid, ord)) WITHOUT ROWID",
}
FROM_14 = ("config", "tags", "deck_config")
FROM_15 = ("decks", "notetypes", "fields", "templates")
INDEXES = {
    "ix_notes_usn": "notes (usn)",
    "ix_cards_nid": "cards (nid)",
    "ix_cards_sched": "cards (did, queue, due)",
    "idx_cards_odid": "cards (odid) WHERE odid != 0",
    "ix_revlog_cid": "revlog (cid)",
    "idx_decks_name": "decks (name)",
    "idx_notetypes_name": "notetypes (name)",
    "idx_fields_name_ntid": "fields (name, ntid)",
    "idx_graves_pending": "graves (usn)",
}
OPTIONS = bytes.fromhex("0a080000803f00002041120400002041")

# What each file has of its own: SQL that comes last.
TWISTS = (
    "",
    "UPDATE cards SET due = 1.5, factor = 'x', usn = -1, flags = 300; UPDATE notes SET sfld = 3.5, csum = -1, tags = x'ff00'",
    "UPDATE col SET usn = 'many'",
    "INSERT INTO col SELECT 2, crt, mod, scm, ver, dty, usn, ls, conf, models, decks, dconf, tags FROM col",
    "DROP TABLE notes; CREATE VIEW notes AS SELECT * FROM cards",
    "CREATE TRIGGER t AFTER UPDATE ON cards BEGIN DELETE FROM notes; END",
    "ALTER TABLE cards ADD COLUMN more AS (id + 1)",
    "CREATE INDEX other ON revlog (abs(id)); ANALYZE",
    "INSERT INTO cards SELECT id + 900, nid, did, ord, mod, usn, type, queue, due, ivl, factor, reps, lapses, left, odue, odid,"
    " flags, data FROM cards; DELETE FROM cards WHERE id % 2",
    "UPDATE notes SET flds = zeroblob(3000), guid = x'c328'",
    "UPDATE revlog SET type = 9, ease = -1, time = 1e300",
    "DROP TABLE revlog; CREATE TABLE revlog (id, cid, usn, ease, ivl, lastIvl, factor, time, type, PRIMARY KEY (id)) WITHOUT ROWID",
)
# The same where decks have a table of their own.
TWISTS_18 = (
    "DROP INDEX idx_decks_name; INSERT INTO decks SELECT id + 70, upper(name), mtime_secs, usn, common, kind FROM decks",
    "UPDATE decks SET kind = x'', name = x'41ff'",
    "UPDATE deck_config SET config = x'ffff'",
    "UPDATE config SET val = 'text'; INSERT INTO config VALUES (x'00', 5, 5, x'7b')",
    "INSERT INTO tags VALUES ('a::b', 0, 1, NULL), ('B', 1.5, 'x', x'00')",
    "UPDATE fields SET ord = ord + 70000; UPDATE templates SET config = x'0a'",
)


def objects(name, case):
    return json.loads(next(c["in"] for c in json.loads((VECTORS / name).read_text("utf-8")) if c["case"] == case))


def rows(db, version):
    deck, notetype = objects("decks.json", "normal"), objects("notetypes.json", "normal")
    maps = ["", "", "", "", ""]
    if version < 14:
        maps[0], maps[4] = json.dumps({"schedVer": 2, "x": [1, None]}), json.dumps({"a": 3, "a::b": -1})
        maps[3] = json.dumps({"1": options_json()})
    if version < 15:
        maps[1], maps[2] = json.dumps({"1700000000001": notetype}), json.dumps({"1": deck | {"id": 1, "name": "Default"}, "5": deck | {"id": 5}})
    db.execute("INSERT INTO col VALUES (1, 1700000000, 1700000000123, 1700000000001, ?, 0, 9, 0, ?, ?, ?, ?, ?)", (version, *maps))
    db.execute("INSERT INTO notes VALUES (11, 'guid', 1700000000001, 1700000000, 3, ' a b ', 'front\x1fback', 'front', 12345, 0, '')")
    for card in (21, 22):
        db.execute("INSERT INTO cards VALUES (?, 11, 1, 0, 1700000000, 3, 2, 2, 10, 5, 1900, 1, 0, 0, 0, ?, 0, '{}')", (card, card - 21))
        db.execute("INSERT INTO revlog VALUES (?, ?, 3, 3, 5, 1, 2500, 4000, 1)", (1700000000000 + card, card))
    db.execute("INSERT INTO graves (oid, type, usn) VALUES (99, 1, 2)")
    if version >= 14:
        db.execute("INSERT INTO config VALUES ('schedVer', -1, 0, ?)", (b"2",))
        db.execute("INSERT INTO tags (tag, usn) VALUES ('a', 3)")
        config = json.dumps(options_json()).encode() if version == 14 else OPTIONS
        db.execute("INSERT INTO deck_config VALUES (1, 'Default', 0, 0, ?)", (config,))
    if version >= 15:
        for did, name in ((1, "Default"), (5, "A\x1fB")):
            db.execute("INSERT INTO decks VALUES (?, ?, 0, 0, ?, ?)", (did, name, b"\x08\x01\x10\x01", b"\x0a\x02\x08\x01"))
        db.execute("INSERT INTO notetypes VALUES (1700000000001, 'N', 0, 0, ?)", (b"\x1a\x03css",))
        for ord_, name in enumerate(("Front", "Back")):
            db.execute("INSERT INTO fields VALUES (1700000000001, ?, ?, ?)", (ord_, name, b"\x1a\x05Arial\x20\x14"))
        db.execute("INSERT INTO templates VALUES (1700000000001, 0, 'Card 1', 0, 0, ?)", (b"\x0a\x09{{Front}}",))


def options_json():
    cases = json.loads((VECTORS / "deckconf.json").read_text("utf-8"))
    return json.loads(next(c["in"] for c in cases if c["status"] == 200)) | {"id": 1}


def collate(a, b):
    a, b = a.casefold(), b.casefold()
    return (a > b) - (a < b)


def make(version=18, page=512, encoding="UTF-8", twist="", indexes=True):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        db = sqlite3.connect(path, isolation_level=None)
        db.create_collation("unicase", collate)
        db.execute(f"PRAGMA page_size = {page}")
        db.execute(f"PRAGMA encoding = '{encoding}'")
        db.execute("BEGIN")
        for name, columns in TABLES.items():
            if (name in FROM_14 and version < 14) or (name in FROM_15 and version < 15):
                continue
            if name == "graves" and version < 18:
                columns = "usn, oid, type"
            if name == "tags" and version < 17:
                columns = "tag text NOT NULL PRIMARY KEY COLLATE unicase, usn) WITHOUT ROWID"
            end = "" if columns.endswith("ROWID") else ")"
            db.execute(f"CREATE TABLE {name} ({columns}{end}")
        for name, on in INDEXES.items() if indexes else ():
            if version >= 15 or on.split()[0] not in FROM_15:
                db.execute(f"CREATE INDEX {name} ON {on}")
        rows(db, version)
        db.execute("COMMIT")
        if twist:
            db.executescript(twist)
        db.close()
        return path.read_bytes()


def files():
    for version in (11, 14, 15, 16, 17, 18):
        yield make(version)
    for version in (11, 18):
        for twist in TWISTS[1:] + (TWISTS_18 if version == 18 else ()):
            yield make(version, twist=twist)
        for encoding in ("UTF-16le", "UTF-16be"):
            yield make(version, encoding=encoding)
    yield make(page=4096)
    yield make(page=1024, indexes=False)
    yield make(13)
    yield b""
    yield b"SQLite format 3\0" + bytes(600)
