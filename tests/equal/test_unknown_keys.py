"""JSON keys that Anki does not know, as add-ons set them, survive every way through the server."""

from __future__ import annotations

import pytest
from referee.dump import assert_same
from referee.seeds import add_custom_notetype
from together import Group

ADDED = {
    "text": "ünïcode \u0000\u2028 \\ \" 😀",
    "numbers": [0, -1, 2**53, 2**62, 0.1, 1e300, 1.0],
    "nested": {"a": {"b": [[], {}, [None, True, False]]}, "": "empty key"},
    "null": None,
}


def add_keys(device):
    """Unknown keys on everything that can carry them."""
    add_custom_notetype(device, "Extended")
    col = device.col
    notetype = col.models.by_name("Extended")
    notetype["addonModel"] = ADDED
    for part in notetype["flds"] + notetype["tmpls"]:
        part["addonPart"] = {"of": part["name"], **ADDED}
    col.models.update_dict(notetype)
    deck = col.decks.get(device.deck("Extended"))
    deck["addonDeck"] = ADDED
    col.decks.save(deck)
    filtered = col.decks.get(col.decks.new_filtered("Extended filtered"))
    filtered["addonFiltered"] = ADDED
    col.decks.save(filtered)
    device.wait_past_ids()
    options = col.decks.add_config("Extended")
    options["addonOptions"] = ADDED
    for part in ("new", "rev", "lapse"):
        options[part]["addonPart"] = {"of": part, **ADDED}
    col.decks.update_config(options)
    col.set_config("addonConfig", ADDED)
    device.wait_past_ids()


def must_have_keys(device, expected):
    dump = device.dump()
    assert_same(expected, dump)
    text = repr(dump)
    for key in ("addonModel", "addonDeck", "addonFiltered", "addonOptions", "addonConfig"):
        assert text.count(key) == 1, key
    assert text.count("addonPart") == 4 + 2 + 3


def test_by_sync(group: Group):
    add_keys(group.first)
    wanted = group.first.dump()
    must_have_keys(group.first, wanted)
    group.must_become_equal()
    must_have_keys(group.third, wanted)


def test_by_sync_and_download(group: Group):
    add_keys(group.first)
    wanted = group.first.dump()
    group.first.sync()
    late = group.make_device("late")
    late.download()
    must_have_keys(late, wanted)


def test_by_upload_and_download(group: Group):
    add_keys(group.first)
    group.first.upload()
    wanted = group.first.dump()
    group.second.download()
    must_have_keys(group.second, wanted)


def test_by_upload_and_sync(group: Group):
    """The server sends on what it only knows from an upload, after somebody touched it."""
    add_keys(group.first)
    group.first.upload()
    for device in (group.second, group.third):
        device.download()
    for device in (group.second,):
        deck = device.col.decks.by_name("Extended")
        deck["desc"] = "touched"
        device.col.decks.save(deck)
        notetype = device.col.models.by_name("Extended")
        notetype["css"] += " "
        device.col.models.update_dict(notetype)
        options = [c for c in device.col.decks.all_config() if c["name"] == "Extended"][0]
        options["new"]["perDay"] = 3
        device.col.decks.update_config(options)
    wanted = group.second.dump()
    group.must_become_equal(group.second)
    must_have_keys(group.third, wanted)


@pytest.mark.parametrize("spelling", ["addonDeck", "desc2", "Name", "id2"])
def test_a_key_goes_away_again(group: Group, spelling):
    """What the client no longer sends is gone everywhere."""
    deck = group.first.col.decks.get(1)
    deck[spelling] = "here"
    group.first.col.decks.save(deck)
    group.must_become_equal()
    assert group.third.col.decks.get(1)[spelling] == "here"
    deck = group.third.col.decks.get(1)
    del deck[spelling]
    group.third.col.decks.save(deck)
    group.must_become_equal(group.third)
    assert spelling not in group.first.col.decks.get(1)
