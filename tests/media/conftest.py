"""Fixtures: a server of our own for each file of tests, a user for each test, and devices of that user."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

pytest.register_assert_rewrite("referee", "served")

import anki.collection  # noqa: F401  (anki's own modules need this one first)
from referee.accounts import Account
from referee.device import Device
from referee.wire import Wire
from served import NIGHTLY_SEEDS, Served

USERS = 40 + len(NIGHTLY_SEEDS)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    folder = Path(tempfile.mkdtemp(prefix="media-test-"))
    served = Served(folder, USERS)
    yield served
    served.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return count(1)


@pytest.fixture
def account(server: Served, numbers: Iterator[int]) -> Account:
    """A user that nobody has used yet."""
    number = next(numbers)
    assert number <= USERS
    return Account(server.url, f"u{number}", f"p{number}")


@pytest.fixture
def user(account: Account) -> str:
    return account.name


@pytest.fixture
def wire(account: Account) -> Wire:
    return account.wire()


@pytest.fixture
def make_device(tmp_path: Path, account: Account) -> Iterator[Callable[..., Device]]:
    made: list[Device] = []

    def make(name: str, *, url: str | None = None) -> Device:
        made.append(Device(tmp_path / name, account, url))
        return made[-1]

    yield make
    for device in made:
        device.close()


@pytest.fixture
def pair(make_device: Callable[..., Device]) -> tuple[Device, Device]:
    return make_device("first"), make_device("second")
