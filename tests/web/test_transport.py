"""What comes through a web server, and what it looks like then: bodies, replies, failures, signals."""
import hashlib
import os
import random
import signal
import socket
import subprocess
import threading
import time

import pytest

import servers
import wire
from servers import until
from wire import Connection, ask, chunked, compress


@pytest.fixture(scope="module", params=servers.KINDS)
def server(request):
    s = servers.Server(request.param)
    yield s
    s.stop()


def noise(n, seed=1):
    return random.Random(seed).randbytes(n)


def counted(data):
    return {"bytes": len(data), "sha1": hashlib.sha1(data).hexdigest()}


# --- bodies ---

def test_body_in_one_packet(server):
    for framing in ("chunked", "length"):
        assert ask(server.port, "/sync/echo", b'{"a":1}', framing=framing).data == b'{"a":1}'


def test_body_after_the_head(server):
    body = compress(b'{"a":2}')
    with Connection(server.port) as c:
        for framing, pieces in (("transfer-encoding: chunked", chunked(body, 3)), (f"content-length: {len(body)}", [body[:5], body[5:]])):
            c.send(c.head("/sync/echo", framing))
            time.sleep(0.2)
            c.send(*pieces, pause=0.01)
            assert c.receive().data == b'{"a":2}'


def test_large_bodies(server):
    data = noise(20_000_000)
    for framing in ("chunked", "length"):
        assert ask(server.port, "/sync/count", data, framing=framing).json == counted(data)


def test_large_and_slow(server):
    data = noise(3_000_000)
    with Connection(server.port) as c:
        c.send(c.head("/sync/count", "transfer-encoding: chunked"))
        c.send(*chunked(compress(data), 200_000), pause=0.05)
        assert c.receive().json == counted(data)


def test_expect_100(server):
    with Connection(server.port) as c:
        assert c.ask("/sync/echo", b"x" * 100_000, framing="length", extra=["expect: 100-continue"]).data == b"x" * 100_000


@pytest.mark.parametrize("what", ["frame", "after frame"])
def test_client_leaves_in_the_middle(server, what):
    """A body that stops is never worked on: not inside the frame, and not behind it either."""
    data = noise(1_000_000)
    body = compress(data)
    if what == "frame":
        sent, announced = body[:-10], len(body)
    else:
        sent, announced = body, len(body) + 10
    for framing in ("chunked", "length"):
        with Connection(server.port) as c:
            if framing == "length":
                c.send(c.head("/sync/count", f"content-length: {announced}"), sent)
            else:
                c.send(c.head("/sync/count", "transfer-encoding: chunked"), *chunked(sent)[:-1])
            c.socket.shutdown(1)
            try:
                answer = c.receive()
            except OSError:
                continue
            assert answer.status != 200
    assert ask(server.port, "/sync/count", data).json == counted(data)


def test_truncated_frame_in_a_complete_body(server):
    for framing in ("chunked", "length"):
        for cut in (1, 5, 100):
            assert ask(server.port, "/sync/count", compress(noise(1000))[:-cut], framing=framing, pack=False).status == 400


def test_no_frame_at_all(server):
    for payload in (b"", b"{}", b"\0" * 1000):
        for framing in ("chunked", "length"):
            assert ask(server.port, "/sync/echo", payload, framing=framing, pack=False).status == 400


def test_what_follows_the_frame_is_ignored(server):
    assert ask(server.port, "/sync/echo", compress(b"[]") + noise(300_000), pack=False).data == b"[]"


def test_refused_without_reading(server):
    """The reply reaches the client although the worker never read the body."""
    data = noise(20_000_000)
    for framing in ("chunked", "length"):
        assert ask(server.port, "/sync/unread", data, framing=framing).status == 403
    assert ask(server.port, "/sync/nope", data).status == 400


def test_bomb(server):
    """300 MiB of zeros pass, one byte more does not; neither is kept in memory."""
    assert ask(server.port, "/sync/count", b"\0" * (300 << 20)).json["bytes"] == 300 << 20
    assert ask(server.port, "/sync/count", b"\0" * ((300 << 20) + 1)).status == 413
    for pid in server.worker_pids():
        with open(f"/proc/{pid}/status") as f:
            peak = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
        if "build-san" not in str(servers.BUILD):
            assert peak < 60_000


