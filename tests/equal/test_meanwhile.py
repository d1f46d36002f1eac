"""Another device does something in the middle of a sync, an upload or a download."""

from __future__ import annotations

import json
import os
import threading
from contextlib import closing, suppress

import pytest
import requests
import zstandard
from anki.collection import Collection
from referee.device import FULL_SYNC, Device
from referee.dump import assert_same, logical_dump
from together import REFUSED, Group, in_thread

# The steps of a normal sync that sends a note and a deletion, in order.
STEPS = ["start", "applyGraves", "applyChanges", "chunk", "applyChunk", "sanityCheck2", "finish"]
each_step = pytest.mark.parametrize("step", STEPS)

BULK = 6 << 20  # bytes that do not compress: more than sockets and servers keep in flight
PIECE = 1 << 16
BUSY = 503


@pytest.fixture
def slow(group: Group, proxy) -> Device:
    """A device behind the proxy, with things to send: a note, a deck, a deletion."""
    device = group.make_device("slow", url=proxy.url)
    device.download()
    device.add_note("from the slow one", deck=device.deck("Slow"))
    device.col.remove_notes(device.col.find_notes("two"))
    group.devices.append(device)
    return device


def held(proxy, step, action):
    """Start `action` and wait until its request for `step` is at the proxy."""
    gate = proxy.hold(step)
    outcome = in_thread(action)
    gate.wait_for_arrival()
    return gate, outcome


def everybody_downloads(devices):
    for device in devices:
        device.download()


# A whole sync of another device in between


@each_step
def test_a_sync_in_the_middle_of_a_sync(group: Group, slow, proxy, step):
    """Whether the slow one is refused or not: all end with the work of both."""
    gate, outcome = held(proxy, step, slow.try_sync)
    group.first.add_note("from the quick one", deck=group.first.deck("Quick"))
    group.first.review(group.first.col.find_cards("one")[0])
    group.first.sync()
    gate.open()
    result = outcome()
    assert isinstance(result, REFUSED) or result == 0
    group.must_become_equal(slow)
    assert group.third.col.find_notes('"from the slow one"')
    assert group.third.col.find_notes('"from the quick one"')
    assert not group.third.col.find_notes("two")


def test_two_syncs_between_meta_and_start(group: Group, slow, proxy):
    gate, outcome = held(proxy, "start", slow.try_sync)
    for device in (group.first, group.second):
        device.add_note(f"by {device.path.parent.name}", tags=[device.path.parent.name])
        device.edit_note(device.col.find_notes("one")[0], Back=device.path.parent.name)
        device.sync()
    gate.open()
    outcome()
    group.must_become_equal(slow)
    assert len(group.third.col.find_notes("by*")) == 2


def test_the_same_note_between_meta_and_start(group: Group, slow, proxy):
    nid = slow.col.find_notes("one")[0]
    slow.edit_note(nid, Back="slow")
    gate, outcome = held(proxy, "start", slow.try_sync)
    group.first.edit_note(nid, Back="quick")
    group.first.sync()
    gate.open()
    outcome()
    group.must_become_equal(slow)


def test_the_same_deck_name_between_meta_and_start(group: Group, slow, proxy):
    gate, outcome = held(proxy, "start", slow.try_sync)
    group.first.add_note("also", deck=group.first.deck("slow"))
    group.first.sync()
    gate.open()
    outcome()
    group.must_become_equal(slow)


# An upload of another device in between


@each_step
def test_an_upload_in_the_middle_of_a_sync(group: Group, slow, proxy, step):
    """The upload counts, whole; the slow one is refused and then has to choose."""
    gate, outcome = held(proxy, step, slow.try_sync)
    group.first.add_note("uploaded")
    group.first.upload()
    wanted = group.first.dump()
    gate.open()
    assert isinstance(outcome(), REFUSED)
    assert slow.try_sync() == FULL_SYNC
    everybody_downloads([slow, group.second, group.third])
    group.must_become_equal(slow)
    assert_same(wanted, slow.dump())


def test_a_download_in_the_middle_of_a_sync(group: Group, slow, proxy):
    gate, outcome = held(proxy, "applyChunk", slow.try_sync)
    late = group.make_device("late")
    late.download()
    group.devices.append(late)
    gate.open()
    outcome()
    group.must_become_equal(slow)
    assert late.col.find_notes('"from the slow one"')


