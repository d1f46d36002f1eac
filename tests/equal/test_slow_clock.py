"""A device whose clock is behind edits what it has just received: its edit is the last word.

Clients stop only when their clock is more than five minutes off, and compare whole seconds:
the edit carries an earlier time than the version it was made from.
"""

from __future__ import annotations

import pytest
from test_same_second import CHANGES, SECOND, stamp
from together import Group

BEHIND = 200
TABLES = {
    "flag": "cards",
    "review": "cards",
    "note": "notes",
    "note_tags": "notes",
    "deck": "decks",
    "deck_name": "decks",
    "options": "deck_config",
    "notetype": "notetypes",
    "notetype_name": "notetypes",
}


def table_of(change):
    return TABLES[change.__name__.removeprefix("change_")]


def set_back(device, table):
    """Everything that waits to be sent was changed by a clock that is behind."""
    column = "mod" if table in ("notes", "cards") else "mtime_secs"
    changed = device.col.db.list(f"select id from {table} where usn = -1 and {column} = {SECOND}")
    for object_id in changed:
        stamp(device, table, object_id, SECOND - BEHIND)
    assert changed


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.__name__)
def test_edit_of_what_was_received(group: Group, turns, change):
    change(turns[0], "a")
    turns[0].sync()
    turns[1].sync()
    change(turns[1], "bb")
    set_back(turns[1], table_of(change))
    wanted = state(turns[1], change)
    group.must_become_equal(turns[1], turns[0])
    assert state(turns[0], change) == wanted


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.__name__)
def test_edit_of_its_own_edit(group: Group, change):
    """The clock was put right in between, backwards."""
    change(group.first, "a")
    group.first.sync()
    change(group.first, "bb")
    set_back(group.first, table_of(change))
    wanted = state(group.first, change)
    group.must_become_equal()
    assert state(group.third, change) == wanted


def state(device, change):
    """What the changes of this suite set, without times."""
    dump = device.dump()
    kind = {"deck_config": "deck options"}.get(table_of(change), table_of(change))
    return {
        object_id: {name: value for name, value in found.items() if name != "mod"}
        for object_id, found in dump[kind].items()
    }
