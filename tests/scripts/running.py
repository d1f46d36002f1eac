"""Starts one of our scripts and looks at the processes below it."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PATIENCE_S = 60


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(what: Callable[[], object], doing: str) -> object:
    """The first true answer of `what`."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if answer := what():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"gave up waiting: {doing}")


def health(port: int, host: str = "127.0.0.1") -> int:
    """The status of /health; 0 if nobody answers."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def below(pid: int) -> dict[int, str]:
    """All processes below this one, with their command lines."""
    found: dict[int, str] = {}
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                pass
    wanted = {pid}
    while more := {child for child, parent in parents.items() if parent in wanted} - wanted:
        wanted |= more
        found |= {child: command_of(child) for child in more}
    return found


class Running:
    """A script in the foreground of a process group of its own, as a terminal would start it."""

    def __init__(self, *command: str, log: Path, stdin: str | None = None, **environment: str) -> None:
        self.log = log
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SYNC_", "SUDO_"))} | environment
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *command],  # a killed suite leaves no server behind
                cwd=TOP, env=env, stdout=out, stderr=out, start_new_session=True,
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            )
        if stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it refused its options, and ended before it read
                self.process.stdin.write(stdin.encode())
                self.process.stdin.close()

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, text: str) -> None:
        until(lambda: text in self.output or self.process.poll() is not None, text)
        assert text in self.output, self.output

    def workers(self) -> list[int]:
        return [pid for pid, line in below(self.process.pid).items() if line.split(" ")[0].endswith("/ankisync.fcgi")]

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Signal it as a whole group, like Ctrl-C in a terminal; all that it started must be gone. Returns its status."""
        pids = below(self.process.pid)
        os.killpg(self.process.pid, how)
        status = self.process.wait(PATIENCE_S)
        until(lambda: not any(command_of(pid) == line != "" for pid, line in pids.items()), "all processes gone")
        return status

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *unused: object) -> None:
        if self.process.poll() is None:
            self.end()
