"""Real clients, real workers: killed before each call that changes the disk, cut off from it, or with a clock that jumps.

A failing test names the point that repeats it: FAULT=sync:17 tries that one alone. NIGHT=1 tries all of them, SEED others.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("referee", "served", "server")

import anki.collection
from referee.device import Device
from referee.dump import differences
from referee.proxy import Proxy
from server import FAIL, KILL, KILL_CHILD, Copied, Faulty, Scene, make_scene, night, points, wait_for_end

MOST = {"login": 5, "sync": 8, "upload": 8, "download": 4, "media": 7}
DAY_MS, YEAR_MS = 86_400_000, 365 * 86_400_000


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    path = Path(tempfile.mkdtemp(prefix="real-faults-", dir=memory if os.access(memory, os.W_OK) else None))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, folder: Path) -> Iterator[Faulty]:
    """The parameter is the journal; a rollback journal goes with several machines on one folder."""
    place = folder / request.param
    place.mkdir()
    server = Faulty(place, JOURNAL=request.param, SHARED="yes" if request.param == "rollback" else "no")
    yield server
    server.stop()


def with_journal(*names: str) -> pytest.MarkDecorator:
    marked = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in names]
    return pytest.mark.parametrize("server", marked, indirect=True)


both_journals = with_journal("wal", "rollback")
one_journal = with_journal("wal", "rollback") if night() else with_journal("wal")


@pytest.fixture(scope="module")
def scene(server: Faulty) -> Scene:
    return make_scene(server, server.folder / "scene")


@dataclass
class Stage:
    """A copy of the scene, to be spoiled."""

    server: Faulty
    user: Copied
    first: Device
    second: Device
    folder: Path

    def look(self) -> dict[str, Any]:
        """What the server holds, as a new device sees it."""
        device = Device(self.folder / "new", self.user)
        try:
            device.download()
            device.sync_media()
            return device.dump() | {"media": device.media()}
        finally:
            device.close()
            shutil.rmtree(self.folder / "new")

    def meta(self) -> dict[str, Any]:
        return self.user.wire().meta()

    def close(self) -> None:
        self.first.close()
        self.second.close()
        shutil.rmtree(self.folder)


@pytest.fixture(scope="module")
def enter(server: Faulty, scene: Scene) -> Callable[[], Stage]:
    numbers = count(1)

    def enter() -> Stage:
        place = server.folder / f"stage{next(numbers)}"
        user, (first, second) = scene.enter(server, place)
        return Stage(server, user, first, second, place)

    return enter


def attempt(run: Callable[[], object]) -> str:
    """What the client says, or "" when its operation was answered."""
    try:
        run()
    except AssertionError:
        raise
    except Exception as error:  # noqa: BLE001
        return str(error) or "an error without words"
    return ""


# What is interrupted.


def login(stage: Stage) -> None:
    auth = stage.first.login(stage.user.name, stage.user.password)
    assert auth.hkey.startswith(stage.user.uid)


def sync(stage: Stage) -> None:
    stage.first.sync()


def upload(stage: Stage) -> None:
    stage.first.col.mod_schema(check=False)
    stage.first.upload()


def download(stage: Stage) -> None:
    stage.second.download()


def media(stage: Stage) -> None:
    stage.first.sync_media()


OPERATIONS = {work.__name__: work for work in (login, sync, upload, download, media)}


def settle(stage: Stage, operation: str) -> None:
    """As people go on: the same again, and then the other device."""
    OPERATIONS[operation](stage)
    first, second = stage.first, stage.second
    if operation == "upload":
        assert second.try_sync() != anki.collection.SyncOutput.NO_CHANGES
        second.download()
    first.sync()
    second.sync()
    first.sync_media()
    second.sync_media()
    assert not differences(first.dump(), second.dump())
    assert first.media() == second.media()
    assert first.problems() == ""
    stage.server.check_home(stage.user)


def check(stage: Stage, operation: str, answered: bool, before: dict, after: dict, end: dict) -> None:
    seen = stage.look()
    if answered:
        assert not differences(seen, after), "answered, and lost"
    else:
        assert not differences(seen, before) or not differences(seen, after), "half of it is visible"
    meta = stage.meta()
    settle(stage, operation)
    assert not differences(stage.look(), end)
    later = stage.meta()
    assert operation == "upload" or (later["usn"] >= meta["usn"] and later["mod"] >= meta["mod"])


def chosen(operation: str, numbers: list[int]) -> list[int]:
    name, _, number = os.environ.get("FAULT", "").partition(":")
    if not number:
        return numbers
    return [int(number)] if name == operation else []


@both_journals
@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed(server: Faulty, enter: Callable[[], Stage], operation: str) -> None:
    stage = enter()
    before = stage.look()
    stage.close()

    stage = enter()
    server.settle()
    with server.control.armed(KILL, 0) as head:
        OPERATIONS[operation](stage)
        server.settle()
        calls = head.count
    after = stage.look()
    settle(stage, operation)
    end = stage.look()
    stage.close()

    answers = []
    numbers = chosen(operation, points(calls, MOST[operation]))
    for at in numbers:
        stage = enter()
        server.settle()
        with server.control.armed(KILL, at) as head:
            error = attempt(lambda: OPERATIONS[operation](stage))
            server.settle()
            fired, made, what = head.fired, head.count, head.fired_what.decode()
        try:
            if not fired:  # the run that counted had to close another user's files, too
                assert made < at and not error
                continue
            if what.startswith("child"):
                wait_for_end(server.control.head.child)
            check(stage, operation, not error, before, after, end)
            answers.append(not error)
        except Exception as failure:
            raise AssertionError(f"FAULT={operation}:{at} [{what}] after {error!r}: {failure}") from failure
        finally:
            stage.close()
    assert len(answers) >= len(numbers) / 2
    assert False in answers or not numbers


@one_journal
def test_importing_child_killed(server: Faulty, enter: Callable[[], Stage]) -> None:
    """As the kernel does when memory is short."""
    stage = enter()
    before = stage.look()
    stage.close()
    stage = enter()
    with server.control.armed(KILL_CHILD, 0) as head:
        upload(stage)
        calls = head.count
    stage.close()
    for at in points(calls, 3):
        stage = enter()
        with server.control.armed(KILL_CHILD, at) as head:
            error = attempt(lambda: upload(stage))
            assert head.fired == at
        assert "could not be checked" in error and "signal 9" in error, error
        assert not differences(stage.look(), before)
        settle(stage, "upload")
        stage.close()


@one_journal
def test_read_only_for_a_while(server: Faulty, enter: Callable[[], Stage]) -> None:
    """The file system lets nobody write, and then it does again: no worker has to be started for that."""
    stage = enter()
    before = stage.look()
    for operation in ("sync", "media", "upload"):
        with server.control.armed(FAIL, 1, error=errno.EROFS, sticky=True):
            assert attempt(lambda: OPERATIONS[operation](stage))
        assert not differences(stage.look(), before)
    settle(stage, "upload")
    stage.close()


class Jumping(Proxy):
    """Sets the server's clock when a method comes by."""

    def __init__(self, server: Faulty, method: str, jump_ms: int) -> None:
        super().__init__(server.url)
        self._head, self._method, self._jump_ms = server.control.head, method, jump_ms

    def admit(self, method: str) -> str | None:
        if method == self._method:
            self._head.clock_ms = self._jump_ms
        return super().admit(method)


