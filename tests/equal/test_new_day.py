"""Buried cards come back on a new day, on every device, whoever noticed the day first."""

from __future__ import annotations

import pytest
from together import Group, reload

DAY = 86400
BURIED = -3, -2


@pytest.fixture
def yesterday(group: Group) -> Group:
    """Two cards were buried yesterday, and everybody knows it; today nobody has studied yet."""
    first = group.first
    first.run_sql("update col set crt = crt - ?", 10 * DAY)
    reload(first)
    today = first.col.sched.today  # asking for the day brings buried cards back
    first.col.sched.bury_cards(first.col.find_cards("one"), manual=True)
    first.col.sched.bury_cards(first.col.find_cards("two"), manual=False)
    first.col.set_config("lastUnburied", today - 1)
    first.upload()
    for device in (group.second, group.third):
        device.download()
        assert buried(device) == 2
    return group


def buried(device):
    return device.col.db.scalar(f"select count() from cards where queue in {BURIED}")


def study(device):
    """What a user's first look at the decks does on a new day."""
    device.col.sched.deck_due_tree()
    device.review(device.col.find_cards("gehen")[0])


def test_one_studies_then_another_downloads(yesterday: Group):
    study(yesterday.first)
    assert buried(yesterday.first) == 0
    yesterday.first.sync()
    late = yesterday.make_device("late")
    late.download()
    assert buried(late) == 0
    yesterday.devices.append(late)
    yesterday.must_become_equal()
    assert [buried(device) for device in yesterday.devices] == [0] * 4


def test_everybody_just_syncs(yesterday: Group):
    study(yesterday.second)
    yesterday.must_become_equal(yesterday.second)
    assert [buried(device) for device in yesterday.devices] == [0] * 3


def test_sync_without_any_study(yesterday: Group):
    """A change is synced on the new day before anybody looked at the decks."""
    yesterday.first.edit_note(yesterday.first.col.find_notes("one")[0], Back="edited")
    yesterday.first.sync()
    late = yesterday.make_device("late")
    late.download()
    yesterday.devices.append(late)
    yesterday.must_become_equal()
    assert [buried(device) for device in yesterday.devices] == [0] * 4


def test_buried_today_stays_buried(yesterday: Group):
    study(yesterday.first)
    yesterday.first.col.sched.bury_cards(yesterday.first.col.find_cards("one"))
    yesterday.first.sync()
    late = yesterday.make_device("late")
    late.download()
    yesterday.devices.append(late)
    yesterday.must_become_equal()
    assert [buried(device) for device in yesterday.devices] == [1] * 4


def test_buried_card_changes_at_the_same_time(yesterday: Group):
    """A device that does not know of the new day sends a buried card's row."""
    study(yesterday.first)
    yesterday.first.sync()
    yesterday.second.col.set_user_flag_for_cards(3, yesterday.second.col.find_cards("one"))
    yesterday.must_become_equal(yesterday.second)
    assert [buried(device) for device in yesterday.devices] == [0] * 3
