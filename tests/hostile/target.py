"""The server that is attacked, and what must hold of it after each attack."""

from __future__ import annotations

import io
import json
import os
import secrets
import sqlite3
import subprocess
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import zstandard

import fastcgi
import wire
from running import TOP, Running, free_port, until
from wire import Answer, Connection

BUILD = TOP / os.environ.get("BUILD", "build")
SANITIZED = "san" in BUILD.name  # memory and time are no measure there
WORKERS = 2
REST_MIB = 12  # what a worker holds that has just begun; caches that it holds beyond that are not the next request's
USERS = 12
STATUSES = (200, 400, 403, 404, 405, 409, 413, 501, 503)  # never 500: that would be a fault of ours
TICKS = os.sysconf("SC_CLK_TCK")
VECTORS = TOP / "tests/vectors/collections"
BOUNDARY = "Anki-sync-boundary"

SYNC = "hostKey meta start applyGraves applyChanges chunk applyChunk sanityCheck2 finish abort upload download".split()
MEDIA = "begin mediaChanges uploadChanges downloadFiles mediaSanity".split()
METHODS = [f"/sync/{name}" for name in SYNC] + [f"/msync/{name}" for name in MEDIA]
SESSIONS = METHODS[3:9]  # the methods that belong to a sync that `start` has begun


def collection(name: str = "rich-18b") -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress((VECTORS / f"{name}.anki2.zst").read_bytes())


@dataclass
class Bound:
    """What one request may cost a worker, and the most that it did."""

    mib: int
    cpu_s: float
    most_mib: float = 0
    most_cpu_s: float = 0
    where: dict[str, str] = field(default_factory=dict)
    requests: int = 0

    def note(self, mib: float, cpu_s: float, what: str, requests: int) -> None:
        self.requests += requests
        if mib > self.most_mib:
            self.most_mib, self.where["memory"] = mib, what
        if cpu_s > self.most_cpu_s:
            self.most_cpu_s, self.where["CPU"] = cpu_s, what
        if not SANITIZED:
            assert mib <= self.mib, f"{what}: {mib:.0f} MiB"
            assert cpu_s <= self.cpu_s, f"{what}: {cpu_s:.2f} s of CPU"


STRANGER = Bound(64, 2)   # nobody's key
MEMBER = Bound(700, 20)  # the key of an account of their own


class User:
    """An account, and a client of it that behaves."""

    def __init__(self, target: Target, number: int) -> None:
        self.target, self.name, self.password = target, f"u{number}", f"p{number}"
        self.key = target.plain("/sync/hostKey", {"u": self.name, "p": self.password}).json["key"]
        self.uid = self.key.split(".")[0]
        self.home = target.base / "users" / self.uid[:2] / self.uid

    def header(self, session: str = "abcde") -> dict:
        return {**wire.HEADER, "k": self.key, "s": session}

    def ask(self, path: str, payload: object = None, session: str = "abcde") -> Answer:
        return self.target.plain(path, {} if payload is None else payload, self.header(session))

    def meta(self) -> dict:
        meta = self.ask("/sync/meta", {"v": 11, "cv": "test"}, "look").json
        return {key: meta[key] for key in ("mod", "scm", "usn", "empty", "media_usn", "cont")}

    def upload(self, data: bytes) -> None:
        assert self.target.plain("/sync/upload", data, self.header()).data == b"OK"

    def put_media(self, files: dict[str, bytes]) -> None:
        assert self.target.plain("/msync/uploadChanges", media_zip(files), self.header()).json["err"] == ""

    def sync(self, *changes: tuple[str, object], finish: bool = True) -> list[Answer]:
        """A normal sync in which these calls are made between `start` and the end; everything must be accepted."""
        session = secrets.token_hex(4)
        usn = self.ask("/sync/meta", {"v": 11, "cv": "test"}, session).json["usn"]
        calls = [("/sync/start", {"minUsn": usn, "lnewer": False, "graves": None}), *changes]
        if not any(path == "/sync/applyChanges" for path, _ in changes):
            calls.append(("/sync/applyChanges", {"changes": {"models": [], "decks": [[], []], "tags": []}}))
        if finish:
            calls += [("/sync/chunk", {}), ("/sync/applyChunk", {"chunk": {"done": True}}), ("/sync/finish", {})]
        answers = [self.ask(path, payload, session) for path, payload in calls]
        assert [a.status for a in answers] == [200] * len(answers), list(zip(calls, answers))
        return answers

    def read_all(self) -> None:
        """What a device that has nothing is told, by a normal sync: every bit of it must be JSON as clients read it."""
        session = secrets.token_hex(4)
        calls = [("/sync/start", {"minUsn": 0, "lnewer": False, "graves": None}),
                 ("/sync/applyChanges", {"changes": {"models": [], "decks": [[], []], "tags": []}})]
        for path, payload in calls:
            strict_json(self.ask(path, payload, session).data)
        while not strict_json(self.ask("/sync/chunk", {}, session).data)["done"]:
            pass

    def digest(self, but: Iterable[str] = ()) -> str:
        """Of all rows of the collection and the media index, `but` for some tables. The files must be sound."""
        seen = sha256()
        for path in [*sorted(self.home.glob("col-*.anki2")), *self.home.glob("media.db")]:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
                db.text_factory = bytes
                db.create_collation("unicase", lambda a, b: (a > b) - (a < b))
                assert db.execute("PRAGMA quick_check").fetchall() == [(b"ok",)]
                for (table,) in db.execute("SELECT CAST(name AS BLOB) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'").fetchall():
                    table = table.decode()
                    if table not in but:
                        seen.update(repr((path.name, table, db.execute(f"SELECT * FROM {table}").fetchall())).encode())
        return seen.hexdigest()

    def leftovers(self) -> list[str]:
        return [p.name for p in self.home.rglob("*") if p.name.startswith("tmp-")]


