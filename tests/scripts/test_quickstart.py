"""deploy/quickstart: a newcomer's first five minutes."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import socket
from pathlib import Path

from anki.collection import Collection
from running import PATIENCE_S, TOP, Running, free_port, health


def quickstart(tmp_path: Path, *arguments: str, stdin: str | None = None, name: str = "log") -> Running:
    return Running("deploy/quickstart", "--data", str(tmp_path / "data"), *arguments, log=tmp_path / name, stdin=stdin)


def login(port: int, user: str, password: str, tmp_path: Path) -> str:
    collection = Collection(str(tmp_path / "client.anki2"))
    try:
        return collection.sync_login(user, password, f"http://127.0.0.1:{port}/").hkey
    finally:
        collection.close()


def test_first_and_second_start(tmp_path: Path) -> None:
    port = free_port()
    options = ("--user", "alice", "--password-stdin", "--port", str(port))
    with quickstart(tmp_path, *options, stdin="open sesame\n") as first:
        first.wait_for("Ctrl-C")
        assert f"http://127.0.0.1:{port}/" in first.output
        assert "alice" in first.output and "open sesame" not in first.output
        assert login(port, "alice", "open sesame", tmp_path)
        assert first.end(signal.SIGINT) == 0
    assert health(port) == 0
    # Without naming a user: the one that is there is enough.
    with quickstart(tmp_path, "--port", str(port), name="second") as second:
        second.wait_for("Ctrl-C")
        assert login(port, "alice", "open sesame", tmp_path)
    # The same command once more is no mistake.
    with quickstart(tmp_path, *options, stdin="open sesame", name="third") as third:
        third.wait_for("Ctrl-C")
        assert login(port, "alice", "open sesame", tmp_path)


def test_on_a_terminal_it_asks(tmp_path: Path) -> None:
    port = free_port()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(TOP)
        os.execv("deploy/quickstart", ["quickstart", "--data", str(tmp_path / "data"), "--port", str(port)])
    seen = b""

    def wait_for(text: bytes) -> None:
        nonlocal seen
        while text not in seen:
            assert select.select([terminal], [], [], PATIENCE_S)[0], seen
            seen += os.read(terminal, 4096)
        seen = seen.split(text, 1)[1]

    wait_for(b"Name of the first user")
    os.write(terminal, b"alice\n")
    for prompt in (b"assword", b"again"):
        wait_for(prompt)
        os.write(terminal, b"open sesame\n")
    wait_for(b"log in as alice")
    wait_for(b"Ctrl-C")
    assert login(port, "alice", "open sesame", tmp_path)
    os.write(terminal, b"\x03")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert health(port) == 0


def test_data_is_nobody_elses_business(tmp_path: Path) -> None:
    with quickstart(tmp_path, "--user", "a", "--password-stdin", "--port", str(free_port()), stdin="b\n") as running:
        running.wait_for("Ctrl-C")
        data = tmp_path / "data"
        for path in [data, *data.rglob("*")]:
            assert path.stat().st_mode & 0o077 == 0 or path.is_socket(), path


def test_all_addresses(tmp_path: Path) -> None:
    port = free_port()
    with quickstart(tmp_path, "--user", "a", "--password-stdin", "--listen", "::1", "--port", str(port), stdin="b\n") as running:
        running.wait_for("Ctrl-C")
        assert f"http://[::1]:{port}/" in running.output
        assert health(port, "::1") == 200


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        running = quickstart(tmp_path, "--port", str(port))
        assert running.process.wait(60) == 1
        assert re.search(rf"port {port} .*process {os.getpid()}", running.output)
        assert "--port" in running.output


def test_without_user_and_terminal_it_says_what_to_do(tmp_path: Path) -> None:
    running = quickstart(tmp_path, "--port", str(free_port()))
    assert running.process.wait(60) == 1
    assert "--user NAME --password-stdin" in running.output


def test_bad_options_are_refused(tmp_path: Path) -> None:
    for options in (["--port", "0"], ["--port", "99999"], ["--port"], ["--password-stdin"], ["--nonsense"], ["--user", "a:b"]):
        running = quickstart(tmp_path, *options, stdin="x\n")
        assert running.process.wait(60) != 0, options
    assert not (tmp_path / "data").exists()
