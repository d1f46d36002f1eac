"""An old client as a device of a test: a process of its own that does as it is told (agent.py)."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from referee.accounts import Account
from referee.dump import VOLATILE_CONFIG, differences

VERSIONS = tuple(os.environ.get("OLD_VERSIONS", "2.1.49 2.1.56").split())
NO_CHANGES = "NO_CHANGES"
FULL_SYNC = "FULL_SYNC"

# Where the environments of the old clients are, one folder for each version.
VENVS = Path(os.environ.get("OLD_CLIENTS", Path(__file__).parents[2] / ".venv-old"))

# Ids made in a burst run ahead of the clock, by no more than this in milliseconds.
ID_LEAD = 5000


class OldClientError(Exception):
    """What the client would show to its user."""


class OldDevice:
    """A client of one account, kept in its own folder; calls become requests to its process."""

    def __init__(self, folder: Path, account: Account, version: str) -> None:
        folder.mkdir(parents=True)
        self.version = version
        self.account = account
        self._media_seen = 0
        # This is how clients before 2023 are told about a server of one's own; later ones are told at login.
        endpoints = {
            "SYNC_ENDPOINT": account.url + "sync/",
            "SYNC_ENDPOINT_MEDIA": account.url + "msync/",
            "SYNC_URL_HERE": account.url,
        }
        self._process = subprocess.Popen(
            [VENVS / version / "bin" / "python", Path(__file__).with_name("agent.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | endpoints,
            text=True,
        )
        self.tell("open", path=str(folder / "collection.anki2"))

    def tell(self, what: str, **arguments: Any) -> Any:
        """Have the client do something; raises what it raises."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"do": what, "with": arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the client {self.version} has died"
        answer = json.loads(line)
        if "error" in answer:
            raise OldClientError(answer["error"])
        return answer["ok"]

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    # Syncing

    def login(self) -> None:
        self.tell("login", name=self.account.name, password=self.account.password)

    def try_sync(self) -> tuple[str, str]:
        """What is still required, and the server's message."""
        required, message = self.tell("sync")
        return required, message

    def sync(self) -> None:
        """A collection sync that must need nothing more."""
        required, message = self.try_sync()
        assert (required, message) == (NO_CHANGES, ""), f"{required} {message}"
        left = {table: count for table, count in self.tell("counts").items() if count}
        assert not left, f"not sent: {left}"

    def upload(self) -> None:
        self.tell("full", upload=True)

    def download(self) -> None:
        self.tell("full", upload=False)

    def sync_media(self) -> None:
        self.tell("media_sync")
        self._media_seen = int(time.time())

    # Content

    def add_note(
        self,
        front: str,
        back: str = "",
        *,
        deck: str = "Default",
        notetype: str = "Basic",
        tags: list[str] | None = None,
    ) -> int:
        return self.add_notes([front], back, deck=deck, notetype=notetype, tags=tags)[0]

    def add_notes(
        self,
        fronts: list[str],
        back: str = "",
        *,
        deck: str = "Default",
        notetype: str = "Basic",
        tags: list[str] | None = None,
    ) -> list[int]:
        nids = self.tell(
            "add_notes", fronts=fronts, back=back, deck=deck, notetype=notetype, tags=tags or []
        )
        ahead = max(nids) + 1 - time.time() * 1000
        if 0 < ahead < ID_LEAD:
            time.sleep(ahead / 1000)
        return nids

    def review(self, search: str, ease: int = 3) -> None:
        for cid in self.tell("card_ids", search=search):
            self.tell("review", cid=cid, ease=ease)

    # Media

    @property
    def media_dir(self) -> Path:
        return Path(self.tell("media_dir"))

    def _wait_for_next_second(self) -> None:
        """The client looks at its folder again only when the folder's time, in whole seconds, has changed.

        Times of files come from a clock that may be some milliseconds behind.
        """
        while int(time.time() - 0.05) <= self._media_seen:
            time.sleep(0.02)

    def delete_media(self, name: str) -> None:
        self._wait_for_next_second()
        (self.media_dir / name).unlink()

    def write_media(self, name: str, data: bytes) -> None:
        """As a file manager would; times of files are compared in whole seconds, too."""
        self._wait_for_next_second()
        path = self.media_dir / name
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        second = (
            int.from_bytes(hashlib.sha1(name.encode() + data).digest()[:3], "big") + 1_400_000_000
        )
        os.utime(path, (second, second))

    def media(self) -> dict[str, str]:
        return {
            p.name: hashlib.sha1(p.read_bytes()).hexdigest()
            for p in self.media_dir.iterdir()
            if p.is_file()
        }

    # Judging

    def dump(self) -> dict[str, Any]:
        dump = self.tell("dump")
        dump["config"] = {k: v for k, v in dump["config"].items() if k not in VOLATILE_CONFIG}
        return dump

    def problems(self) -> str:
        """What Check Database complains about."""
        report = self.tell("check_database")
        return "\n".join(
            line
            for line in report.splitlines()
            if line.strip() and "rebuilt and optimized" not in line
        )


def assert_agree(*devices: Any, but: tuple[str, ...] = ()) -> None:
    """Devices of any version hold the same, in the words that all of them know, and are sound.

    Keys of objects that one version does not know are not compared; `but` names more that
    may differ, by the end of their path.
    """
    first = _as_json(devices[0].dump())
    for device in devices[1:]:
        left, right = _common(first, _as_json(device.dump()))
        found = (
            [d for d in differences(left, right) if not d.split(":")[0].endswith(but)]
            if but
            else differences(left, right)
        )
        assert not found, f"{len(found)} differences:\n" + "\n".join(found[:20])
    for device in devices:
        assert not device.problems()


def _as_json(dump: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(dump))


def _common(left: Any, right: Any, depth: int = 0) -> tuple[Any, Any]:
    """Both sides with the keys of objects (below table and id) that both of them have."""
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        pairs = [_common(a, b, depth) for a, b in zip(left, right)]
        return [a for a, _ in pairs], [b for _, b in pairs]
    if not isinstance(left, dict) or not isinstance(right, dict):
        return left, right
    shared = left.keys() & right.keys()
    pairs_by_key = {key: _common(left[key], right[key], depth + 1) for key in shared}
    new_left = {key: pair[0] for key, pair in pairs_by_key.items()}
    new_right = {key: pair[1] for key, pair in pairs_by_key.items()}
    if depth < 2:  # tables and ids must all be there
        new_left |= {key: left[key] for key in left.keys() - shared}
        new_right |= {key: right[key] for key in right.keys() - shared}
    return new_left, new_right
