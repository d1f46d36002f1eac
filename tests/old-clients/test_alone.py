"""Old clients among themselves: everything that they sync arrives."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from old_device import NO_CHANGES, OldClientError, OldDevice, assert_agree

MakeOld = Callable[[str], OldDevice]


@pytest.fixture
def pair(make_old: MakeOld) -> tuple[OldDevice, OldDevice]:
    """Two old devices in sync, with a few notes and a review."""
    first, second = make_old("first"), make_old("second")
    first.add_notes(["one", "two"], "eins", tags=["numbers"])
    first.add_note("to walk", "gehen", deck="Languages::Verbs")
    first.review("deck:Default is:new")
    first.upload()
    second.download()
    return first, second


def settle(first: OldDevice, second: OldDevice) -> None:
    """Both have seen everything, hold the same and are sound."""
    for device in (first, second, first):
        device.sync()
    assert_agree(first, second)


def test_login(make_old: MakeOld, account) -> None:
    device = make_old("first")
    with pytest.raises(OldClientError, match="incorrect|Incorrect"):
        device.tell("login", name=account.name, password="wrong")
    device.login()


def test_first_upload_and_download(make_old: MakeOld) -> None:
    first, second = make_old("first"), make_old("second")
    first.add_note("front <b>é</b>", "back", deck="Ä::B", tags=["t1", "t1::sub"])
    first.tell("set_config", key="mine", value={"nested": [1, 2.5, None, "ü"]})
    assert first.try_sync()[0] != NO_CHANGES
    first.upload()
    first.sync()
    assert second.try_sync()[0] != NO_CHANGES
    second.download()
    second.sync()
    assert_agree(first, second)


def test_changes_both_ways(pair: tuple[OldDevice, OldDevice]) -> None:
    first, second = pair
    nid = first.add_note("new here", "neu", deck="Made::Here", tags=["fresh"])
    first.tell("set_config", key="mine", value=[1])
    second.review("deck:Languages*", 4)
    second.add_note("new there", "dort", deck="Languages")
    settle(first, second)
    second.tell("edit_note", nid=nid, front="changed there", tags=["fresh", "changed"])
    second.tell("suspend", cids=second.tell("card_ids", search="one"))
    first.tell("bury", cids=first.tell("card_ids", search="two"))
    first.tell(
        "change_deck",
        did=first.tell("deck", name="Made::Here"),
        changes={"desc": "a <b>description</b>"},
    )
    settle(first, second)


def test_more_than_one_chunk(pair: tuple[OldDevice, OldDevice]) -> None:
    """Chunks have 250 rows: more than that, both ways at once, and a multiple of it."""
    first, second = pair
    first.add_notes([f"first {n}" for n in range(300)])
    second.add_notes([f"second {n}" for n in range(125)])
    settle(first, second)


def test_deletions(pair: tuple[OldDevice, OldDevice]) -> None:
    first, second = pair
    gone = first.add_notes([f"to be deleted {n}" for n in range(260)], deck="Gone")
    settle(first, second)
    first.tell("remove_notes", nids=gone[:255])
    second.tell("remove_notes", nids=gone[255:258])
    settle(first, second)
    second.tell("remove_decks", dids=[second.tell("deck", name="Gone")])
    settle(first, second)
    assert not first.tell("card_ids", search="to be deleted")


def test_deletion_against_edit(pair: tuple[OldDevice, OldDevice]) -> None:
    first, second = pair
    nid = first.add_note("fought over")
    settle(first, second)
    second.tell("edit_note", nid=nid, front="edited", tags=None)
    first.tell("remove_notes", nids=[nid])
    settle(first, second)


def test_option_groups(pair: tuple[OldDevice, OldDevice]) -> None:
    first, second = pair
    group = first.tell(
        "add_options", name="Slow", changes={"new": {"perDay": 3, "delays": [1.0, 15.0, 300.0]}}
    )
    first.tell("use_options", did=first.tell("deck", name="Languages"), oid=group)
    settle(first, second)
    second.tell(
        "change_options",
        oid=group,
        changes={"rev": {"maxIvl": 99}, "lapse": {"mult": 0.5}, "timer": 1},
    )
    second.tell("change_options", oid=1, changes={"new": {"initialFactor": 2100}})
    settle(first, second)


def test_filtered_decks(pair: tuple[OldDevice, OldDevice]) -> None:
    first, second = pair
    did = first.tell("filtered_deck", name="Cram", search="deck:Languages*")
    settle(first, second)
    second.review("deck:Cram")
    settle(first, second)
    second.tell("empty_filtered_deck", did=did)
    settle(first, second)
    first.tell("remove_decks", dids=[did])
    settle(first, second)


def test_notetypes(pair: tuple[OldDevice, OldDevice]) -> None:
    first, second = pair
    first.tell("change_notetype", name="Basic", changes={"css": ".card { color: #123456; }"})
    settle(first, second)
    first.tell("add_field", notetype="Basic", name="Extra")  # asks for a full sync
    assert first.try_sync()[0] != NO_CHANGES
    first.upload()
    assert second.try_sync()[0] != NO_CHANGES
    second.download()
    settle(first, second)


def test_media(pair: tuple[OldDevice, OldDevice]) -> None:
    first, second = pair
    first.write_media("bild ä.jpg", b"x" * 300_000)
    first.write_media("sound.mp3", b"y")
    second.write_media("other.png", b"z" * 1000)
    for device in (first, second, first):
        device.sync_media()
    assert first.media() == second.media() and len(first.media()) == 3
    first.write_media("sound.mp3", b"replaced")
    second.delete_media("other.png")
    second.write_media("another.png", b"w" * 10)
    for device in (first, second, first):
        device.sync_media()
    assert first.media() == second.media() and len(first.media()) == 3


def test_much_media(pair: tuple[OldDevice, OldDevice]) -> None:
    """More than one batch: 25 files or 2.5 MiB at a time."""
    first, second = pair
    for number in range(60):
        first.write_media(f"small {number}.txt", f"file {number}".encode())
    for number in range(5):
        first.write_media(f"large {number}.bin", bytes([number]) * 900_000)
    first.sync_media()
    second.sync_media()
    assert first.media() == second.media() and len(second.media()) == 65
    for number in range(0, 60, 2):
        second.delete_media(f"small {number}.txt")
    second.sync_media()
    first.sync_media()
    assert first.media() == second.media() and len(first.media()) == 35
