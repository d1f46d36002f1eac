"""Fixtures: an empty account for each test, and devices whose syncs are watched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("referee", "together")

from referee.accounts import Account, Pool, accounts_from_env, share_of_worker
from referee.device import Device
from referee.proxy import Proxy
from referee.seeds import seed_small
from tap import Tap
from together import Group


@pytest.fixture(scope="session")
def pool() -> Pool:
    """This worker's accounts."""
    usable = [account for account in accounts_from_env() if account.name.isascii()]
    return Pool(share_of_worker(usable))


@pytest.fixture
def account(pool: Pool) -> Account:
    """An account with nothing in it."""
    return pool.take()


@pytest.fixture
def tap(account: Account) -> Iterator[Tap]:
    with Tap(account.url) as running:
        yield running


@pytest.fixture
def proxy(tap: Tap) -> Iterator[Proxy]:
    """A proxy that can hold and lose requests, in front of the tap."""
    with Proxy(tap.url) as running:
        yield running


@pytest.fixture
def make_device(tmp_path: Path, account: Account, tap: Tap) -> Iterator[Callable[..., Device]]:
    """Makes devices of the test's account."""
    made: list[Device] = []

    def make(name: str, *, url: str | None = None) -> Device:
        made.append(Device(tmp_path / name, account, url or tap.url))
        return made[-1]

    yield make
    for device in made:
        device.close()


@pytest.fixture
def group(make_device: Callable[..., Device], tap: Tap, account: Account) -> Group:
    """Three devices in sync; the first made the small seed, the last downloads late."""
    devices = [make_device(name) for name in ("first", "second", "third")]
    seed_small(devices[0])
    devices[0].upload()
    for device in devices[1:]:
        device.download()
    return Group(devices, tap, account, make_device)


@pytest.fixture(params=["first syncs first", "second syncs first"])
def turns(request: pytest.FixtureRequest, group: Group) -> list[Device]:
    """The two devices that change something, in the order in which they sync."""
    first, second = group.first, group.second
    return [first, second] if request.param.startswith("first") else [second, first]
