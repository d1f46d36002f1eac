"""One server for all tests; at the end, accounts that nobody attacked must be as they were, and what was measured is told."""

from __future__ import annotations

import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

pytest.register_assert_rewrite("target")

from target import MEMBER, STRANGER, Target, User, collection
from wire import compress

UNTOUCHED = 2
DAILY = ("col", "config")  # what a sync without changes writes


@pytest.fixture(scope="session")
def target() -> Iterator[Target]:
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    target = Target(folder)
    try:
        untouched = target.user(UNTOUCHED)
        untouched.upload(collection())
        untouched.sync()
        untouched.put_media({"a.txt": b"a", "b.txt": b"b"})
        before = target.innocent.digest(DAILY), untouched.digest(), untouched.meta()
        yield target
        target.innocent.sync()
        assert (target.innocent.digest(DAILY), untouched.digest(), untouched.meta()) == before
        for user in target.users.values():
            assert not user.leftovers()
    finally:
        target.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def member(target: Target) -> User:
    """An account whose owner is hostile."""
    user = target.user(3)
    user.upload(collection())
    return user


@pytest.fixture(scope="session")
def bombs() -> dict[str, bytes]:
    """Small frames that mean a lot."""
    packer = zstandard.ZstdCompressor().compressobj()
    gibibyte = b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(1024)), packer.flush()])
    many = compress(b"[" + b"{}," * 1_400_000 + b"{}]")
    assert len(many) < 600
    return {"1 GiB": gibibyte, "containers": many, "depth": compress(b"[" * (50 << 20))}


@pytest.fixture(scope="session")
def gzip_bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    first, more = (packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + 1023 * more  # without an end, to which nobody gets


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Strangers first: what a worker holds then is theirs, and nothing left over from larger requests."""
    items.sort(key=lambda item: item.path.name not in ("test_strangers.py", "test_forms.py"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for who, bound in (("without a key", STRANGER), ("with a key", MEMBER)):
        terminalreporter.write_line(f"{bound.requests} requests {who}: {bound}")
