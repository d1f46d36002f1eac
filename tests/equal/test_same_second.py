"""One object changed on two devices within the same second: both must keep the same one."""

from __future__ import annotations

import pytest
from together import Group, reload

SECOND = 2_000_000_000


def stamp(device, table: str, object_id: int, seconds: int = SECOND) -> None:
    """Give an object a modification time, keeping it waiting to be sent."""
    column = "mod" if table in ("notes", "cards") else "mtime_secs"
    device.run_sql(f"update {table} set {column} = ?, usn = -1 where id = ?", seconds, object_id)
    reload(device)


def change_flag(device, word):
    cid = device.col.find_cards("one")[0]
    device.col.set_user_flag_for_cards(1 + len(word) % 2, [cid])
    stamp(device, "cards", cid)


def change_review(device, word):
    cid = device.col.find_cards("two")[0]
    device.review(cid, 4 if word == "a" else 3)
    stamp(device, "cards", cid)


def change_note(device, word):
    nid = device.col.find_notes("one")[0]
    device.edit_note(nid, Back=word)
    stamp(device, "notes", nid)


def change_note_tags(device, word):
    note = device.col.get_note(device.col.find_notes("two")[0])
    note.tags = [word]
    device.col.update_note(note)
    stamp(device, "notes", note.id)


def change_deck(device, word):
    deck = device.col.decks.by_name("Languages::Verbs")
    deck["desc"] = word
    device.col.decks.save(deck)
    stamp(device, "decks", deck["id"])


def change_deck_name(device, word):
    did = device.col.get_note(device.col.find_notes("gehen")[0]).cards()[0].did
    device.col.decks.rename(did, f"Languages::{word}")
    stamp(device, "decks", did)


def change_options(device, word):
    options = device.col.decks.get_config(1)
    options["rev"]["perDay"] = 10 + len(word)
    device.col.decks.update_config(options)
    stamp(device, "deck_config", 1)


def change_notetype(device, word):
    notetype = device.col.models.by_name("Basic")
    notetype["css"] = word
    device.col.models.update_dict(notetype)
    stamp(device, "notetypes", notetype["id"])


def change_notetype_name(device, word):
    notetype = device.col.get_note(device.col.find_notes("one")[0]).note_type()
    notetype["name"] = f"Basic {word}"
    device.col.models.update_dict(notetype)
    stamp(device, "notetypes", notetype["id"])


CHANGES = [
    change_flag,
    change_review,
    change_note,
    change_note_tags,
    change_deck,
    change_deck_name,
    change_options,
    change_notetype,
    change_notetype_name,
]
each_change = pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.__name__)


@each_change
def test_on_two_devices(group: Group, turns, change):
    change(turns[0], "a")
    change(turns[1], "bb")
    group.must_become_equal(*turns)


@each_change
def test_on_three_devices(group: Group, change):
    for device, word in zip(group.devices, ("a", "bb", "ccc")):
        change(device, word)
    group.must_become_equal()


@each_change
def test_again_after_the_first_met(group: Group, turns, change):
    """The second change comes when the first is known, still in the same second."""
    change(turns[0], "a")
    turns[0].sync()
    turns[1].sync()
    change(turns[1], "bb")
    group.must_become_equal(turns[1], turns[0])
