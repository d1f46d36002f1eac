"""What a disk may hold after the power went: made from a record of the calls that changed files (watch.h).

A state of the disk is what was synced for certain, and of the rest whatever the disk liked: nothing, the names without
the data, the data without the names, or any part of each, torn at sectors.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512


@dataclass
class Call:
    kind: str
    at: int
    path: str
    to: str
    data: bytes


def read_record(file: Path) -> list[Call]:
    """`SIZE KIND NUMBER PATH[\\tPATH]`, a newline, and SIZE bytes; again and again."""
    raw, calls, at = file.read_bytes(), [], 0
    while at < len(raw):
        end = raw.index(b"\n", at)
        size, kind, number, names = raw[at:end].decode().split(" ", 3)
        path, _, to = names.partition("\t")
        data = raw[end + 1 : end + 1 + int(size)]
        calls.append(Call(kind, int(number), path, to, data))
        at = end + 1 + int(size)
    return calls


@dataclass
class File:
    now: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    since: list[tuple[int, bytes]] = field(default_factory=list)  # writes since the last sync; a cut is (length, b"")

    def sync(self) -> None:
        self.synced = bytes(self.now)
        self.since.clear()


class Folder(dict):
    """Name to File or Folder, as it is now; `synced` is how it was at its last sync."""

    def __init__(self) -> None:
        super().__init__()
        self.synced: dict[str, File | Folder] = {}

    def sync(self) -> None:
        self.synced = dict(self)


class Disk:
    """What is on it now, and what will be for certain."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.root = self._load(base)

    def _load(self, path: Path) -> Folder:
        folder = Folder()
        for entry in path.iterdir():
            if entry.is_dir():
                folder[entry.name] = self._load(entry)
            else:
                file = File(bytearray(entry.read_bytes()))
                file.sync()
                folder[entry.name] = file
        folder.sync()
        return folder

    def _folder(self, path: str) -> tuple[Folder, str]:
        parts = Path(path).relative_to(self.base).parts
        folder = self.root
        for part in parts[:-1]:
            folder = folder[part]
        return folder, parts[-1] if parts else ""

    def _at(self, path: str) -> File | Folder | None:
        folder, name = self._folder(path)
        return folder.get(name) if name else folder

    def everything(self, folder: Folder | None = None) -> Iterator[File | Folder]:
        folder = self.root if folder is None else folder
        yield folder
        for entry in folder.values():
            if isinstance(entry, Folder):
                yield from self.everything(entry)
            else:
                yield entry

    def apply(self, call: Call) -> None:
        if call.kind == "note" or call.path.endswith(" (deleted)"):
            return
        folder, name = self._folder(call.path)
        if call.kind == "create":
            folder[name] = File()
        elif call.kind == "mkdir":
            folder[name] = Folder()
        elif call.kind == "unlink":
            folder.pop(name, None)
        elif call.kind == "rename":
            other, new = self._folder(call.to)
            other[new] = folder.pop(name)
        elif call.kind == "syncfs":
            for entry in list(self.everything()):
                entry.sync()
        elif call.kind == "fsync":
            entry = self._at(call.path)
            assert entry is not None, call.path
            entry.sync()
        elif call.kind == "write":
            file = self._at(call.path)
            assert isinstance(file, File), call.path
            file.since.append((call.at, call.data))
            _write(file.now, call.at, call.data)
        elif call.kind == "truncate":
            file = self._at(call.path)
            assert isinstance(file, File), call.path
            file.since.append((call.at, b""))
            _cut(file.now, call.at)
        else:
            raise AssertionError(call.kind)

    def save(self, to: Path, names: str, data: str, seed: int = 0) -> None:
        """Write a state: `names` and `data` are each `synced`, `now` or `any`."""
        shutil.rmtree(to, ignore_errors=True)
        self._save(self.root, to, names, data, random.Random(seed))

    def _save(self, folder: Folder, to: Path, names: str, data: str, rng: random.Random) -> None:
        to.mkdir(mode=0o700)
        entries = dict(folder.synced)
        for name in {*folder, *folder.synced}:
            if names == "now" or (names == "any" and rng.random() < 0.5):
                if name in folder:
                    entries[name] = folder[name]
                else:
                    entries.pop(name, None)
        for name, entry in entries.items():
            if isinstance(entry, Folder):
                self._save(entry, to / name, names, data, rng)
            else:
                (to / name).write_bytes(_content(entry, data, rng))
                (to / name).chmod(0o600)


def _write(content: bytearray, at: int, data: bytes) -> None:
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    content[at : at + len(data)] = data


def _cut(content: bytearray, length: int) -> None:
    if len(content) < length:
        content.extend(bytes(length - len(content)))
    del content[length:]


def _content(file: File, data: str, rng: random.Random) -> bytes:
    if data == "now":
        return bytes(file.now)
    content = bytearray(file.synced)
    for at, piece in file.since if data == "any" else ():
        if rng.random() < 0.3:
            continue
        if not piece:
            _cut(content, at)
            continue
        for start in range(0, len(piece), SECTOR):
            if rng.random() < 0.8:
                _write(content, at + start, piece[start : start + SECTOR])
    return bytes(content)
