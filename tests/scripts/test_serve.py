"""tests/serve: what every other suite relies on."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest
from running import Running, below, command_of, free_port, health, until


@pytest.fixture
def serve(tmp_path: Path):
    """Starts tests/serve on a port of its own and waits until it serves."""
    started = []

    def start(**environment: str) -> tuple[Running, int]:
        port = int(environment.setdefault("PORT", str(free_port())))
        environment.setdefault("BASE", str(tmp_path / "base"))
        running = Running("tests/serve", log=tmp_path / f"{len(started)}.log", **environment)
        started.append(running)
        running.wait_for(f"serving http://127.0.0.1:{port}/")
        return running, port

    yield start
    for running in started:
        if running.process.poll() is None:
            running.end()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything(serve, how: signal.Signals) -> None:
    running, port = serve(NUSERS="1", WORKERS="3")
    assert health(port) == 200
    until(lambda: len(running.workers()) == 3, "three workers")  # the first one may answer before the last one is there
    assert running.end(how) == 0
    assert health(port) == 0


def test_term_to_the_script_alone_is_enough(serve) -> None:
    running, port = serve(NUSERS="1")
    everything = below(running.process.pid)
    os.kill(running.process.pid, signal.SIGTERM)
    assert running.process.wait(20) == 0
    until(lambda: not any(command_of(pid) == line != "" for pid, line in everything.items()), "all processes gone")
    assert health(port) == 0


def test_children_end_with_a_killed_script(serve) -> None:
    running, port = serve(NUSERS="1")
    running.end(signal.SIGKILL)
    assert health(port) == 0


def test_a_dead_worker_is_replaced_again_and_again(serve) -> None:
    running, port = serve(NUSERS="1", WORKERS="1")
    for _ in range(6):
        old = running.workers()
        os.kill(old[0], signal.SIGKILL)
        until(lambda: running.workers() not in ([], old), "another worker")
        assert health(port) == 200


def test_a_second_start_serves_the_same_folder(serve) -> None:
    running, port = serve(NUSERS="2")
    running.end()
    again, _ = serve(NUSERS="2", PORT=str(port))
    assert health(port) == 200
    again.end()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        running = Running("tests/serve", log=tmp_path / "log", PORT=port, BASE=str(tmp_path / "base"))
        assert running.process.wait(30) == 1
        assert f"port {port}" in running.output and f"process {os.getpid()}" in running.output


def test_settings_that_cannot_be_end_it(tmp_path: Path) -> None:
    begin = time.monotonic()
    running = Running("tests/serve", log=tmp_path / "log", PORT=str(free_port()), BASE=str(tmp_path / "base"), LOCK_SECONDS="soon")
    assert running.process.wait(60) == 1
    assert "LOCK_SECONDS" in running.output
    assert time.monotonic() - begin < 60


@pytest.mark.skipif(os.geteuid() != 0, reason="others cannot make data of www-data")
def test_apache_in_a_folder_that_its_user_may_not_enter(serve, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    _, port = serve(NUSERS="1", WEB="apache-proxy")
    assert health(port) == 200


def test_a_long_folder_name_is_no_hindrance(serve, tmp_path: Path) -> None:
    _, port = serve(BASE=str(tmp_path / ("deep" * 30) / "base"))
    assert health(port) == 200
