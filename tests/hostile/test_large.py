"""As much as the limits allow of everything, and texts in which a careless search would look again and again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from target import MEMBER, Target, User, collection


def many(n: int, element: str) -> str:
    return ",".join([element] * n)


def numbered(n: int, pattern: str) -> str:
    return ",".join(pattern.replace("#", str(i + 1)) for i in range(n))


MODEL = '{"id":#,"name":"n#","type":0,"mod":1,"usn":0,"sortf":0,"did":null,"tmpls":[],"flds":[%s],"css":""%s}'
FIELD = '{"name":"f","sticky":false,"rtl":false,"font":"","size":1}'
DECK = ('{"id":#,"name":"%s","mod":1,"usn":0,"lrnToday":[0,0],"revToday":[0,0],"newToday":[0,0],"timeToday":[0,0],"collapsed":false,'
        '"browserCollapsed":false,"desc":"","dyn":%d,%s}')
NORMAL, FILTERED = '"conf":1,"extendNew":0,"extendRev":0', '"resched":true,"terms":[%s],"separate":true,"delays":null'
NOTE = '[#,"g#",%d,1,0,"%s","%s","","",0,""]'
CARD = '[#,1,1,0,1,0,0,0,0,0,0,0,0,0,0,0,0,"%s"]'


def changes(models: str = "", decks: str = "", options: str = "", tags: str = "", conf: str = "") -> bytes:
    conf = f',"conf":{{{conf}}}' if conf else ""
    return f'{{"changes":{{"models":[{models}],"decks":[[{decks}],[{options}]],"tags":[{tags}]{conf}}}}}'.encode()


def chunk(cards: str = "", notes: str = "") -> bytes:
    return f'{{"chunk":{{"done":true,"cards":[{cards}],"notes":[{notes}]}}}}'.encode()


def model(n: int | str, flds: str = FIELD, more: str = "") -> str:
    return MODEL.replace("#", str(n)) % (flds, more)


def deck(name: str, rest: str, filtered: int = 0) -> str:
    return DECK.replace("#", "1700000000001") % (name, filtered, rest)


def note(tags: str, flds: str) -> bytes:
    """Of a note type with one field, which comes in the same sync."""
    return chunk(notes=NOTE.replace("#", "1700000000002") % (1, tags, flds))


BACKSLASH = chr(92)
QUOTE = BACKSLASH + '"'
UNIT = BACKSLASH + "u001f"
CHANGES, CHUNK = "/sync/applyChanges", "/sync/applyChunk"
TYPES = lambda: changes(models=model(1))
MIB = 1 << 20
Step = tuple[str, Callable[[], bytes]]
CASES: dict[str, list[Step]] = {
    "values": [("/sync/applyGraves", lambda: f'{{"chunk":{{"cards":[{many(500_000, "1")}],"decks":[],"notes":[]}}}}'.encode())],
    "containers": [(CHANGES, lambda: changes(conf=f'"a":[{many(90_000, "{}")}]'))],
    "too many containers": [(CHANGES, lambda: changes(conf=f'"a":[{many(2_000_000, "{}")}]'))],
    "too many values": [(CHANGES, lambda: changes(conf=f'"a":[{many(4_000_000, "1")}]'))],
    "keys": [(CHANGES, lambda: changes(conf=numbered(100_000, '"k#":1')))],
    "one key": [(CHANGES, lambda: changes(conf=many(300_000, '"k":1')))],
    "a long text": [(CHANGES, lambda: changes(conf=f'"a":"{"x" * (20 * MIB)}"'))],
    "escapes": [(CHANGES, lambda: changes(conf=f'"a":"{(BACKSLASH + "u0001") * (5 * MIB)}"'))],
    "spaces": [(CHUNK, lambda: b" " * (250 * MIB) + chunk())],
    "decks of one name": [(CHANGES, lambda: changes(decks=numbered(5_000, DECK % ("same", 0, NORMAL))))],
    "decks of one long name": [(CHANGES, lambda: changes(decks=numbered(500, DECK % ("x" * 5000, 0, NORMAL))))],
    "decks of other cases": [(CHANGES, lambda: changes(decks=numbered(200, DECK % (chr(0x390) * 5000, 0, NORMAL))))],
    "a long name": [(CHANGES, lambda: changes(decks=deck("x" * (50 * MIB), NORMAL)))],
    "more than changes may have": [(CHANGES, lambda: changes(tags=f'"{"x" * (64 * MIB)}"'))],
    "levels of a deck": [(CHANGES, lambda: changes(decks=deck("x::" * 300_000, NORMAL)))],
    "levels of tags": [(CHANGES, lambda: changes(tags=",".join(f'"{"a::" * 100_000}{i}::b"' for i in range(3))))],
    "many tags of many levels": [(CHANGES, lambda: changes(tags=",".join(f'"{"a::" * 300}{i}::b"' for i in range(2000))))],
    "marks in a tag": [(CHANGES, lambda: changes(tags=f'"a{(chr(0x301) + chr(0x323)) * (5 * MIB)}"'))],
    "marks in tags": [(CHANGES, lambda: changes(tags=f'"a{(chr(0x301) + chr(0x323)) * 500_000}"'))],
    "note types": [(CHANGES, lambda: changes(models=numbered(10_000, model("#")))), (CHUNK, lambda: chunk(notes=numbered(50_000, NOTE % (10_000, "", "x"))))],
    "fields": [(CHANGES, lambda: changes(models=model(1, numbered(30_000, FIELD.replace('"f"', '"f#"')))))],
    "fields of one name": [(CHANGES, lambda: changes(models=model(1, many(30_000, FIELD))))],
    "requirements": [(CHANGES, lambda: changes(models=model(1, FIELD, ',"req":[' + many(45_000, '[0,"none",[]]') + "]")))],
    "search terms": [(CHANGES, lambda: changes(decks=deck("t", FILTERED % many(95_000, '["",0,0]'), 1)))],
    "delays": [(CHANGES, lambda: changes(decks=deck("d", (FILTERED % '["",1,0]').replace("null", f"[{many(900_000, '1')}]"), 1)))],
    "unknown keys": [(CHANGES, lambda: changes(decks=deck("u", NORMAL + "," + numbered(90_000, '"k#":1'))))],
    "an unknown key too long": [(CHANGES, lambda: changes(decks=deck("v", f'{NORMAL},"k":"{"x" * (20 * MIB)}"')))],
    "cards": [(CHUNK, lambda: chunk(cards=numbered(50_000, CARD % "{}")))],
    "card data": [(CHUNK, lambda: chunk(cards=numbered(9, CARD % ("{" + many(90_000, f"{QUOTE}a{QUOTE}:1") + "}"))))],
    "tags of a note": [(CHANGES, TYPES), (CHUNK, lambda: note("\u3000 a" * MIB, "x"))],
    "fields of a note": [(CHANGES, TYPES), (CHUNK, lambda: note("", UNIT * MIB))],
    "a note too long": [(CHANGES, TYPES), (CHUNK, lambda: note("", "x" * (70 * MIB)))],
    **{f"a note of {piece}": [(CHANGES, TYPES), (CHUNK, lambda piece=piece: note("", piece * (4 * MIB // len(piece))))] for piece in (
        "<a ", "<!--", "<script>", f"<img src={QUOTE}", "&amp;", "&#x", f"<img {QUOTE} ' ", "&nbsp;<b>", "<img src=a>")},
}


@pytest.mark.parametrize("what", CASES)
def test_large(target: Target, what: str) -> None:
    """Each is refused, or stored and read again; whichever it is, the account goes on working."""
    user = target.user(6)
    user.upload(collection("new-18"))
    usn = user.ask("/sync/meta", {"v": 11, "cv": "test"}, "hostile").json["usn"]
    assert user.ask("/sync/start", {"minUsn": usn, "lnewer": True, "graves": None}, "hostile").status == 200
    for path, payload in CASES[what]:
        data = payload()
        answer = target.attack(MEMBER, what, lambda: user.ask(path, data, "hostile"))
        assert answer.status in (200, 400, 413)
    if answer.status == 200:
        assert target.attack(MEMBER, f"finish: {what}", lambda: user.ask("/sync/finish", {}, "hostile")).status in (200, 400, 413)
        target.attack(MEMBER, f"read: {what}", user.read_all)
    user.sync()
    user.digest()
