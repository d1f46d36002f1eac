"""A real server whose worker dies, fails or has another time on order, with users and devices that are quickly copied.

The worker is the one of the build with shim.c preloaded, into it and its importing child alone; what it is told lies in
memory that it shares with us.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import random
import shutil
import signal
import sqlite3
import string
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anki.collection  # noqa: F401  (anki's own modules need this one first)
from referee.accounts import Account
from referee.device import Device
from running import health, until
from served import BUILD, Served

LIBRARY = BUILD / "tests" / "faults" / "preload.so"

# As in shim.h.
COUNT, KILL, KILL_CHILD, FAIL = 1, 2, 3, 4
CHANGES = 0


class Head(ctypes.Structure):
    """The beginning of struct shim (shim.h)."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("mode", "error", "kind", "sticky")),
        *((name, ctypes.c_uint64) for name in ("at", "count", "fired")),
        ("clock_ms", ctypes.c_int64),
        *((name, ctypes.c_int32) for name in ("worker", "child", "kill_wanted", "quiet")),
        ("fired_what", ctypes.c_char * 200),
        ("root", ctypes.c_char * 200),
    ]


class Control:
    """The shared memory."""

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path
        path.write_bytes(bytes(mmap.PAGESIZE))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.head = Head.from_buffer(self._map)
        self.head.root = str(root).encode()
        self.head.mode = COUNT

    def environment(self) -> dict[str, str]:
        """For a process that shall have the shim."""
        return {"LD_PRELOAD": str(LIBRARY), "FAULTS_CONTROL": str(self.path)}

    @contextmanager
    def armed(self, mode: int, at: int, *, error: int = 0, sticky: bool = False) -> Iterator[Head]:
        """From now on calls are counted, and the one with this number meets its fault."""
        head = self.head
        head.count = head.fired = head.kill_wanted = 0
        head.kind, head.error, head.sticky, head.fired_what = CHANGES, error, sticky, b""
        head.at, head.mode = at, mode
        done = threading.Event()
        killer = threading.Thread(target=self._kill_when_asked, args=(done,))
        killer.start()
        try:
            yield head
        finally:
            head.mode, head.at, head.error = COUNT, 0, 0
            done.set()
            killer.join()

    def _kill_when_asked(self, done: threading.Event) -> None:
        """The importing child may kill nobody, itself included: it waits for us."""
        while not done.wait(0.001):
            if self.head.kill_wanted:
                self.head.kill_wanted = 0
                os.kill(self.head.child if self.head.mode == KILL_CHILD else self.head.worker, signal.SIGKILL)


@dataclass(frozen=True)
class Copied(Account):
    """A user with the data and the keys of another one."""

    uid: str = ""
    key: str = ""

    def hkey(self) -> str:
        return self.key


class Faulty(Served):
    """tests/serve with one worker, so that calls have the same number in every run."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        base = folder / "base"
        base.mkdir(mode=0o700)
        self.control = Control(base / "control", base)  # a confined worker reaches nothing else
        self._random = random.Random(0)
        self._copies = 0
        super().__init__(folder, 1, WORKERS="1", BUILD=str(self._make_build()), **settings)
        self.home_of_first = self.home("u1")

    def _make_build(self) -> Path:
        """The build, with the shim in its worker."""
        build = self.folder / "build"
        worker = build / "fcgi" / "ankisync.fcgi"
        worker.parent.mkdir(parents=True)
        words = " ".join(f"{key}={value}" for key, value in self.control.environment().items())
        worker.write_text(f'#!/bin/sh\n{words} exec {BUILD}/fcgi/ankisync.fcgi "$@"\n')
        worker.chmod(0o755)
        (build / "admin").symlink_to(BUILD / "admin")
        (build / ".built").symlink_to(BUILD / ".built")
        return build

    def copy_user(self, template: Path, key: str) -> Copied:
        """A new user whose home is a copy of `template`, which had this key."""
        self._copies += 1
        uid = "".join(self._random.choices(string.ascii_lowercase + string.digits, k=10))
        home = self.base / "users" / uid[:2] / uid
        home.parent.mkdir(mode=0o700, exist_ok=True)
        shutil.copytree(template, home)
        name = f"copy{self._copies}"
        with sqlite3.connect(self.base / "accounts.db") as accounts:
            accounts.execute(
                "insert into account (uid, name, hash, state, limit_bytes, created_s)"
                " select ?, ?, hash, state, limit_bytes, created_s from account where name = 'u1'",
                (uid, name),
            )
        accounts.close()
        return Copied(self.url, name, "p1", uid, f"{uid}.{key.split('.')[1]}")

    def settle(self) -> None:
        """Until the worker has nothing more to do, what comes after an answer included; a dead one has a successor then."""
        until(lambda: health(self.port) == 200, "a worker")

    def home_at(self, user: Copied) -> Path:
        return self.base / "users" / user.uid[:2] / user.uid

    def check_home(self, user: Copied) -> None:
        """All databases are sound, and nothing lies about: a worker's first request of a user sweeps what dead ones left."""
        home = self.home_at(user)
        for path in home.iterdir():
            assert not path.name.startswith(("tmp-", "etilqs_", "damaged-")), path
            if path.suffix in (".db", ".anki2"):
                check_database(path)
        if (home / "media.db").exists():
            self.check(user.name)


