"""Answers that are lost, questions that are repeated, and strangers that talk in between."""

from __future__ import annotations

import pytest
from referee.device import Device
from together import REFUSED, Group, in_thread

STEPS = ["start", "applyGraves", "applyChanges", "chunk", "applyChunk", "sanityCheck2", "finish"]
each_step = pytest.mark.parametrize("step", STEPS)


@pytest.fixture
def shaky(group: Group, proxy) -> Device:
    """A device on a bad line, with things to send."""
    device = group.make_device("shaky", url=proxy.url)
    device.download()
    device.add_note("from the shaky one", deck=device.deck("Shaky"))
    device.col.remove_notes(device.col.find_notes("two"))
    device.review(device.col.find_cards("one")[0])
    group.devices.append(device)
    return device


def work(device):
    device.add_note(f"by {device.path.parent.name}", tags=["work"])
    word = {"first": "one", "second": "gehen"}[device.path.parent.name]
    device.edit_note(device.col.find_notes(word)[0], Back=f"gehen, {device.path.parent.name}")


@each_step
@pytest.mark.parametrize("others", [1, 2], ids=["one other", "two others"])
def test_lost_answer_then_another_device_syncs(group: Group, shaky, proxy, step, others):
    proxy.lose_answer(step)
    with pytest.raises(REFUSED):
        shaky.sync()
    for device in group.devices[:others]:
        work(device)
        device.sync()
    group.must_become_equal(shaky)
    assert group.third.col.find_notes('"from the shaky one"')
    assert not group.third.col.find_notes("two")


def test_lost_finish_then_changed_again(group: Group, shaky, proxy):
    """What the server has stored is changed on both sides before they meet again."""
    proxy.lose_answer("finish")
    with pytest.raises(REFUSED):
        shaky.sync()
    nid = shaky.col.find_notes('"from the shaky one"')[0]
    shaky.edit_note(nid, Back="again")
    group.first.sync()
    group.first.edit_note(nid, Back="by another")
    group.first.sync()
    group.must_become_equal(shaky)


def test_lost_finish_then_deleted(group: Group, shaky, proxy):
    proxy.lose_answer("finish")
    with pytest.raises(REFUSED):
        shaky.sync()
    nid = shaky.col.find_notes('"from the shaky one"')[0]
    group.first.sync()
    group.first.col.remove_notes([nid])
    group.first.sync()
    group.must_become_equal(shaky)


def test_lost_twice(group: Group, shaky, proxy):
    for step in ("finish", "sanityCheck2"):
        proxy.lose_answer(step)
        with pytest.raises(REFUSED):
            shaky.sync()
        group.first.sync()
    group.must_become_equal(shaky)


# Others who talk while a sync is going on


def while_held(proxy, step, action, meanwhile):
    """Do `meanwhile` when the request for `step` is at the proxy; the result of `action`."""
    gate = proxy.hold(step)
    outcome = in_thread(action)
    gate.wait_for_arrival()
    meanwhile()
    gate.open()
    return outcome()


@each_step
def test_another_device_asks_for_the_status(group: Group, shaky, proxy, step):
    """The sync button of another device asks `meta` now and then; that disturbs nobody."""

    def ask():
        for _ in range(3):
            assert group.account.wire().meta()["cont"]

    assert while_held(proxy, step, shaky.try_sync, ask) == 0
    group.must_become_equal(shaky)
    assert group.third.col.find_notes('"from the shaky one"')


@each_step
def test_a_stranger_aborts(group: Group, shaky, proxy, step):
    """A Cancel elsewhere, or the loser of a take-over, sends `abort` with another key."""

    def abort():
        assert group.account.wire().abort().ok

    assert while_held(proxy, step, shaky.try_sync, abort) == 0
    group.must_become_equal(shaky)
    assert group.third.col.find_notes('"from the shaky one"')


@each_step
def test_its_own_abort_is_late(group: Group, shaky, proxy, step):
    """The displaced device aborts with its own key while the other one is in the middle."""
    loser = group.account.wire()
    loser.meta()
    assert loser.start().ok

    def abort():
        assert loser.abort().ok

    assert while_held(proxy, step, shaky.try_sync, abort if step != "start" else loser.meta) == 0
    group.must_become_equal(shaky)


def test_meta_asked_again_by_the_same_key(group: Group, account):
    """A repeated question changes nothing."""
    wire = account.wire()
    answers = [wire.meta() for _ in range(3)]
    for answer in answers:
        answer.pop("ts")
    assert answers[0] == answers[1] == answers[2]
    assert wire.start(answers[0]["usn"]).ok
    wire.meta()
    empty = {"models": [], "decks": [[], []], "tags": []}
    assert wire.post("applyChanges", {"changes": empty}).ok
    assert wire.abort().ok
    group.must_become_equal()


def test_finish_asked_again(group: Group, account):
    """The mod of the first answer, as often as it is asked."""
    wire = account.wire()
    usn = wire.meta()["usn"]
    assert wire.start(usn).ok
    empty = {"models": [], "decks": [[], []], "tags": []}
    assert wire.post("applyChanges", {"changes": empty}).ok
    assert wire.post("chunk").json()["done"]
    assert wire.post("applyChunk", {"chunk": {"done": True}}).ok
    counts = {"client": counts_of(group.first)}
    checks = [wire.post("sanityCheck2", counts).json() for _ in range(2)]
    assert checks[0] == checks[1] and checks[0]["status"] == "ok"
    mods = [wire.post("finish").json() for _ in range(3)]
    assert mods[0] == mods[1] == mods[2] == wire.meta()["mod"]
    assert wire.meta()["usn"] == usn + 1
    group.must_become_equal()


def counts_of(device):
    """What a client would send to sanityCheck2."""
    tables = ("cards", "notes", "revlog", "graves", "notetypes", "decks", "deck_config")
    count = device.col.db.scalar
    return [[0, 0, 0], *(count(f"select count() from {table}") for table in tables)]
