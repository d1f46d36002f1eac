"""The whole server behind each web server (tests/serve): login, large and broken uploads, paths, statuses, signals."""
import base64
import contextlib
import fcntl
import os
import pathlib
import random
import signal
import sqlite3
import threading
import time

import pytest
import zstandard

import wire
from served import Served, User
from servers import TOP, until
from wire import Connection, ask, chunked, compress

NOTES = 3500
LIMIT_MIB = 3 * 20


@pytest.fixture(scope="module", params=["lighttpd", "nginx", "apache-proxy", "apache-fcgid"])
def server(request):
    s = Served(request.param, MAX_SYNC_PAYLOAD_MEGS=str(LIMIT_MIB // 3))
    yield s
    s.stop()


@pytest.fixture
def user(server):
    return User(server)


@pytest.fixture(scope="session")
def collection(tmp_path_factory):
    """A collection of more than 20 MB, also when compressed."""
    path = tmp_path_factory.mktemp("collection") / "collection.anki2"
    packed = (TOP / "tests/vectors/collections/rich-18.anki2.zst").read_bytes()
    path.write_bytes(zstandard.ZstdDecompressor().decompressobj().decompress(packed))
    db = sqlite3.connect(path)
    rng = random.Random(7)
    mid = db.execute("SELECT mid FROM notes").fetchone()[0]
    fields = db.execute("SELECT flds FROM notes WHERE mid = ?", [mid]).fetchone()[0].count("\x1f")
    db.executemany("INSERT INTO notes VALUES (?,?,?,0,0,'',?,'',0,0,'')",
                   [(i + 1, f"guid{i}", mid, base64.b64encode(rng.randbytes(6000)).decode() + "\x1f" * fields) for i in range(NOTES)])
    db.commit()
    db.close()
    data = path.read_bytes()
    assert len(compress(data)) > 20_000_000 and len(data) < LIMIT_MIB << 20
    return data


def count_notes(data, path):
    path.write_bytes(data)
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT count(*) FROM notes").fetchone()[0]


# --- bodies ---

def test_login_and_meta_however_they_arrive(server, user):
    for framing in ("chunked", "length"):
        assert ask(server.port, "/sync/hostKey", user.login, framing=framing).json["key"]
        assert user.meta(framing=framing).json["cont"] is True
    body = compress(b'{"v":11,"cv":"test"}')
    for framing, pieces in (("transfer-encoding: chunked", chunked(body, 2)), (f"content-length: {len(body)}", [body[:3], body[3:]])):
        with Connection(server.port) as c:
            c.send(c.head("/sync/meta", framing, header=user.header))
            time.sleep(0.2)
            c.send(*pieces, pause=0.01)
            assert c.receive().json["cont"] is True


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_large_collection_there_and_back(server, user, collection, framing, tmp_path):
    assert user.ask("/sync/upload", collection, framing=framing).data == b"OK"
    assert user.state["empty"] is False
    answer = user.ask("/sync/download")
    assert answer.complete and int(answer.headers["anki-original-size"]) == len(answer.data)
    assert count_notes(answer.data, tmp_path / "a.anki2") == count_notes(collection, tmp_path / "b.anki2")


def test_upload_that_stops_changes_nothing(server, user, collection):
    small = zstandard.ZstdDecompressor().decompressobj().decompress((TOP / "tests/vectors/collections/new-18.anki2.zst").read_bytes())
    assert user.ask("/sync/upload", small).data == b"OK"
    before = user.state
    body = compress(collection)
    for cut in (1, 1000, len(body) // 2, len(body) - 1):
        while user.meta().status == 503:  # uploads that were left are still being read, and a user gets half of the workers
            time.sleep(0.1)
        # all of the body arrived, but not all of the frame
        assert user.ask("/sync/upload", body[:cut], pack=False).status == 400
        # the client left
        for framing in (f"content-length: {len(body)}", "transfer-encoding: chunked"):
            with Connection(server.port) as c:
                pieces = [body[:cut]] if framing.startswith("content") else chunked(body[:cut])[:-1]
                c.send(c.head("/sync/upload", framing, header=user.header), *pieces)
    # nothing behind the frame is missing, yet the client left before it was done
    with Connection(server.port) as c:
        c.send(c.head("/sync/upload", f"content-length: {len(body) + 1}", header=user.header), body)
        c.socket.shutdown(1)
        with contextlib.suppress(OSError):
            assert c.receive().status != 200
    while user.meta().status == 503:  # one of them is still being read, and a user gets half of the workers
        time.sleep(0.1)
    assert user.state == before
    for _ in range(200):  # a worker may still be noticing
        left = [p.name for p in user.home.iterdir() if p.name.startswith("tmp-")]
        if not left:
            break
        time.sleep(0.1)
    assert not left


def test_too_large_an_upload(server, user):
    for mib, size in ((LIMIT_MIB, 0), (LIMIT_MIB, 1), (LIMIT_MIB * 5, 0)):
        answer = user.ask("/sync/upload", b"\0" * ((mib << 20) + size))
        assert answer.status == 200 and answer.data != b"OK"
    assert user.state["empty"] is True
    # a payload that is no upload
    assert user.ask("/sync/applyChunk", b" " * ((LIMIT_MIB << 20) + 1)).status == 413


def test_refused_before_the_body_is_read(server, user, collection):
    for header in (wire.HEADER, {**wire.HEADER, "k": "nobody.secret"}, {**wire.HEADER, "k": user.key + "x"}):
        for framing in ("chunked", "length"):
            assert ask(server.port, "/sync/upload", collection, header=header, framing=framing).status == 403


def test_bad_bodies(server, user):
    for payload in (b"", b"{}", compress(b'{"v":11,"cv":"test"}')[:-1], compress(b"{"), compress(b"\xff")):
        for framing in ("chunked", "length"):
            assert user.ask("/sync/meta", payload, pack=False, framing=framing).status == 400
    assert user.ask("/sync/meta", compress(b'{"v":11,"cv":"test"}') + b"more", pack=False).status == 200


# --- heads ---

def test_keep_alive(server, user):
    with Connection(server.port) as c:
        for _ in range(30):
            assert c.ask("/sync/meta", b'{"v":11,"cv":"test"}', header=user.header).json["cont"] is True


@pytest.mark.parametrize("prefix", ["", "/", "/anki", "/anki/", "/sync", "/sync/", "/anki/sync"])
def test_addresses_that_people_type(server, user, prefix):
    assert user.ask(f"{prefix}/sync/meta", b'{"v":11,"cv":"test"}').json["cont"] is True
    assert user.ask(f"{prefix}/msync/begin", b'{"v":"test"}').json["err"] == ""
    if not prefix.rstrip("/").endswith("sync"):
        assert user.ask(f"{prefix}/meta", b'{"v":11,"cv":"test"}').json["cont"] is True
        assert user.ask(f"{prefix}/begin", b'{"v":"test"}').json["err"] == ""


def test_statuses(server, user):
    def status(path, **kw):
        return ask(server.port, path, **{"header": user.header, **kw}).status

    assert status("/sync/hostKey", payload=user.login.replace(b'"p":"p', b'"p":"wrong')) == 403
    assert status("/sync/meta", payload=b'{"v":7,"cv":"test"}') == 501
    assert status("/sync/meta", header={**user.header, "v": 12}) == 501
    assert status("/sync/meta", header={**user.header, "v": 7}) == 400
    assert status("/sync/meta", header="nonsense") == 400
    assert status("/sync/meta", header=None) == 400
    assert status("/sync/chunk") == 409
    assert status("/sync/nope") == 400
    assert status("/msync/meta") == 400
    assert status("/nope") == 404
    for verb in ("GET", "HEAD"):
        assert status("/sync/meta", verb=verb, framing=None) == 405
        assert status("/health", verb=verb, framing=None) == 200
        assert status("/", verb=verb, framing=None) == 200
    assert status("/health") == 405


def test_version_10_by_header_gets_it_plain(user):
    answer = ask(user.port, "/sync/meta", b'{"v":10,"cv":"test"}', header={**user.header, "v": 10})
    assert "anki-original-size" not in answer.headers
    assert answer.json["cont"] is True


# --- signals ---

def test_sigterm_while_requests_wait(server, user):
    """Workers that are told to end finish what they have begun, and others take their place."""
    user.meta()
    old = set(server.worker_pids())
    assert old  # mod_fcgid starts the second one when it is needed
    answers = []
    slot = f":{(user.home / 'slot-0').stat().st_ino} "
    with open(user.home / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread = threading.Thread(target=lambda: answers.append(user.meta()))
        thread.start()
        until(lambda: slot in pathlib.Path("/proc/locks").read_text())  # whoever waits for the lock has a slot
        for pid in old:
            os.kill(pid, signal.SIGTERM)
        # One waited for the lock, and still does.
        until(lambda: len(old & set(server.worker_pids())) <= 1)
        assert len(old & set(server.worker_pids())) == 1 and not answers
    thread.join()
    assert answers[0].json["cont"] is True
    while old & set(server.worker_pids()):
        time.sleep(0.05)
    for _ in range(5):
        assert user.meta().status == 200
