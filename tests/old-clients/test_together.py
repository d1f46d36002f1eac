"""An old client and the newest one share an account, and neither notices the other."""

from __future__ import annotations

from collections.abc import Callable

from old_device import NO_CHANGES, OldDevice, assert_agree
from referee.device import Device
from referee.dump import assert_same
from referee.seeds import seed_rich, seed_small

MakeOld = Callable[[str], OldDevice]
MakeNew = Callable[[str], Device]


def settle(*devices: OldDevice | Device) -> None:
    for device in (*devices, *devices[:-1]):
        device.sync()
    assert_agree(*devices)


def test_newest_then_old_then_newest(make_new: MakeNew, make_old: MakeOld) -> None:
    """What the newest client made goes to an old one, is changed there, and comes back: nothing is lost."""
    new, other = make_new("new"), make_new("other")
    seed_rich(new)
    new.upload()
    other.download()
    old = make_old("old")
    old.download()
    assert_agree(new, old)
    before = other.dump()

    nid = old.add_note("from the old one", "alt", deck="Old::Deck", tags=["old"])
    changed = new.col.find_notes("two")[0]
    old.tell("edit_note", nid=changed, front="two, changed", tags=None)
    old.tell("set_config", key="from the old one", value={"a": 1})
    old.review("front:two*", 3)
    old.sync()

    other.sync()
    after = other.dump()
    assert after["notes"][nid]["flds"].startswith("from the old one")
    assert after["notes"][changed]["flds"].startswith("two, changed")
    assert after["config"]["from the old one"] == {"a": 1}
    new.sync()
    assert_same(after, new.dump())
    assert_agree(other, new, old)
    # Everything else is as it was.
    for table in ("notes", "cards", "decks", "deck options", "notetypes"):
        for key, value in before[table].items():
            if key != changed and not _touched(before, table, key, changed):
                assert after[table][key] == value, f"{table} {key}"
    assert before["tags"].items() <= after["tags"].items()
    missing = before["config"].keys() - after["config"].keys()
    assert not missing


def _touched(dump: dict, table: str, key: int, nid: int) -> bool:
    """Cards of the note that was reviewed, and their deck, which counts the reviews of the day."""
    cards = [card for card in dump["cards"].values() if card["nid"] == nid]
    dids = {card["did"] for card in cards} | {card["odid"] for card in cards}
    return (table == "cards" and key in {card["id"] for card in cards}) or (
        table == "decks" and key in dids
    )


def test_old_then_newest(make_new: MakeNew, make_old: MakeOld) -> None:
    old = make_old("old")
    old.add_notes([f"note {n}" for n in range(20)], deck="A::B")
    old.tell("add_options", name="Mine", changes={"new": {"perDay": 5}})
    old.tell("filtered_deck", name="Cram", search="deck:A*")
    old.upload()
    new = make_new("new")
    new.download()
    assert_agree(old, new)
    settle(old, new)


def test_taking_turns(make_new: MakeNew, make_old: MakeOld) -> None:
    new, old = make_new("new"), make_old("old")
    seed_small(new)
    new.upload()
    old.download()
    for turn in range(4):
        old.add_note(f"old {turn}", deck=f"Turn {turn}", tags=[f"tag{turn}"])
        old.review("is:due or is:new", 3)
        settle(old, new)
        added = new.add_note(f"new {turn}", deck=new.deck(f"Turn {turn}::Inner"))
        new.review(added.card_ids()[0])
        settle(new, old)
        old.tell("remove_notes", nids=list(new.col.find_notes(f"new {turn}")))
        new.col.remove_notes(new.col.find_notes(f"old {turn}"))
        settle(old, new)


def test_both_changed(make_new: MakeNew, make_old: MakeOld) -> None:
    new, old = make_new("new"), make_old("old")
    seed_small(new)
    new.upload()
    old.download()
    nids = [new.col.find_notes(front)[0] for front in ("one", "two")]
    old.tell("edit_note", nid=nids[0], front="one, old", tags=None)
    new.edit_note(nids[1], Front="two, new")
    new.add_note("only in new")
    old.add_note("only in old")
    settle(old, new)
    assert new.col.get_note(nids[0])["Front"] == "one, old"
    assert new.col.get_note(nids[1])["Front"] == "two, new"


