"""Fixtures: an empty account for each test, old clients and the newest one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("referee", "old_device")

from old_device import VERSIONS, OldDevice
from referee.accounts import Account, Pool, accounts_from_env, share_of_worker
from referee.device import Device


@pytest.fixture(scope="session")
def pool() -> Pool:
    """This worker's accounts."""
    return Pool(share_of_worker(accounts_from_env()))


@pytest.fixture
def account(pool: Pool) -> Account:
    """An account with nothing in it."""
    return pool.take()


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Each of the old clients in turn."""
    return request.param


@pytest.fixture
def make_old(
    tmp_path: Path, account: Account, version: str
) -> Iterator[Callable[[str], OldDevice]]:
    """Makes old devices of the test's account, logged in."""
    made: list[OldDevice] = []

    def make(name: str) -> OldDevice:
        made.append(OldDevice(tmp_path / name, account, version))
        made[-1].login()
        return made[-1]

    yield make
    for device in made:
        device.close()


@pytest.fixture
def make_new(tmp_path: Path, account: Account) -> Iterator[Callable[[str], Device]]:
    """Makes devices with the newest client."""
    made: list[Device] = []

    def make(name: str) -> Device:
        made.append(Device(tmp_path / name, account))
        return made[-1]

    yield make
    for device in made:
        device.close()
