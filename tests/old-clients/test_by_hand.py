"""Protocol 8, 9 and 10 by hand: what no client that runs here sends any more."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest
import requests
from by_hand import HandClient, with_scheduler
from referee.accounts import Account
from referee.device import Device

NOW = 1_700_000_000
NO_CHANGES = {"models": [], "decks": [[], []], "tags": []}


def client(account: Account, version: int) -> HandClient:
    made = HandClient(account, version)
    made.login()
    return made


def prepare(account: Account, make_new: Callable[[str], Device], scheduler: int) -> Device:
    """The account gets a collection of that scheduler with one note; the device of the newest client that made it."""
    assert account.wire().upload(with_scheduler(scheduler)).body == b"OK"
    device = make_new("new")
    device.download()
    device.add_note("one", "eins")
    device.sync()
    return device


def card_row(card: int, note: int, usn: int) -> list:
    return [card, note, 1, 0, NOW, usn, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, ""]


@pytest.mark.parametrize(("version", "scheduler"), [(8, 1), (9, 1), (9, 2), (10, 2)])
def test_whole_sync(
    account: Account, make_new: Callable[[str], Device], version: int, scheduler: int
) -> None:
    new = prepare(account, make_new, scheduler)
    nid, notetype = new.col.db.first("select id, mid from notes")
    cid = new.col.db.scalar("select id from cards")
    old = client(account, version)
    meta = old.meta()
    assert meta["cont"] and meta["hostNum"] == 0 and meta["musn"] == 0 and "uname" in meta
    usn = meta["usn"]
    # What the client would know already, and deletions within start, as strings.
    start = {"minUsn": usn - 1, "lnewer": True, "offset": -60}
    start["graves"] = {"cards": [str(cid)], "notes": [str(nid)], "decks": []}
    assert old.ask("start", start) == {"cards": [], "decks": [], "notes": []}
    changes = old.ask("applyChanges", {"changes": NO_CHANGES | {"tags": ["by-hand"]}})
    assert set(changes) >= {"models", "decks", "tags"}
    chunk = old.ask("chunk")
    assert chunk == {"done": True}  # the note has just been deleted
    rows = {
        "cards": [card_row(77, 78, usn)],
        "notes": [[78, "guid", notetype, NOW, usn, " by-hand ", "front\x1fback", "", "", 0, ""]],
    }
    assert old.ask("applyChunk", {"chunk": rows | {"done": True}}) is None
    counts = [
        new.col.db.scalar(f"select count() from {table}")
        for table in ("notetypes", "decks", "deck_config")
    ]
    assert old.ask("sanityCheck2", {"client": [[5, 6, 7], 1, 1, 0, 12, *counts]})["status"] == "ok"
    mod = old.ask("finish")
    assert old.meta()["mod"] == mod

    new.sync()
    assert new.col.db.all("select id, flds, tags from notes") == [
        [78, "front\x1fback", " by-hand "]
    ]
    assert new.col.db.list("select id from cards") == [77]
    assert "by-hand" in new.col.tags.all()
    assert not new.problems()


@pytest.mark.parametrize(
    ("version", "scheduler", "words"), [(8, 2, "v2 scheduler"), (7, 1, ""), (12, 2, "")]
)
def test_told_at_meta(
    account: Account, make_new: Callable[[str], Device], version: int, scheduler: int, words: str
) -> None:
    """In words where they can be shown; else as every generation knows it, 501."""
    prepare(account, make_new, scheduler)
    reply = client(account, version).call("meta", {"v": version, "cv": "ankidesktop,2.0.52,lin::"})
    if words:
        assert not reply.json()["cont"] and words in reply.json()["msg"]
    else:
        assert reply.status_code == 501


def test_failed_check_of_the_client(account: Account, make_new: Callable[[str], Device]) -> None:
    new = prepare(account, make_new, 2)
    old = client(account, 9)
    usn = old.meta()["usn"]
    old.ask("start", {"minUsn": usn, "lnewer": True})
    old.ask("applyChunk", {"chunk": {"done": True, "cards": [card_row(77, 78, usn)]}})
    answer = old.ask("sanityCheck2", {"client": "card 77 without a note"})
    assert answer == {"status": "bad", "c": "card 77 without a note", "s": None}
    assert old.call("finish").status_code == 409
    new.sync()
    assert new.col.db.scalar("select count() from cards") == 1


def test_full_sync_without_session_and_data(
    account: Account, make_new: Callable[[str], Device], tmp_path
) -> None:
    """2.1.26 and AnkiDroid leave out `s`, and `data` where there is nothing to say."""
    new = prepare(account, make_new, 1)
    old = client(account, 9)
    reply = old.call("download", session=False)
    assert reply.content[:15] == b"SQLite format 3" and reply.content[18:20] == b"\x01\x01"
    path = tmp_path / "down.anki2"
    path.write_bytes(reply.content)
    db = sqlite3.connect(path)
    assert db.execute("select ver from col").fetchone() == (11,)
    assert db.execute("pragma integrity_check").fetchone() == ("ok",)
    db.execute("update notes set flds = 'two' || char(31) || 'zwei', mod = ?, usn = -1", (NOW,))
    db.execute("update col set mod = mod + 1, scm = scm + 1")
    db.commit()
    db.close()
    assert old.call("upload", raw=path.read_bytes(), session=False).text == "OK"
    new.download()
    assert new.col.db.scalar("select flds from notes") == "two\x1fzwei"
    new.sync()
    assert not new.problems()
    for nothing in (None, b"", b"not a collection", reply.content[:-4096]):
        answer = old.call("upload", raw=nothing, session=False)
        assert answer.status_code == 200 and answer.text not in ("OK", "")
    new.sync()


@pytest.mark.parametrize("path", ["sync/hostKey", "hostKey", "anki/sync/hostKey", "/sync/hostKey"])
def test_addresses(account: Account, path: str) -> None:
    old = HandClient(account, 10)
    data = f'{{"u": "{account.name}", "p": "{account.password}"}}'.encode()
    assert "key" in old.post(path, {"c": "0"}, data).json()


def test_media_keys(account: Account) -> None:
    """`begin` by GET and by POST; what it gives is the key of the calls that follow."""
    old = client(account, 10)
    url = account.url + "msync/begin"
    for reply in (
        requests.get(url, params={"k": old.key, "v": "ankidroid,2.15 (ä),"}, timeout=60),
        old.post("msync/begin", {"k": old.key, "v": "ankidroid,2.15,", "c": "1"}, None),
        old.post("begin", {"k": old.key, "v": "x"}, b""),
    ):
        assert reply.status_code == 200 and reply.json()["err"] == ""
        key = reply.json()["data"]["sk"]
        changes = old.post("msync/mediaChanges", {"sk": key}, b'{"lastUsn": 0}')
        assert changes.json() == {"data": [], "err": ""}
    for params in ({"k": old.key}, {"v": "x"}, {"k": old.key, "v": ""}):
        assert requests.get(url, params=params, timeout=60).status_code == 400
    assert requests.get(url, params={"k": "nobody", "v": "x"}, timeout=60).status_code == 403
    assert old.post("msync/mediaChanges", {"sk": "nobody"}, b'{"lastUsn": 0}').status_code == 403


def test_torn_form(account: Account) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    for body in (
        b"",
        b"--b",
        b"--b\r\n",
        b'--b\r\nContent-Disposition: form-data; name="k"\r\n\r\nx\r\n--b',
    ):
        assert (
            requests.post(
                account.url + "sync/meta", data=body, headers=headers, timeout=60
            ).status_code
            == 400
        )