def test_syncs_while_an_upload_is_at_the_door(group: Group, slow, proxy):
    """The slow device uploads; the others sync while its file is held at the door."""
    gate, outcome = held(proxy, "upload", slow.upload)
    group.first.add_note("from the quick one")
    group.first.sync()
    group.second.sync()
    gate.open()
    assert outcome() is None
    wanted = slow.dump()
    everybody_downloads([group.first, group.second, group.third])
    group.must_become_equal(slow)
    assert_same(wanted, group.third.dump())


def test_two_uploads_at_once(group: Group):
    """One of them counts, whole."""
    devices = [group.first, group.second]
    for device in devices:
        device.add_note(f"by {device.path.parent.name} " + os.urandom(1 << 19).hex())
    outcomes = [in_thread(device.upload) for device in devices]
    results = [outcome() for outcome in outcomes]
    assert None in results, results
    group.third.download()
    assert group.third.dump() in [device.dump() for device in devices]
    losers = [device for device in devices if device.dump() != group.third.dump()]
    assert len(losers) == 1
    losers[0].download()
    group.must_become_equal()


# Downloads while others write


@pytest.fixture
def bulky(group: Group) -> Group:
    """The group, with a collection that takes a while to send."""
    for _ in range(12):
        group.first.add_note("bulk", os.urandom(BULK // 24).hex())
    group.first.upload()
    for device in (group.second, group.third):
        device.download()
    return group


class Busy(Exception):
    """The server may refuse a user who asks for much at once."""


class SlowReader:
    """A download by hand that stops reading when the first bytes have come."""

    def __init__(self, account, folder) -> None:
        wire = account.wire()
        self.path = folder / f"{wire.skey}.anki2"
        self.answer = requests.post(
            wire.endpoint("download"),
            data=zstandard.compress(b"{}"),
            headers={"anki-sync": json.dumps(wire.header())},
            stream=True,
            timeout=60,
        )
        if self.answer.status_code == BUSY:
            raise Busy
        assert self.answer.status_code == 200
        self.start = self.answer.raw.read(PIECE)

    def finish(self) -> dict:
        """Read the rest; what the file holds."""
        data = self.start + self.answer.raw.read()
        plain = zstandard.ZstdDecompressor().decompressobj().decompress(data)
        assert len(plain) == int(self.answer.headers["anki-original-size"])
        self.path.write_bytes(plain)
        with closing(Collection(str(self.path))) as col:
            assert col.db.scalar("pragma integrity_check") == "ok"
            return logical_dump(col)


def test_a_sync_in_the_middle_of_a_download(bulky: Group, account, tmp_path):
    """Each download is the collection of one moment."""
    before = bulky.first.dump()
    early = SlowReader(account, tmp_path)
    bulky.first.add_note("while they download", os.urandom(1 << 18).hex())
    bulky.first.col.remove_notes(bulky.first.col.find_notes("two"))
    bulky.first.sync()
    between = bulky.first.dump()
    late = SlowReader(account, tmp_path)
    bulky.second.sync()
    bulky.second.edit_note(bulky.second.col.find_notes("one")[0], Back="edited")
    bulky.second.sync()
    assert_same(before, early.finish())
    assert_same(between, late.finish())
    bulky.must_become_equal()


def test_an_upload_in_the_middle_of_a_download(bulky: Group, account, tmp_path):
    before = bulky.first.dump()
    early = SlowReader(account, tmp_path)
    bulky.second.add_note("uploaded")
    bulky.second.upload()
    assert_same(before, early.finish())
    late = SlowReader(account, tmp_path)
    assert_same(bulky.second.dump(), late.finish())
    everybody_downloads([bulky.first, bulky.third])
    bulky.must_become_equal()


def test_downloads_all_the_while(bulky: Group, account, tmp_path):
    """Whatever moment a download catches, it is a state between two syncs."""
    states, stop = [bulky.first.dump()], threading.Event()

    def read_on() -> list[dict]:
        found = []
        while not stop.is_set():
            with suppress(Busy):
                found.append(SlowReader(account, tmp_path).finish())
        return found

    readers = [in_thread(read_on) for _ in range(2)]
    for number in range(6):
        bulky.first.add_note(f"note {number}", os.urandom(1 << 14).hex())
        while isinstance(sync_or_refusal(bulky.first), REFUSED):
            pass
        states.append(bulky.first.dump())
    stop.set()
    for reader in readers:
        found = reader()
        assert isinstance(found, list), found
        assert all(state in states for state in found)
    bulky.must_become_equal()


def sync_or_refusal(device):
    """A download ends whatever sync is going on, so a sync may have to be repeated."""
    try:
        return device.sync()
    except REFUSED as refusal:
        return refusal
