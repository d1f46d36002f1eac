"""Names that pass from one object to another reach the other devices as they are."""

from __future__ import annotations

import pytest
from referee.seeds import add_custom_notetype
from together import Group

DECKS = ["A", "B", "C"]

# Who gets which name; the steps that a user takes for it.
MOVES = {
    "chain": [("B", "C2"), ("A", "B")],
    "long chain": [("C", "D"), ("B", "C"), ("A", "B")],
    "swap": [("A", "tmp"), ("B", "A"), ("tmp", "B")],
    "ring": [("A", "tmp"), ("C", "A"), ("B", "C"), ("tmp", "B")],
    "ring the other way": [("A", "tmp"), ("B", "A"), ("C", "B"), ("tmp", "C")],
    "new case": [("A", "tmp"), ("tmp", "a"), ("B", "tmp"), ("tmp", "b")],
}
each_move = pytest.mark.parametrize("move", MOVES)


class Decks:
    """Decks A, B and C, each with a sub-deck and cards."""

    @staticmethod
    def make(device, name):
        device.add_note(f"in {name}", deck=device.deck(name))

    @staticmethod
    def make_all(device):
        for name in DECKS:
            Decks.make(device, name)
            Decks.make(device, f"{name}::Sub")

    @staticmethod
    def rename(device, old, new):
        device.col.decks.rename(device.col.decks.id_for_name(old), new)

    @staticmethod
    def names(device):
        return {d["id"]: d["name"] for d in device.col.decks.all()}


class Notetypes:
    """Note types A, B and C, each with a note."""

    @staticmethod
    def make(device, name):
        add_custom_notetype(device, name)
        device.add_note(f"of {name}", notetype=name)

    @staticmethod
    def make_all(device):
        for name in DECKS:
            Notetypes.make(device, name)

    @staticmethod
    def rename(device, old, new):
        notetype = device.col.models.by_name(old)
        notetype["name"] = new
        device.col.models.update_dict(notetype)

    @staticmethod
    def names(device):
        return {n["id"]: n["name"] for n in device.col.models.all()}


@pytest.fixture(params=[Decks, Notetypes], ids=lambda kind: kind.__name__.lower())
def kind(request, group: Group):
    """Decks or note types, known to all devices."""
    request.param.make_all(group.first)
    group.must_become_equal()
    return request.param


def pass_on_names(kind, device, move):
    for old, new in MOVES[move]:
        kind.rename(device, old, new)
    return kind.names(device)


@each_move
def test_alone(group: Group, kind, move):
    """Nobody else made anything: every device has exactly the author's names."""
    wanted = pass_on_names(kind, group.second, move)
    group.must_become_equal(group.second)
    assert kind.names(group.first) == kind.names(group.third) == wanted


@each_move
def test_the_way_back(group: Group, kind, move):
    """What was passed on is passed back on another device."""
    before = kind.names(group.first)
    pass_on_names(kind, group.second, move)
    group.must_become_equal(group.second)
    for old, new in reversed(MOVES[move]):
        kind.rename(group.third, new, old)
    group.must_become_equal(group.third)
    assert kind.names(group.first) == before


@pytest.mark.parametrize("move", ["long chain", "swap", "ring"])
@pytest.mark.parametrize("newcomer", ["B", "d"])
def test_a_newcomer_takes_one_of_the_names(group: Group, kind, turns, move, newcomer):
    """Another device makes an object under one of the names at the same time."""
    pass_on_names(kind, turns[0], move)
    name = newcomer if newcomer not in kind.names(turns[1]).values() else f"{newcomer}1"
    kind.make(turns[1], name)
    if name != newcomer:
        taken = f"{newcomer} before"
        kind.rename(turns[1], newcomer, taken)
        kind.rename(turns[1], name, newcomer)
    group.must_become_equal(*turns)


@pytest.mark.parametrize("moves", [("swap", "ring"), ("chain", "swap"), ("ring", "chain")])
def test_both_devices_pass_names_on(group: Group, kind, turns, moves):
    for device, move in zip(turns, moves):
        pass_on_names(kind, device, move)
    group.must_become_equal(*turns)


@each_move
def test_over_two_syncs(group: Group, kind, move):
    """One reader syncs between the steps, another only at the end."""
    for old, new in MOVES[move]:
        kind.rename(group.second, old, new)
        group.second.sync()
        group.first.sync()
    wanted = kind.names(group.second)
    group.must_become_equal()
    assert kind.names(group.third) == kind.names(group.first) == wanted