def test_options_of_the_newest_survive(make_new: MakeNew, make_old: MakeOld) -> None:
    """Settings that the old client has never heard of come back when it changes the same object."""
    new, old = make_new("new"), make_old("old")
    seed_small(new)
    decks = new.col.decks
    options = decks.add_config("Modern")
    options["fsrsParams6"] = [float(n) + 0.5 for n in range(21)]
    options["desiredRetention"] = 0.85
    options["easyDaysPercentages"] = [1.0, 0.5, 1.0, 1.0, 0.0, 1.0, 1.0]
    options["an add-on's"] = {"key": [1, "x"]}
    decks.update_config(options)
    deck = decks.get(new.deck("Languages"))
    deck["newLimit"] = 7
    deck["desiredRetention"] = 91
    deck["an add-on's"] = True
    decks.save(deck)
    decks.set_config_id_for_deck_dict(deck, options["id"])
    new.upload()
    old.download()
    before = new.dump()
    old.tell("change_options", oid=options["id"], changes={"maxTaken": 33})
    old.tell("change_deck", did=deck["id"], changes={"desc": "from the old one"})
    old.sync()
    new.sync()
    after = new.dump()
    expected = before["deck options"][options["id"]] | {"maxTaken": 33}
    assert _without_mod(after["deck options"][options["id"]]) == _without_mod(expected)
    expected = before["decks"][deck["id"]] | {"desc": "from the old one"}
    assert _without_mod(after["decks"][deck["id"]]) == _without_mod(expected)
    assert not new.problems()


def _without_mod(found: dict) -> dict:
    return {key: value for key, value in found.items() if key != "mod"}


def test_full_upload_of_the_old_client(make_new: MakeNew, make_old: MakeOld) -> None:
    """Down as schema 11 and up again: what schema 11 holds is not lost."""
    new, old, other = make_new("new"), make_old("old"), make_new("other")
    seed_rich(new)
    new.upload()
    old.download()
    before = new.dump()
    old.tell("add_field", notetype="Basic", name="Extra")
    assert old.try_sync()[0] != NO_CHANGES
    old.upload()
    other.download()
    after = other.dump()
    assert after["revlog"] == before["revlog"]
    assert after["cards"] == before["cards"]
    assert after["decks"] == before["decks"]
    assert after["deck options"] == before["deck options"]
    assert after["tags"] == before["tags"]
    assert after["config"] == before["config"]
    assert_agree(other, old)
    other.add_note("afterwards", notetype="Basic")
    settle(other, old)


def test_filtered_deck_across(make_new: MakeNew, make_old: MakeOld) -> None:
    new, old = make_new("new"), make_old("old")
    seed_small(new)
    new.upload()
    old.download()
    did = old.tell("filtered_deck", name="Cram", search="tag:numbers")
    settle(old, new)
    for cid in new.col.find_cards("deck:Cram"):
        new.review(cid)
    settle(new, old)
    new.col.sched.empty_filtered_deck(did)
    settle(new, old)
    old.tell("remove_decks", dids=[did])
    settle(old, new)


def test_deletions_across(make_new: MakeNew, make_old: MakeOld) -> None:
    new, old = make_new("new"), make_old("old")
    seed_small(new)
    gone = [new.add_note(f"gone {n}", deck=new.deck("Gone")).id for n in range(6)]
    new.upload()
    old.download()
    new.col.remove_notes(gone[:2])
    old.tell("remove_notes", nids=gone[2:4])
    settle(old, new)
    old.tell("remove_decks", dids=[new.deck("Gone")])
    settle(old, new)
    new.col.decks.remove([new.deck("Languages")])
    settle(new, old)


def test_media_across(make_new: MakeNew, make_old: MakeOld) -> None:
    new, old = make_new("new"), make_old("old")
    old.write_media("von alt ä.txt", b"old")
    new.write_media("from new.txt", b"new")
    for device in (old, new, old):
        device.sync_media()
    assert old.media() == new.media() and len(new.media()) == 2
    new.delete_media("von alt ä.txt")
    old.write_media("from new.txt", b"changed by old")
    for device in (new, old, new):
        device.sync_media()
    assert old.media() == new.media() and len(new.media()) == 1