# --- replies ---

def test_small_reply(server):
    for n in (0, 1, 1000, 500_000):
        answer = ask(server.port, "/sync/echo", b"x" * n)
        assert answer.data == b"x" * n
        assert answer.headers["anki-original-size"] == str(n)


def test_large_replies(server):
    data = noise(5_000_000)
    answer = ask(server.port, "/sync/echo", data)
    assert answer.complete and answer.data == data
    answer = ask(server.port, "/sync/stream", b"20000000")
    assert answer.complete and len(answer.data) == 20_000_000
    assert answer.headers["anki-original-size"] == "20000000"


def test_versions_before_11_get_it_plain(server):
    answer = ask(server.port, "/sync/stream", b"300000", header={**wire.HEADER, "v": 10})
    assert "anki-original-size" not in answer.headers
    assert answer.complete and len(answer.body) == 300_000


@pytest.mark.parametrize("version", [10, 11])
def test_reply_that_breaks_off_is_seen(server, version):
    """The client must not take the first half for all: the connection is cut, or the body is no complete frame."""
    for size in (b"1000", b"3000000"):
        try:
            answer = ask(server.port, "/sync/broken", size, header={**wire.HEADER, "v": version})
        except OSError:
            continue
        if answer.status == 200 and answer.complete:
            with pytest.raises(Exception):
                assert version == 11
                assert len(answer.data) == int(size)
    assert ask(server.port, "/sync/echo", b"1").data == b"1"


def test_slow_reader(server):
    with Connection(server.port) as c:
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        body = compress(b"500000")
        c.send(c.head("/sync/stream", "transfer-encoding: chunked"), *chunked(body))
        time.sleep(1)
        answer = c.receive()
        assert answer.complete and len(answer.data) == 500_000


def test_reader_that_leaves(server):
    for _ in range(4):
        with Connection(server.port) as c:
            c.send(c.head("/sync/stream", "transfer-encoding: chunked"), *chunked(compress(b"30000000")))
            c.socket.recv(10)
    assert ask(server.port, "/sync/echo", b"1").data == b"1"
    if server.kind != "apache-fcgid":  # that one ends a worker whose client left, and starts another one
        assert len(server.worker_pids()) == server.workers


def test_statuses(server):
    kinds = {1: 400, 2: 413, 3: 403, 4: 409, 5: 404, 6: 405, 7: 501, 8: 503, 9: 400, 10: 500, 11: 507, 13: 500}
    for kind, status in kinds.items():
        answer = ask(server.port, "/sync/refuse", str(kind).encode())
        assert (answer.status, answer.body) == (status, str(status).encode())
        assert "anki-original-size" not in answer.headers


# --- heads ---

def test_keep_alive(server):
    with Connection(server.port) as c:
        for i in range(30):
            assert c.ask("/sync/echo", b"%d" % i).data == b"%d" % i
        refused = c.ask("/sync/refuse", b"4")
        assert refused.status == 409
        if refused.headers.get("connection") != "close":
            assert c.ask("/sync/echo", b"after").data == b"after"


@pytest.mark.parametrize("path", ["/sync/echo", "//sync/echo", "/anki/sync/echo", "/sync/sync/echo", "/anki/sync/sync/echo",
                                  "/echo", "/anki/echo", "/sync//echo", "/sync/echo?x=/y"])
def test_paths(server, path):
    assert ask(server.port, path, b"[1]").data == b"[1]"


@pytest.mark.parametrize("path,status", [("/sync/nope", 400), ("/msync/echo", 400), ("/sync/Echo", 400), ("/nope", 404),
                                         ("/sync", 404), ("/sync/", 404), ("/sync/echo/", 404), ("/nope/../etc", 404)])
def test_paths_that_lead_nowhere(server, path, status):
    assert ask(server.port, path).status == status


def test_get_and_head(server):
    for verb in ("GET", "HEAD"):
        answer = ask(server.port, "/sync/echo", verb=verb, framing=None, header=None)
        assert answer.status == 405
        assert answer.headers["allow"] == "POST"
        assert ask(server.port, "/health", verb=verb, framing=None, header=None).status == 200
        page = ask(server.port, "/anki/", verb=verb, framing=None, header=None)
        assert page.status == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert ask(server.port, "/health", verb="GET", framing=None, header=None).body == b""
    page = ask(server.port, "/anki/", verb="GET", framing=None, header=None).body.decode()
    assert "http://test/anki/" in page
    assert ask(server.port, "/health", header=None).status == 405


