"""A server of our own, whose data a test may look at and spoil, with its administrator's command."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

from running import TOP, Running, free_port

BUILD = Path(os.environ.get("BUILD", TOP / "build"))
# One by day; at night a tenth of what the random tests of collections get (tests/README.md).
NIGHTLY_SEEDS = [int(os.environ.get("SEED", "6")) + n for n in range(1 + int(os.environ.get("SEEDS", "0")) // 10)]


class Served:
    """tests/serve on a folder; `start` again after `stop`, with other settings if need be."""

    def __init__(self, folder: Path, users: int, **settings: str) -> None:
        self.base = folder / "base"
        self.log = folder / "log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.settings = {"NUSERS": str(users), "WORKERS": "4", "BUILD": str(BUILD)} | settings
        self.running: Running | None = None
        self.start()

    def start(self, **settings: str) -> None:
        self.running = Running(
            str(TOP / "tests/serve"), log=self.log, PORT=str(self.port), BASE=str(self.base), **(self.settings | settings)
        )
        self.running.wait_for("serving ")

    def stop(self) -> None:
        if self.running:
            status = self.running.end()
            assert status == 0, self.running.output
            assert "Sanitizer" not in self.running.output and "runtime error:" not in self.running.output
        self.running = None

    def admin(self, *words: str, status: int = 0) -> str:
        """What the command prints; it must end with this status."""
        done = subprocess.run(
            [BUILD / "admin" / "ankisync-admin", *words],
            env=os.environ | {"SYNC_BASE": str(self.base)}, capture_output=True, text=True, timeout=120,
        )
        assert done.returncode == status, f"{words}: exit {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def home(self, user: str) -> Path:
        return Path(json.loads(self.admin("user", "show", "--json", user))["folder"])

    def list(self, user: str) -> dict[str, str]:
        """Name to SHA-1, as the administrator sees it."""
        return {file["name"]: file["sha1"] for file in json.loads(self.admin("media", "list", "--json", user))}

    def usn(self, user: str) -> int:
        return max((file["usn"] for file in json.loads(self.admin("media", "list", "--json", user))), default=0)

    def content(self, user: str, data: bytes) -> Path:
        """Where the server keeps these bytes."""
        return self.home(user) / "media" / hashlib.sha1(data).hexdigest()

    def check(self, user: str) -> None:
        assert "all is well" in self.admin("media", "check", user)
