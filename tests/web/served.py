"""The whole server behind a web server, as tests/serve runs it, and its users."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import wire
from servers import BUILD, TOP, build_worker, children, free_port, is_worker
from wire import ask


class Served:
    """Until stop(). `settings` are environment."""

    def __init__(self, kind, program="fcgi/ankisync.fcgi", **settings):
        self.kind, self.port, self.worker = kind, free_port(), build_worker(program)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ankisync-serve-"))
        self.folder.chmod(0o711)  # as root, Apache and its workers are another user
        self.base = self.folder / "base"
        self.log = open(self.folder / "log", "wb")
        env = {**os.environ, "PORT": str(self.port), "BASE": str(self.base), "WEB": kind, "WORKERS": "2", "NUSERS": "40",
               "BUILD": str(BUILD), "WORKER": str(self.worker), **settings}
        self.process = subprocess.Popen([TOP / "tests/serve"], env=env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.users = iter(range(1, 41))
        try:
            while b"\nserving " not in b"\n" + self.read_log():
                assert self.process.poll() is None, self.read_log().decode()
                time.sleep(0.05)
        except BaseException:
            self.stop()
            raise

    def read_log(self):
        return (self.folder / "log").read_bytes()

    def worker_pids(self):
        return [pid for pid in children(self.process.pid) if is_worker(pid, self.worker)]

    def stop(self):
        self.process.terminate()
        status = self.process.wait()
        self.log.close()
        log = self.read_log().decode(errors="replace")
        shutil.rmtree(self.folder)
        assert status == 0, log
        assert "Sanitizer" not in log and "runtime error" not in log, log


class User:
    """An account with nothing in it."""

    def __init__(self, server):
        number = next(server.users)
        self.port = server.port
        self.login = b'{"u":"u%d","p":"p%d"}' % (number, number)
        self.key = ask(self.port, "/sync/hostKey", self.login).json["key"]
        self.header = {**wire.HEADER, "k": self.key}
        uid = self.key.split(".")[0]
        self.home = server.base / "users" / uid[:2] / uid

    def ask(self, method, payload=b"{}", **kw):
        return ask(self.port, method, payload, header=self.header, **kw)

    def meta(self, **kw):
        return self.ask("/sync/meta", b'{"v":11,"cv":"test"}', **kw)

    @property
    def state(self):
        meta = self.meta().json
        return {key: meta[key] for key in ("mod", "scm", "usn", "empty")}