def test_header(server):
    full = wire.HEADER
    assert ask(server.port, "/sync/echo", header=None).status == 400
    for header in ("x", "{}", {**full, "v": "11"}, {**full, "v": 7}, {**full, "v": 256}, {**full, "k": None}):
        assert ask(server.port, "/sync/echo", header=header).status == 400
    for version in (12, 255):
        assert ask(server.port, "/sync/echo", header={**full, "v": version}).status == 501
    assert ask(server.port, "/sync/echo", b"1", header={**full, "c": "x" * 3000, "more": [1]}).data == b"1"


# --- what a worker may do that somebody took over ---

@pytest.mark.skipif("build-san" in str(servers.BUILD), reason="the leak check needs its rights")
def test_worker_is_confined(server):
    can = ask(server.port, "/sync/try").json
    log = server.read_log()
    for lacking, names in (("Landlock", ("system files", "beside", "programs")), ("seccomp", ("sockets",))):
        if f"({lacking}): not in this kernel" in log:
            for name in names:
                can[name] = 0
    assert can.pop("write") == can.pop("itself") == 1
    assert not any(can.values()), can


# A FastCGI client by hand: GET /health, and what comes back.
PEER = """
import socket, struct, sys
def record(kind, data):
    return struct.pack(">BBHHBB", 1, kind, 1, len(data), 0, 0) + data
def pair(name, value):
    return bytes([len(name), len(value)]) + name + value
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    params = pair(b"REQUEST_METHOD", b"GET") + pair(b"SCRIPT_NAME", b"/health")
    s.sendall(record(1, struct.pack(">HB5x", 1, 0)) + record(4, params) + record(4, b"") + record(5, b""))
    print("answer" if b"200" in s.recv(1000) else "nothing")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("web_users,answer", [("", "answer"), ("nobody 33", "answer"), ("www-data", "nothing")])
def test_who_may_talk_to_the_workers(web_users, answer):
    """A socket that is open to everybody; its web server, and nobody else, if the settings say so."""
    s = servers.Server("lighttpd", workers=1, WEB_USERS=web_users)
    try:
        s.folder.chmod(0o711)
        command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "/usr/bin/python3", "-c", PEER, s.folder / "fcgi.sock"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.stdout.strip() == answer, done.stderr
        assert ask(s.port, "/sync/echo", b"1").data == b"1"
        assert ("may not talk to the workers" in s.read_log()) == (answer == "nothing")
    finally:
        s.stop()


# --- many at once ---

def test_many_at_once(server):
    failures = []

    def run(seed):
        try:
            with Connection(server.port) as c:
                for i in range(15):
                    data = noise(random.Random(seed * 100 + i).randrange(200_000), seed)
                    assert c.ask("/sync/count", data).json == counted(data)
        except Exception as e:  # the thread would swallow it
            failures.append(e)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


# --- signals ---

@pytest.fixture(params=servers.KINDS)
def own_server(request):
    s = servers.Server(request.param, workers=1)
    yield s
    s.stop()


def wait_for_end(pid, seconds):
    deadline = time.time() + seconds
    while time.time() < deadline:
        try:
            with open(f"/proc/{pid}/stat") as f:
                if f.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_idle_worker_ends(own_server, sig):
    pid = ask(own_server.port, "/sync/pid").json["pid"]
    assert own_server.worker_pids() == [pid]
    os.kill(pid, sig)
    assert wait_for_end(pid, 60)


def hold(server, c):
    """Sends a request on this connection that occupies its worker until let_go."""
    c.send(c.head("/sync/hold", "transfer-encoding: chunked"), *chunked(compress(b"{}")))
    until(lambda: (server.folder / "data/held").exists())


def let_go(server):
    (server.folder / "data/go").touch()


def test_busy_worker_finishes_the_request(own_server):
    pid = ask(own_server.port, "/sync/pid").json["pid"]
    with Connection(own_server.port) as c:
        hold(own_server, c)
        os.kill(pid, signal.SIGTERM)
        assert not wait_for_end(pid, 0.5)
        let_go(own_server)
        assert c.receive().json == {"pid": pid}
    assert wait_for_end(pid, 60)
    # mod_fcgid sees to its workers itself.
    assert own_server.kind == "apache-fcgid" or [p.poll() for p in own_server.started_workers] == [0]


def test_busy_worker_finishes_the_reply(own_server):
    pid = ask(own_server.port, "/sync/pid").json["pid"]
    with Connection(own_server.port) as c:
        c.send(c.head("/sync/stream", "transfer-encoding: chunked"), *chunked(compress(b"60000000")))
        c.wait()
        os.kill(pid, signal.SIGTERM)
        answer = c.receive()
        assert answer.complete and len(answer.data) == 60_000_000
    assert wait_for_end(pid, 60)


def test_worker_with_a_queue_hears_the_signal():
    """There is always something to do, and yet the worker ends after the request at hand; the others wait for the next one."""
    s = servers.Server("lighttpd", workers=1)
    try:
        old = s.worker_pids()[0]
        asked = [Connection(s.port) for _ in range(10)]
        hold(s, asked[0])
        for c in asked[1:]:
            c.send(c.head("/sync/pid", "transfer-encoding: chunked"), *chunked(compress(b"{}")))
        os.kill(old, signal.SIGTERM)
        let_go(s)
        assert wait_for_end(old, 60)
        s.add_worker()
        assert [c.receive().json["pid"] == old for c in asked] == [True] + 9 * [False]
    finally:
        s.stop()


def test_hangup_reopens_the_log():
    s = servers.Server("lighttpd", workers=1)
    log = s.folder / "spool" / "worker.log"
    try:
        s.conf.write_text(s.conf.read_text() + f"LOG = {log}\n")
        old = s.worker_pids()[0]
        os.kill(old, signal.SIGTERM)
        assert wait_for_end(old, 60)
        worker = s.add_worker()
        assert ask(s.port, "/sync/nope").status == 400
        assert "status=400" in log.read_text()
        log.rename(log.with_suffix(".1"))
        worker.send_signal(signal.SIGHUP)
        until(log.exists)
        assert ask(s.port, "/sync/nope").status == 400
        assert log.read_text().count("status=400") == 1
        assert worker.poll() is None
    finally:
        s.stop()


def test_nothing_secret_in_the_log():
    s = servers.Server("lighttpd", workers=1)
    ask(s.port, "/sync/echo", b'{"p":"pass-word"}', header={**wire.HEADER, "k": "uid.sec-ret"})
    ask(s.port, "/sync/refuse", b"3", header={**wire.HEADER, "k": "uid.sec-ret", "s": "ses-sion"})
    ask(s.port, "/sync/echo", b'pass-word', pack=False, header={**wire.HEADER, "k": "uid.sec-ret"})
    log = s.stop()
    assert "status=403" in log and "from=127.0.0.1" in log and "client=test,1,linux" in log
    assert not any(word in log for word in ("pass-word", "sec-ret", "ses-sion"))


@pytest.mark.skipif(not os.environ.get("NIGHT"), reason="takes half a minute (NIGHT=1)")
def test_head_that_stalls_is_dropped():
    """Half a head on the socket of a single worker; it is free again after 30 seconds."""
    s = servers.Server("lighttpd", workers=1)
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(s.folder / "fcgi.sock"))
            peer.sendall(b"\1\1\0\1\0\10\0\0")
            with Connection(s.port, timeout=100) as c:
                assert c.ask("/sync/echo", b"1").data == b"1"
    finally:
        s.stop()


@pytest.mark.skipif("build-san" in str(servers.BUILD), reason="the quarantine of the sanitizer is no measure")
def test_worker_that_grew_leaves_after_30_seconds():
    s = servers.Server("lighttpd", workers=2)
    try:
        begin = time.time()
        pid = ask(s.port, "/sync/grow", b"300").json["pid"]
        assert not wait_for_end(pid, 5)
        deadline = begin + 300
        while not wait_for_end(pid, 0.5):
            assert time.time() < deadline
            assert ask(s.port, "/sync/echo", b"1").data == b"1"
        assert time.time() - begin > 25
        assert ask(s.port, "/sync/echo", b"1").data == b"1"
        assert len(s.worker_pids()) == 1
    finally:
        s.stop()
