"""Objects of one name, made on several devices: all keep both, under the same names."""

from __future__ import annotations

import pytest
from referee.seeds import add_custom_notetype
from together import Group

# How two devices may spell a name that is one name to Anki.
SPELLINGS = [
    ("Clash", "Clash"),
    ("Clash", "cLASH"),
    ("Straße", "STRASSE"),
    ("Ünïcode", "üNÏCODE"),
    ("Ἀθῆναι", "ἀθῆναι"),
]
each_spelling = pytest.mark.parametrize("names", SPELLINGS, ids="/".join)
some_spellings = pytest.mark.parametrize("names", SPELLINGS[:2], ids="/".join)


def fill(device, deck_name, text):
    """A deck with a card in it."""
    device.add_note(text, deck=device.deck(deck_name))


def names_of_decks(device):
    return sorted(deck["name"] for deck in device.col.decks.all())


@each_spelling
def test_decks(group: Group, turns, names):
    for device, name in zip(turns, names):
        fill(device, name, f"by {device.path.parent.name}")
    group.must_become_equal(*turns)
    assert len(names_of_decks(group.third)) == 3 + 2


@some_spellings
def test_sub_decks_of_one_parent(group: Group, turns, names):
    for device, name in zip(turns, names):
        fill(device, f"Languages::{name}", f"by {device.path.parent.name}")
    group.must_become_equal(*turns)
    assert len(names_of_decks(group.third)) == 3 + 2


@some_spellings
def test_whole_trees(group: Group, turns, names):
    """The decks between are of one name, too."""
    for device, name in zip(turns, names):
        fill(device, f"{name}::same::{name}", f"by {device.path.parent.name}")
        fill(device, f"{name}::only {device.path.parent.name}", "alone")
    group.must_become_equal(*turns)


def test_parent_made_by_one_and_implied_by_the_other(group: Group, turns):
    fill(turns[0], "Parent", "in the parent")
    fill(turns[1], "Parent::Child", "in the child")
    group.must_become_equal(*turns)


def test_decks_on_three_devices(group: Group):
    for device, name in zip(group.devices, ("Clash", "clash", "CLASH")):
        fill(device, name, f"by {device.path.parent.name}")
        fill(device, f"{name}::Sub", f"below {device.path.parent.name}")
    group.must_become_equal()
    assert len(names_of_decks(group.first)) == 3 + 6


def test_decks_on_three_devices_and_the_name_with_a_plus(group: Group):
    """The name that a renamed deck would get is taken already."""
    for device, names in zip(group.devices, (["X", "X+"], ["x", "x++"], ["X+", "X"])):
        for name in names:
            fill(device, name, f"{name} by {device.path.parent.name}")
    group.must_become_equal()
    assert len(names_of_decks(group.first)) == 3 + 6


def test_filtered_and_normal_deck(group: Group, turns):
    decks = turns[0].col.decks
    filtered = decks.get(decks.new_filtered("Clash"))
    filtered["terms"] = [["tag:numbers", 10, 0]]
    decks.save(filtered)
    turns[0].col.sched.rebuild_filtered_deck(filtered["id"])
    turns[0].wait_past_ids()
    fill(turns[1], "Clash", "normal")
    group.must_become_equal(*turns)


def test_new_deck_has_the_name_of_a_renamed_one(group: Group, turns):
    did = turns[0].col.decks.id_for_name("Languages::Verbs")
    turns[0].col.decks.rename(did, "Languages::Nouns")
    fill(turns[1], "Languages::Nouns", "new")
    group.must_become_equal(*turns)


def test_two_decks_renamed_to_one_name(group: Group, turns):
    group.first.deck("One"), group.first.deck("Two")
    group.must_become_equal()
    for device, name in zip(turns, ("One", "Two")):
        device.col.decks.rename(device.col.decks.id_for_name(name), "Goal")
    group.must_become_equal(*turns)
    assert "Goal" in names_of_decks(group.third)


def test_clash_and_a_deletion(group: Group, turns):
    """One device deletes its deck of that name as soon as it has learned of the other."""
    for device in turns:
        fill(device, "Clash", f"by {device.path.parent.name}")
    own = turns[1].col.decks.id_for_name("Clash")
    turns[0].sync()
    turns[1].sync()
    turns[1].col.decks.remove([own])
    group.must_become_equal(turns[1], turns[0])
    assert len(names_of_decks(group.third)) == 3 + 1


def test_clash_is_edited_by_the_one_who_lost_its_name(group: Group, turns):
    """Both devices go on working with their deck while the news are on their way."""
    dids = {}
    for device in turns:
        fill(device, "Clash", f"by {device.path.parent.name}")
        dids[device] = device.col.decks.id_for_name("Clash")
    turns[0].sync()
    turns[1].sync()
    for device in turns:
        deck = device.col.decks.get(dids[device])
        deck["desc"] = f"edited by {device.path.parent.name}"
        device.col.decks.save(deck)
    group.must_become_equal(*turns)


@each_spelling
def test_notetypes(group: Group, turns, names):
    for device, name in zip(turns, names):
        add_custom_notetype(device, name)
        device.add_note(f"by {device.path.parent.name}", notetype=name)
    group.must_become_equal(*turns)
    assert len(group.third.col.models.all()) == 6 + 2


def test_notetypes_on_three_devices(group: Group):
    for device, name in zip(group.devices, ("Clash", "clash", "CLASH")):
        add_custom_notetype(device, name)
        device.add_note(f"by {device.path.parent.name}", notetype=name)
    group.must_become_equal()
    assert len(group.first.col.models.all()) == 6 + 3


def test_notetype_renamed_to_the_name_of_a_new_one(group: Group, turns):
    notetype = turns[0].col.models.by_name("Cloze")
    notetype["name"] = "Gaps"
    turns[0].col.models.update_dict(notetype)
    add_custom_notetype(turns[1], "gaps")
    turns[1].add_note("word", notetype="gaps")
    group.must_become_equal(*turns)


def test_option_groups_may_share_a_name(group: Group, turns):
    for device in turns:
        device.col.decks.add_config("Intensive")
        device.wait_past_ids()
    group.must_become_equal(*turns)
    assert len([c for c in group.third.col.decks.all_config() if c["name"] == "Intensive"]) == 2
