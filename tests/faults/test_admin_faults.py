"""The administrator's command, killed before each call that changes the disk: said again, it does the rest.

A failing test names the point that repeats it: FAULT=user-del:17 tries that one alone. NIGHT=1 tries all of them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("server")

from server import BUILD, COUNT, KILL, Control, check_database, points

MOST = 8
USED, UNKNOWN = 73, 67  # sysexits.h: EX_CANTCREAT, EX_NOUSER


@dataclass
class Verb:
    words: list[str]
    stdin: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    done: tuple[int, ...] = (0,)  # how it may end when it finds its work done


VERBS = {
    "user-add": Verb(["user", "add", "--password-stdin", "third"], "secret\n", done=(0, USED)),
    "user-import-env": Verb(["user", "import-env"], environment={"SYNC_USER1": "fourth:p4", "SYNC_USER2": "fifth:p5"}),
    "user-passwd": Verb(["user", "passwd", "--password-stdin", "first"], "another\n"),
    "user-rename": Verb(["user", "rename", "first", "other"], done=(0, UNKNOWN)),
    "user-disable": Verb(["user", "disable", "first"]),
    "user-quota": Verb(["user", "quota", "first", "2G"]),
    "user-del": Verb(["user", "del", "--yes", "first"], done=(0, UNKNOWN)),
    "media-sweep": Verb(["media", "sweep", "first"]),
    "media-check": Verb(["media", "check", "--repair", "first"]),
    "media-renumber": Verb(["media", "renumber", "first"]),
}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    path = Path(tempfile.mkdtemp(prefix="admin-faults-", dir=memory if os.access(memory, os.W_OK) else None))
    yield path
    shutil.rmtree(path)


def admin(base: Path, verb: Verb, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BUILD / "admin" / "ankisync-admin", *verb.words], input=verb.stdin, capture_output=True, text=True, timeout=120,
        env={k: v for k, v in os.environ.items() if not k.startswith("SYNC_")}
        | {"SYNC_BASE": str(base)} | verb.environment | (environment or {}),
    )


def homes(base: Path) -> dict[str, Path]:
    """By name of the user."""
    with sqlite3.connect(base / "accounts.db") as accounts:
        found = accounts.execute("select name, uid from account").fetchall()
    accounts.close()
    return {name: base / "users" / uid[:2] / uid for name, uid in found}


def add_media(home: Path) -> None:
    """Good files, a lost one, a damaged one, wrong counts, and two that nobody needs any more."""
    folder = home / "media"
    folder.mkdir(mode=0o700)
    with sqlite3.connect(home / "media.db") as media:
        for number in range(1, 6):
            data = f"content {number}".encode()
            media.execute(
                "insert into media (usn, name, bytes, sha1, crc32, changed_s) values (?, ?, ?, ?, 0, 1700000000)",
                (number, f"file{number}", len(data), hashlib.sha1(data).digest()),
            )
            if number != 2:
                (folder / hashlib.sha1(data).hexdigest()).write_bytes(b"" if number == 3 else data)
        media.execute("update meta set last_usn = 5, files = 7, bytes = 1")
    media.close()
    for stray in (folder / hashlib.sha1(b"stray").hexdigest(), folder / "tmp-abcdefghijklmnop-0"):
        stray.write_bytes(b"stray")
        os.utime(stray, (1_700_000_000, 1_700_000_000))


@pytest.fixture(scope="module")
def template(folder: Path) -> Path:
    base = folder / "template"
    for name in ("first", "second"):
        assert admin(base, Verb(["user", "add", "--password-stdin", name], "secret\n")).returncode == 0
    for name, home in homes(base).items():
        assert admin(base, Verb(["media", "renumber", name])).returncode == 0
        add_media(home)
    return base


def rows(path: Path, query: str) -> list[tuple]:
    database = sqlite3.connect(path)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def state_of(base: Path) -> dict[str, Any]:
    """What an administrator can see, without numbers that differ from run to run."""
    for path in [*base.glob("*.db"), *base.glob("users/*/*/*.db")]:
        check_database(path)
    state: dict[str, Any] = {"accounts": rows(base / "accounts.db", "select name, state, limit_bytes from account order by name")}
    for name, home in homes(base).items():
        files = sorted(path.name for path in home.glob("media/*"))
        index = home / "media.db"
        state[name] = {
            "there": (home / "user.db").exists(),
            "files": files,
            "index": rows(index, "select name, bytes, sha1 from media order by name") if index.exists() else [],
            "sums": rows(index, "select files, bytes from meta") if index.exists() else [],
        }
    state["left"] = [path.name for path in [*base.glob("users/*/gone-*"), *base.glob("accounts.db-*-*")]]
    return state


def content_of(home: Path) -> dict[str, bytes]:
    return {str(p.relative_to(home)): p.read_bytes() for p in home.rglob("*") if p.is_file() and not p.name.endswith(("-wal", "-shm"))}


@pytest.mark.parametrize("name", VERBS)
def test_killed(folder: Path, template: Path, name: str) -> None:
    verb = VERBS[name]
    base = folder / name
    other = content_of(homes(template)["second"])

    def start(mode: int, at: int) -> tuple[Control, subprocess.CompletedProcess[str]]:
        shutil.rmtree(base, ignore_errors=True)
        shutil.copytree(template, base)
        control = Control(folder / f"{name}.control", base)
        with control.armed(mode, at):
            return control, admin(base, verb, control.environment())

    control, done = start(COUNT, 0)
    assert done.returncode == 0, done
    calls, after = control.head.count, state_of(base)
    assert calls > 0 and not after["left"]
    wanted, _, number = os.environ.get("FAULT", "").partition(":")
    numbers = points(calls, MOST) if not number else [int(number)] if wanted == name else []
    for at in numbers:
        control, killed = start(KILL, at)
        story = f"FAULT={name}:{at} [{control.head.fired_what.decode()}]"
        if not control.head.fired:  # a new user's folder may need one more call or not
            assert killed.returncode == 0 and control.head.count < at, f"{story}: {killed}"
            continue
        assert killed.returncode == -signal.SIGKILL, f"{story}: {killed}"
        assert content_of(homes(base)["second"]) == other, story
        again = admin(base, verb)
        assert again.returncode in verb.done, f"{story}: {again}"
        assert state_of(base) == after, story
