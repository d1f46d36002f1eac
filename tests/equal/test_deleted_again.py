"""Something is deleted, comes back under its old id, and is deleted again.

A client of today does not send a deletion twice: it remembers the first (also one that it
received, or downloaded), and its memory takes one entry for an id. Older ones, whose graves
had no unique key, do send it. `forgetful` makes a device one of these.
"""

from __future__ import annotations

import pytest
from together import Group, reload

COLUMNS = {"notes": 11, "cards": 18, "decks": 6}


def save_rows(device, note_id):
    """The rows of a note and its cards, as an export would hold them."""
    db = device.col.db
    return {
        "notes": db.all("select * from notes where id = ?", note_id),
        "cards": db.all("select * from cards where nid = ?", note_id),
    }


def bring_back(device, rows):
    """Insert rows with their old ids, as an import does; they wait to be sent."""
    for table, found in rows.items():
        marks = ",".join("?" * COLUMNS[table])
        for row in found:
            device.run_sql(f"insert into {table} values ({marks})", *row)
            device.run_sql(f"update {table} set usn = -1 where id = ?", row[0])
    reload(device)


def forgetful(device):
    """Let a device forget the deletions that it knows."""
    device.run_sql("delete from graves")
    return device


def note_is_gone(group, nid):
    for device in group.devices:
        assert not device.col.find_notes(f"nid:{nid}")
        assert not device.col.db.scalar("select count() from cards where nid = ?", nid)


@pytest.fixture
def gone(group: Group):
    """A note that everybody has had, and nobody has any more; its rows."""
    nid = group.first.col.find_notes("one")[0]
    rows = save_rows(group.first, nid)
    group.first.col.remove_notes([nid])
    group.must_become_equal()
    return nid, rows


def test_note_comes_back_and_goes_again(group: Group, gone, turns):
    nid, rows = gone
    bring_back(turns[0], rows)
    group.must_become_equal(turns[0])
    assert turns[1].col.find_notes("one") == [nid]
    forgetful(turns[1]).col.remove_notes([nid])
    group.must_become_equal(turns[1])
    note_is_gone(group, nid)


def test_several_times_over(group: Group, gone):
    nid, rows = gone
    for device in group.devices:
        bring_back(device, rows)
        group.must_become_equal(device)
        forgetful(device).col.remove_notes([nid])
        group.must_become_equal(device)
        note_is_gone(group, nid)


def test_a_newcomer_sees_all_of_it(group: Group, gone):
    """A device downloads between the deletions."""
    nid, rows = gone
    bring_back(group.second, rows)
    group.must_become_equal(group.second)
    group.devices.append(group.make_device("late"))
    group.devices[-1].download()
    forgetful(group.first).col.remove_notes([nid])
    group.must_become_equal(group.first)
    note_is_gone(group, nid)


def test_deck_comes_back_and_goes_again(group: Group, turns):
    did = group.first.deck("Passing")
    group.must_become_equal()
    row = group.first.col.db.all("select * from decks where id = ?", did)
    group.first.col.decks.remove([did])
    group.must_become_equal()
    bring_back(turns[0], {"decks": row})
    group.must_become_equal(turns[0])
    assert turns[1].col.decks.get(did, default=False)
    forgetful(turns[1]).col.decks.remove([did])
    group.must_become_equal(turns[1])
    for device in group.devices:
        assert not device.col.decks.get(did, default=False)


def test_back_and_gone_within_one_sync(group: Group, gone):
    nid, rows = gone
    bring_back(group.second, rows)
    forgetful(group.second).col.remove_notes([nid])
    group.must_become_equal(group.second)
    note_is_gone(group, nid)


def test_gone_and_back_within_one_sync(group: Group):
    """The deletion and the row with the same id travel together: the row stays."""
    nid = group.first.col.find_notes("one")[0]
    rows = save_rows(group.first, nid)
    group.first.col.remove_notes([nid])
    bring_back(group.first, rows)
    group.must_become_equal()
    assert group.third.col.find_notes("one") == [nid]


def test_edited_before_and_after_the_deletion(group: Group, turns):
    """Both know the note; one edits it again and again, one deletes it."""
    nid = group.first.col.find_notes("one")[0]
    turns[1].edit_note(nid, Back="edited")
    turns[1].sync()
    turns[0].col.remove_notes([nid])
    turns[1].edit_note(nid, Back="edited again")
    group.must_become_equal(*turns)


def test_card_deleted_while_reviewed(group: Group, turns):
    cid = group.first.col.find_cards("one")[0]
    turns[0].col.remove_notes_by_card([cid])
    turns[1].review(cid)
    group.must_become_equal(*turns)


def test_deck_deleted_while_filled(group: Group, turns):
    """A deck goes while another device puts a card into it."""
    did = group.first.deck("Passing")
    group.must_become_equal()
    turns[0].col.decks.remove([did])
    deck = turns[1].col.decks.get(did)
    deck["desc"] = "kept"
    turns[1].col.decks.save(deck)
    group.must_become_equal(*turns)