def check_database(path: Path) -> None:
    database = sqlite3.connect(path)
    try:
        database.create_collation("unicase", lambda a, b: (a.lower() > b.lower()) - (a.lower() < b.lower()))
        assert database.execute("pragma integrity_check").fetchone() == ("ok",), path
    finally:
        database.close()


@dataclass
class Scene:
    """What is stored, and two devices that have done something that the server does not know yet."""

    home: Path
    key: str
    devices: Path

    def enter(self, server: Faulty, folder: Path) -> tuple[Copied, list[Device]]:
        user = server.copy_user(self.home, self.key)
        shutil.copytree(self.devices, folder)
        return user, [Device(path, user) for path in sorted(folder.iterdir())]


def picture(number: int) -> bytes:
    """Every other one is so short that it lies in the index."""
    return bytes([65 + number]) * (900 + number % 2 * 2000)


def make_scene(server: Faulty, folder: Path) -> Scene:
    """Everything that a sync may carry is waiting on the first device, and a little on the second."""
    account = Account(server.url, "u1", "p1")
    first, second = (Device(folder / "devices" / name, account) for name in ("1", "2"))
    nids = [first.add_note(f"front {i}", f"back {i}", tags=["old"]).id for i in range(6)]
    deck = first.deck("Languages::Verbs")
    for i in range(3):
        first.write_media(f"{i}.jpg", picture(i))
    first.upload()
    first.sync_media()
    second.download()
    second.sync_media()
    second.add_note("of the second")
    second.sync()
    server.stop()  # the journals move into the databases
    shutil.copytree(server.home_of_first, folder / "home")
    server.start()

    first.edit_note(nids[0], Front="edited")
    first.add_note("new", "neu", tags=["fresh"], deck=deck)
    first.add_note("{{c1::new}}", notetype="Cloze")
    first.review(first.col.find_cards("nid:%d" % nids[1])[0])
    first.col.remove_notes([nids[2]])
    first.col.decks.rename(deck, "Languages::Irregular")
    first.deck("Another")
    first.col.set_config("faults", {"some": "thing"})
    first.write_media("0.jpg", b"changed")
    for i in range(3, 8):
        first.write_media(f"{i}.jpg", picture(i))
    first.delete_media("1.jpg")
    for device in (first, second):
        device.close()
    return Scene(folder / "home", account.hkey(), folder / "devices")


def seed() -> int:
    return int(os.environ.get("SEED", "0"))


def night() -> bool:
    return os.environ.get("NIGHT", "") not in ("", "0")


def points(calls: int, most: int) -> list[int]:
    """Which of the calls are tried: the same ones in every run, others with another SEED, all of them with NIGHT=1."""
    everything = range(1, calls + 1)
    if night() or calls <= most:
        return list(everything)
    return sorted(random.Random(seed()).sample(everything, most))


def wait_for_end(pid: int) -> None:
    """Until this process has ended, whether or not somebody asks for its status."""

    def ended() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            return True

    until(ended, f"the end of process {pid}")
