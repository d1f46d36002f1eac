"""
The fake worker (fake_core.c), or a real one, behind each web server, with the configurations of deploy/. As root, all of it
runs as www-data: Apache refuses to be root, and the worker's files are its user's alone.
"""
import contextlib
import fcntl
import functools
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", TOP / "build"))
if not BUILD.is_absolute():
    BUILD = TOP / BUILD
KINDS = ["lighttpd", "nginx", "nginx-streaming", "nginx-kept", "apache-proxy", "apache-fcgid"]
USER = "www-data"
MODULES = "/usr/lib/apache2/modules"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@functools.cache
def build_worker(name):
    with open(BUILD / ".lock", "w") as lock:  # as deploy/prepare.sh does it
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["make", "-s", "-C", BUILD, name], check=True, stdout=subprocess.DEVNULL)
    return BUILD / name


def until(condition):
    deadline = time.time() + 60
    while not condition():
        assert time.time() < deadline
        time.sleep(0.01)


def children(pid):
    """All descendants of a process."""
    found = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in path.read_text().split():
                found += [int(child)] + children(int(child))
    return found


class Server:
    """Web server and workers, until stop(). Users u1:p1 … for a real one. `settings` go to the workers' configuration file."""

    def __init__(self, kind, workers=2, program="tests/web/fake-worker", users=0, **settings):
        self.kind, self.workers = kind, workers
        self.port = free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ankisync-web-"))
        self.log = self.folder / "log"
        self.worker = self.folder / "ankisync.fcgi"
        shutil.copy2(build_worker(program), self.worker)
        self.conf = self.folder / "ankisync.conf"
        settings = {"SYNC_BASE": self.folder / "data", "LOG_LEVEL": "debug", "WORKERS": workers, **settings}
        self.conf.write_text("".join(f"{k} = {v}\n" for k, v in settings.items()))
        (self.folder / "spool").mkdir()
        self.prefix = []
        if os.geteuid() == 0:
            user = pwd.getpwnam(USER)
            for path in [self.folder, *self.folder.rglob("*")]:
                os.chown(path, user.pw_uid, user.pw_gid)
            self.prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        self.processes, self.started_workers = [], []
        self.env = {
            "ANKISYNC_LISTEN": "127.0.0.1", "ANKISYNC_PORT": str(self.port), "ANKISYNC_SOCKET": str(self.folder / "fcgi.sock"),
            "ANKISYNC_SPOOL": str(self.folder / "spool"), "ANKISYNC_WORKER": str(self.worker), "ANKISYNC_CONF": str(self.conf),
            "ANKISYNC_WORKERS": str(self.workers), "ANKISYNC_MODULES": MODULES,
        }
        try:
            if users:
                self._make_users(users)
            if kind != "apache-fcgid":
                self._start_workers()
            self.start_web()
        except BaseException:
            self.stop()
            raise

    def _spawn(self, *command, **env):
        with open(self.log, "ab") as log:
            process = subprocess.Popen([*self.prefix, *map(str, command)], cwd=self.folder, stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **env})
        self.processes.append(process)
        return process

    def _make_users(self, count):
        admin = self.folder / "ankisync-admin"
        shutil.copy2(BUILD / "admin/ankisync-admin", admin)
        env = {f"SYNC_USER{i}": f"u{i}:p{i}" for i in range(1, count + 1)}
        subprocess.run([*self.prefix, admin, "user", "import-env"], env={"SYNC_BASE": str(self.folder / "data"), **env}, check=True)

    def _start_workers(self):
        """No supervisor: a worker that ended stays ended, so that tests see it."""
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.env["ANKISYNC_SOCKET"])
        os.chmod(self.env["ANKISYNC_SOCKET"], 0o666)
        self.listener.listen(128)
        for _ in range(self.workers):
            self.add_worker()

    def start_web(self):
        env = self.env
        conf = TOP / "deploy" / ("nginx.conf" if self.kind.startswith("nginx") else f"{self.kind}.conf")
        if self.kind == "lighttpd":
            self.web = self._spawn("lighttpd", "-D", "-f", conf, **env)
        elif self.kind.startswith("nginx"):
            text = conf.read_text()
            if self.kind == "nginx-streaming":
                text = text.replace("fastcgi_request_buffering on", "fastcgi_request_buffering off")
            if self.kind == "nginx-kept":
                text = text.replace("server {", "upstream workers { server unix:ANKISYNC_SOCKET; keepalive 8; }\nserver {", 1)
                text = text.replace("fastcgi_pass unix:ANKISYNC_SOCKET;", "fastcgi_pass workers; fastcgi_keep_conn on;")
            for name in ("ANKISYNC_LISTEN", "ANKISYNC_PORT", "ANKISYNC_SOCKET", "ANKISYNC_SPOOL"):
                text = text.replace(name, env[name])
            own = self.folder / "nginx.conf"
            own.write_text(text)
            self.web = self._spawn("nginx", "-e", "stderr", "-c", own)
        else:
            copy = self.folder / "apache.conf"
            copy.write_text(conf.read_text())
            self.web = self._spawn("apache2", "-DFOREGROUND", "-f", copy, **env)
        deadline = time.time() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)) as s:
                s.sendall(b"GET /health HTTP/1.0\r\n\r\n")
                if b" 200 " in s.recv(100):
                    return
            if time.time() > deadline or self.web.poll() is not None:
                raise RuntimeError(f"{self.kind} does not come up:\n{self.read_log()}")
            time.sleep(0.02)

    def restart_web(self):
        self.web.terminate()
        self.web.wait(60)
        self.processes.remove(self.web)
        self.start_web()

    def reload_web(self):
        """Takes its configuration anew, without letting a request fall."""
        self.web.send_signal(signal.SIGHUP if self.kind.startswith("nginx") else signal.SIGUSR1)

    def add_worker(self):
        with open(self.log, "ab") as log:
            process = subprocess.Popen([*self.prefix, str(self.worker), "-c", str(self.conf)], stdin=self.listener,
                                       stdout=log, stderr=log, env={})
        self.processes.append(process)
        self.started_workers.append(process)
        return process

    def worker_pids(self):
        return [pid for root in self.processes if root.poll() is None for pid in [root.pid, *children(root.pid)]
                if is_worker(pid, self.worker)]

    def read_log(self):
        """Of the web server and of the workers."""
        logs = [self.log, self.folder / "spool/apache.log"]
        return "".join(log.read_text(errors="replace") for log in logs if log.exists())

    def stop(self):
        """SIGTERM, and the log. Whoever does not end is killed."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        late = []
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                late.append(process.args)
                process.kill()
                process.wait()
        log = self.read_log()
        if hasattr(self, "listener"):
            self.listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        assert not late, f"did not end: {late}"
        assert "Sanitizer" not in log and "runtime error" not in log, log
        return log


def is_worker(pid, path):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0] == os.fsencode(path)
    except OSError:
        return False
