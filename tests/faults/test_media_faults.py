"""A media upload that is interrupted at each of its steps leaves the old state or the new one, and nothing else.

Killed before each call that changes a file; each call failing, once and from there on; the power gone after each call; a
disk of every size. `media-faults` does the work and judges the result; here is only where to interrupt it. A failing test
names the command that repeats it.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import power

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD", TOP / "build"))
PROGRAM = BUILD / "tests" / "faults" / "media-faults"
SCENARIOS = ["first", "few", "many", "bulk", "short", "mixed", "large", "deletion"]


def call(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(PROGRAM), *map(str, words)], capture_output=True, text=True, timeout=60)


def done(*words: object) -> str:
    result = call(*words)
    assert result.returncode == 0, f"{words}: exit {result.returncode}: {result.stdout}{result.stderr}"
    return result.stdout


class Place:
    """A prepared data folder, and copies of it to spoil. In memory, where a sync costs nothing."""

    def __init__(self, folder: Path, scenario: str) -> None:
        self.scenario = scenario
        self.template = folder / "template"
        self.base = folder / "base"
        done("prepare", self.template, scenario)

    def fresh(self) -> Path:
        shutil.rmtree(self.base, ignore_errors=True)
        shutil.copytree(self.template, self.base)
        return self.base

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        return call("run", self.fresh(), self.scenario, *words)

    def verify(self, story: str) -> str:
        result = call("verify", self.base, self.scenario)
        assert result.returncode == 0, f"{self.scenario}: {story}: {result.stdout}{result.stderr}"
        return result.stdout.split()[-1]


@pytest.fixture
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    path = Path(tempfile.mkdtemp(prefix="media-faults-", dir=memory if os.access(memory, os.W_OK) else None))
    yield path
    shutil.rmtree(path)


@pytest.fixture(params=SCENARIOS)
def place(request: pytest.FixtureRequest, folder: Path) -> Place:
    return Place(folder, request.param)


def test_killed_before_each_call(place: Place) -> None:
    states = []
    for number in range(1, 1000):
        result = place.run("kill", number)
        if result.returncode == 0:
            break
        assert result.returncode == -signal.SIGKILL, result
        states.append(place.verify(f"kill {number}"))
    assert len(states) > 10
    # Up to some call nothing has happened, from there on all of it has.
    assert states == sorted(states, reverse=True) and set(states) == {"old", "new"}


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["no space", "io error"])
@pytest.mark.parametrize("how", ["once", "ever"])
def test_each_call_fails(place: Place, how: str, error: int) -> None:
    results = set()
    for number in range(1, 1000):
        result = place.run(how, number, error)
        assert result.returncode == 0, f"{place.scenario}: {how} {number} {error}: {result}"
        answer, calls = result.stdout.split()[:2]
        if number > int(calls):
            break
        results.add(answer)
        state = place.verify(f"{how} {number} {error}")
        assert answer != "acked" or state == "new", f"{place.scenario}: {how} {number} {error}: acknowledged, and lost"
        if answer == "refused":
            assert error == errno.ENOSPC and state == "old"
    assert "failed" in results or "refused" in results
    if error == errno.ENOSPC:
        assert "refused" in results  # in words


def states_after_power_loss(place: Place, lying: str = "") -> Iterator[tuple[str, bool]]:
    """Each state in turn at place.base: what it is, and whether the upload had been acknowledged. Syncs of paths that
    hold `lying` do nothing."""
    record = place.base.parent / "record"
    assert place.run("record", record).stdout.startswith("acked")
    place.fresh()
    disk = power.Disk(place.base)
    acked = False
    for number, made in enumerate(power.read_record(record), 1):
        acked = acked or (made.kind == "note" and made.path == "acked")
        if not (lying and made.kind in ("fsync", "syncfs") and lying in made.path):
            disk.apply(made)
        for names in ("synced", "now"):
            for data in ("synced", "now"):
                disk.save(place.base, names, data)
                yield f"after call {number} ({made.kind} {made.path}): names {names}, data {data}", acked
        for seed in range(4):
            disk.save(place.base, "any", "any", seed)
            yield f"after call {number} ({made.kind} {made.path}): seed {seed}", acked


def test_power_lost_after_each_call(place: Place) -> None:
    states = set()
    for story, acked in states_after_power_loss(place):
        state = place.verify(story)
        states.add(state)
        assert state == "new" or not acked, f"{place.scenario}: {story}: acknowledged, and lost"
    assert states == {"old", "new"}


@pytest.mark.parametrize("scenario", ["few", "bulk"])
@pytest.mark.parametrize("lying", ["/media/", "/media", "media.db"], ids=["files", "files and names", "index"])
def test_control_without_syncs_something_is_lost(folder: Path, scenario: str, lying: str) -> None:
    """A disk that lies must be noticed, or the test above proves nothing."""
    if scenario == "bulk" and lying == "/media/":
        pytest.skip("one sync for all goes by the folder")
    place = Place(folder, scenario)
    for _, acked in states_after_power_loss(place, lying):
        result = call("verify", place.base, scenario)
        if result.returncode != 0 or (acked and result.stdout.split()[-1] == "old"):
            return
    pytest.fail("nothing was lost")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
@pytest.mark.parametrize("scenario", ["first", "many", "large"])
def test_full_disk_of_every_size(tmp_path: Path, scenario: str) -> None:
    """A real file system that becomes full at some point; once it has room again, the upload goes on."""
    place = Place(tmp_path, scenario)
    used = sum(-(-path.stat().st_size // 4096) for path in place.template.rglob("*"))
    step = 16 if scenario == "large" else 3
    answers = []
    for room in range(0, 10_000, step):
        shutil.rmtree(place.base, ignore_errors=True)
        place.base.mkdir()
        pages = used + 8 + room
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={pages * 4096},mode=700", "none", place.base], check=True)
        try:
            shutil.copytree(place.template, place.base, dirs_exist_ok=True)
            answer = call("run", place.base, scenario, "count").stdout.split()[0]
            answers.append(answer)
            subprocess.run(["mount", "-o", "remount,size=64m", place.base], check=True)
            state = place.verify(f"{pages} pages")
        finally:
            subprocess.run(["umount", place.base], check=True)
        assert state == ("new" if answer == "acked" else "old"), f"{pages} pages: {answer}"
        if answer == "acked":
            break
    assert answers[-1] == "acked" and set(answers) == {"acked", "refused"}, answers
