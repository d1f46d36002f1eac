"""Devices of one account, and the one question of this suite: do they end up equal?"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

from anki.errors import NetworkError, SyncError
from referee.accounts import Account
from referee.device import Device
from referee.dump import assert_same
from tap import Tap

# After so many rounds in which every device syncs, nothing may be left to move.
ROUNDS = 3
REFUSED = (SyncError, NetworkError)
_looks = itertools.count(1)


class Group:
    """The devices of a test, and the tap through which they sync."""

    def __init__(
        self,
        devices: list[Device],
        tap: Tap,
        account: Account,
        make_device: Callable[..., Device],
    ) -> None:
        self.devices = devices
        self.tap = tap
        self.account = account
        self.make_device = make_device
        self.first, self.second, self.third = devices

    def must_become_equal(self, *turns: Device, sound: bool = True) -> None:
        """Sync everybody, in the order of `turns` and then the others, and compare.

        All devices and a new download must be equal, Check Database must have nothing to
        say (unless not `sound`), and one more sync of every device must move nothing.
        """
        order = [*turns, *(device for device in self.devices if device not in turns)]
        for _ in range(ROUNDS + 1):
            self.tap.forget()
            for device in order:
                device.sync()
            if not self.tap.moved:
                return self._compare(order, sound)
        raise AssertionError(f"after {ROUNDS} rounds still moving: {dict(self.tap.moved)}")

    def _compare(self, order: list[Device], sound: bool) -> None:
        look = self.make_device(f"look {next(_looks)}")
        look.download()
        expected = look.dump()
        for device in order:
            assert_same(expected, device.dump())
        for device in [look, *order] if sound else []:
            assert not device.problems()
        look.close()


def reload(device: Device) -> None:
    """Make the client forget objects that it has cached."""
    device.col.close()
    device.col.reopen()


def in_thread(action: Callable[[], Any]) -> Callable[[], Any]:
    """Start `action`; the returned function waits and gives its result or exception."""
    result: list[Any] = []

    def run() -> None:
        try:
            result.append(action())
        except Exception as error:  # handed to the test, which judges it
            result.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def outcome() -> Any:
        thread.join(90)
        assert result, "it did not end"
        return result[0]

    return outcome
