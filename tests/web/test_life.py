"""Workers and web servers come and go while real Anki clients sync: no sync fails, or the next one is fine, and nothing is lost."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import threading
import time

import anki.collection  # noqa: F401  (anki's own modules need this one first)
import pytest
from anki.errors import NetworkError, SyncError
from referee.accounts import Account
from referee.device import Device

import servers
from served import Served
from servers import until

KINDS = ["lighttpd", "nginx", "apache-proxy", "apache-fcgid"]
NIGHT_S = 300 if os.environ.get("NIGHT") else 0


class Client(threading.Thread):
    """Adds a note and syncs, again and again, until told to stop. What a sync says goes to `failed`."""

    def __init__(self, server, number, folder):
        super().__init__()
        self.account = Account(f"http://127.0.0.1:{server.port}/", f"u{number}", f"p{number}")
        self.folder = folder
        self.device = Device(folder / "first", self.account)
        self.device.add_note("0")
        self.device.upload()
        self.synced, self.failed, self.stopped = 0, [], False

    def run(self):
        note = 0
        try:
            while not self.stopped:
                note += 1
                self.device.add_note(str(note))
                try:
                    self.device.sync()
                    self.synced += 1
                except (NetworkError, SyncError) as e:
                    self.failed.append(e)
        except BaseException as e:  # the thread would swallow it
            self.failed.append(e)
            raise

    def finish(self):
        """The last sync must work, and another device gets all that there is."""
        self.stopped = True
        self.join()
        self.device.sync()
        second = Device(self.folder / "second", self.account)
        second.download()
        assert second.dump() == self.device.dump()
        assert not second.problems()
        second.close()
        self.device.close()


@pytest.mark.parametrize("kind", KINDS)
def test_workers_leave_and_no_sync_fails(kind, tmp_path):
    """After some 40 requests each: no client notices, and the supervisor does not give up."""
    server = Served(kind, program="tests/web/short-lived", NUSERS="2")
    try:
        clients = [Client(server, n, tmp_path / str(n)) for n in (1, 2)]
        seen = set()
        end = time.time() + NIGHT_S
        # mod_fcgid has a socket for each worker: a connection at the wrong microsecond is nobody's.
        bearable = 1 if kind == "apache-fcgid" else 0

        def check():
            failed = [e for client in clients for e in client.failed]
            assert len(failed) <= bearable and all(isinstance(e, (NetworkError, SyncError)) for e in failed), failed
            assert server.process.poll() is None

        for client in clients:
            client.start()
        with contextlib.ExitStack() as stack:
            for client in clients:
                stack.callback(client.finish)
            while len(seen) < 8 or time.time() < end:
                check()
                seen.update(server.worker_pids())
                time.sleep(0.02)
        check()
        if kind != "apache-fcgid":  # that one has a log of its own
            assert b"this worker leaves: age" in server.read_log()
    finally:
        server.stop()


@pytest.mark.parametrize("how", ["reload", "restart"])
@pytest.mark.parametrize("kind", KINDS)
def test_web_server_starts_anew_while_a_client_syncs(kind, how, tmp_path):
    """The client sees an error at most; its next sync is fine, and nothing is lost."""
    server = servers.Server(kind, program="fcgi/ankisync.fcgi", users=1)
    try:
        client = Client(server, 1, tmp_path)
        client.start()
        with contextlib.ExitStack() as stack:
            stack.callback(client.finish)
            for _ in range(4):
                done = client.synced
                until(lambda: client.synced > done or not client.is_alive())
                server.restart_web() if how == "restart" else server.reload_web()
            done = client.synced
            until(lambda: client.synced > done or not client.is_alive())
        assert all(isinstance(e, (NetworkError, SyncError)) for e in client.failed), client.failed
    finally:
        server.stop()


def test_data_that_is_replaced_is_found_again(tmp_path):
    """Another folder under the same name (a backup, a disk that is mounted anew) is out of reach of workers that run: they leave."""
    server = Served("lighttpd", program="tests/web/short-lived", NUSERS="1")
    try:
        client = Client(server, 1, tmp_path)
        shutil.copytree(server.base, server.folder / "copy", ignore=shutil.ignore_patterns("run"))
        server.base.rename(server.folder / "old")
        (server.folder / "copy").rename(server.base)

        def syncs():
            with contextlib.suppress(NetworkError, SyncError):
                client.device.sync()
                return True

        until(syncs)
        client.device.add_note("more")
        until(syncs)
        client.device.close()
    finally:
        server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look at the descriptors of workers, which hide them")
@pytest.mark.skipif(not NIGHT_S, reason="takes more than a minute (NIGHT=1)")
def test_idle_workers_let_go(tmp_path):
    """What a deleted user or a replaced collection leaves open is closed by a worker that nobody asks anything any more."""
    server = Served("lighttpd", NUSERS="2")
    try:
        clients = [Client(server, n, tmp_path / str(n)) for n in (1, 2)]
        for client in clients:
            client.device.sync()

        def held():
            return [os.readlink(fd) for pid in server.worker_pids() for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir()
                    if "/users/" in os.readlink(fd)]

        assert held()
        clients[0].device.upload()
        subprocess.run([servers.BUILD / "admin/ankisync-admin", "user", "del", "u2", "--yes"],
                       env={"SYNC_BASE": str(server.base)}, check=True)
        deadline = time.time() + 180
        while held():
            assert time.time() < deadline, held()
            time.sleep(1)
        for client in clients:
            client.device.close()
    finally:
        server.stop()