def media_zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for i, data in enumerate(files.values()):
            z.writestr(str(i), data)
        z.writestr("_meta", json.dumps([[name, str(i)] for i, name in enumerate(files)]))
    return out.getvalue()


def strict_json(text: bytes) -> object:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} in a reply")

    return json.loads(text.decode(), parse_constant=refuse)


class Target:
    def __init__(self, folder: Path) -> None:
        self.base, self.port = folder / "base", free_port()
        self.socket = self.base / "run/fcgi.sock"
        self.running = Running(str(TOP / "tests/serve"), log=folder / "log", PORT=str(self.port), BASE=str(self.base),
                               WORKERS=str(WORKERS), NUSERS=str(USERS), BUILD=str(BUILD), LOGIN_THROTTLE="yes")
        self.running.wait_for("serving ")
        self.pids = until(lambda: len(pids := self.running.workers()) == WORKERS and pids, "all workers")
        self.users: dict[int, User] = {}
        self.innocent = self.user(1)
        self.innocent.upload(collection())
        self.innocent.sync()  # the first one of a day restores buried cards
        self.attacks = 0

    def user(self, number: int) -> User:
        if number not in self.users:
            self.users[number] = User(self, number)
        return self.users[number]

    def admin(self, *words: str) -> None:
        subprocess.run([BUILD / "admin/ankisync-admin", *words], env=os.environ | {"SYNC_BASE": str(self.base)}, check=True,
                       timeout=60, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        status, output = self.running.end(), self.running.output
        assert status == 0 and "Sanitizer" not in output and "runtime error" not in output, output

    # Requests

    def plain(self, path: str, payload: object, header: dict | None = None) -> Answer:
        """As a client that behaves."""
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        with Connection(self.port, 60) as c:
            return c.ask(path, data, header=header or wire.HEADER)

    def direct(self, path: str, params: dict[str, bytes | str], body: bytes | Iterable[bytes] = b"", ends: bool = True) -> Answer | None:
        """To a worker, past the web server. No CONTENT_LENGTH unless the params say so."""
        usual = {"SCRIPT_NAME": path, "REQUEST_METHOD": "POST", "REMOTE_ADDR": "192.0.2.1"}
        return fastcgi.ask(self.socket, usual | params, body, ends)

    @contextmanager
    def watch(self, bound: Bound, what: str, requests: int = 1) -> Iterator[None]:
        """What is sent meanwhile may cost no more than the bound allows, and others are served afterwards."""
        for pid in self.pids:
            with suppress(PermissionError):  # only root may; the peak is then that of all requests so far
                Path(f"/proc/{pid}/clear_refs").write_text("5")
        held = {pid: _mib(pid, "VmRSS") for pid in self.pids}
        before = self._usage()
        yield
        after = self._usage()
        assert [pid for pid, _ in before] == [pid for pid, _ in after], f"{what}: a worker has ended"
        bound.note(max(_mib(pid, "VmHWM") - max(0, held[pid] - REST_MIB) for pid in self.pids),
                   sum(cpu for _, cpu in after) - sum(cpu for _, cpu in before), what, requests)
        self.attacks += 1
        if self.attacks % 5 == 0:
            with Connection(self.port, 250) as c:
                assert c.ask("/health", verb="GET", framing=None, header=None).status == 200, what
            assert self.innocent.meta()["cont"] is True, what

    def attack(self, bound: Bound, what: str, send: Callable[[], Answer | None]) -> Answer | None:
        """One request that is watched, and whose answer must put the fault where it is."""
        with self.watch(bound, what):
            answer = send()
        if answer is not None:
            assert answer.complete and answer.status in STATUSES, (what, answer.status, answer.body)
        return answer

    def _usage(self) -> list[tuple[str, float]]:
        """Of each worker: who it is (a process id with its time of birth), and seconds of CPU."""
        found = []
        for pid in self.pids:
            with suppress(FileNotFoundError):
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                found.append((f"{pid} {fields[19]}", (int(fields[11]) + int(fields[12])) / TICKS))
        return found


def _mib(pid: int, key: str) -> float:
    return int(Path(f"/proc/{pid}/status").read_text().split(key + ":")[1].split()[0]) / 1024


def form(parts: dict[str, bytes | str], boundary: str = BOUNDARY) -> bytes:
    """As clients before 2023 send it; `data` must be packed already."""
    body = b""
    for name, value in parts.items():
        value = value.encode() if isinstance(value, str) else value
        file = '; filename="data"' if name == "data" else ""
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


def form_type(boundary: str = BOUNDARY) -> str:
    return f"multipart/form-data; boundary={boundary}"