@one_journal
@pytest.mark.parametrize("jump_ms", [DAY_MS, -DAY_MS, YEAR_MS, -YEAR_MS], ids=["day", "day back", "year", "year back"])
def test_clock_jumps(server: Faulty, enter: Callable[[], Stage], jump_ms: int) -> None:
    head = server.control.head
    try:
        stage = enter()
        head.clock_ms = jump_ms
        # The client compares clocks, and does nothing.
        assert "clock" in attempt(stage.first.sync)
        head.clock_ms = 0
        settle(stage, "sync")
        end = stage.look()
        stage.close()
        methods = ["start", "applyGraves", "applyChanges", "chunk", "applyChunk", "sanityCheck2", "finish"]
        for method in methods if night() else methods[:: len(methods) - 2]:
            stage = enter()
            meta = stage.meta()
            with Jumping(server, method, jump_ms) as proxy:
                stage.first.url = proxy.url
                stage.first.sync()
                assert head.clock_ms == jump_ms, method
            stage.first.url = stage.user.url
            media(stage)
            between = stage.meta()
            head.clock_ms = 0
            settle(stage, "sync")
            later = stage.meta()
            assert not differences(stage.look(), end)
            for key in ("usn", "mod", "media_usn"):
                assert meta[key] < between[key] <= later[key], (method, key)
            stage.second.add_note(f"after {method}")
            stage.second.sync()
            assert stage.meta()["mod"] > later["mod"]
            stage.close()
    finally:
        head.clock_ms = 0


@one_journal
def test_opened_in_anki_by_mistake(server: Faulty, enter: Callable[[], Stage]) -> None:
    """Anki keeps others out of a file that it has open: an error for the client, and nothing is lost."""
    stage = enter()
    path = max(server.home_at(stage.user).glob("col-*.anki2"))
    desktop = anki.collection.Collection(str(path))
    assert attempt(stage.first.sync)
    desktop.close()
    for stray in path.parent.glob("*.media*"):
        shutil.rmtree(stray) if stray.is_dir() else stray.unlink()
    stage.first.sync()
    stage.second.sync()
    assert stage.first.col.find_notes("front:new") and stage.second.col.find_notes("front:new")
    settle(stage, "sync")
    stage.close()


@one_journal
@pytest.mark.parametrize("name", ["user.db", "media.db"])
def test_locked_by_somebody(server: Faulty, enter: Callable[[], Stage], name: str) -> None:
    stage = enter()
    database = sqlite3.connect(server.home_at(stage.user) / name, isolation_level=None)
    database.execute("begin immediate")
    assert attempt((lambda: media(stage)) if name == "media.db" else (lambda: login(stage)))
    database.execute("rollback")
    database.close()
    login(stage)
    settle(stage, "media")
    stage.close()
