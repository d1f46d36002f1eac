"""What the log of the whole server says about logins and syncs, and `ankisync-admin session` beside a running server."""
import http.client
import json
import os
import subprocess

import pytest

from served import Served, User
from servers import BUILD
from wire import ask

EVIL = 'root"\n2026-01-01T00:00:00.000Z info [1] login user=root \x1b[31m\u009b \\'


@pytest.fixture(params=["text", "json"])
def server(request, tmp_path):
    s = Served("lighttpd", LOG=str(tmp_path / "log"), LOG_FORMAT=request.param, LOGIN_THROTTLE="yes", NUSERS="3")
    s.lines = lambda: (tmp_path / "log").read_text().splitlines()
    s.json = request.param == "json"
    yield s
    s.stop()


def admin(server, *words):
    done = subprocess.run([BUILD / "admin/ankisync-admin", *words], capture_output=True, text=True,
                          env={**os.environ, "SYNC_BASE": str(server.base)})
    assert done.returncode == 0, done.stderr
    return done.stdout


def log_in(server, name, password="wrong"):
    return ask(server.port, "/sync/hostKey", json.dumps({"u": name, "p": password}).encode()).status


def test_logins(server):
    assert log_in(server, "u1", "p1") == 200
    assert [log_in(server, name) for name in ("u1", "nobody", EVIL)] == [403, 403, 403]
    admin(server, "user", "disable", "u2")
    assert log_in(server, "u2", "p2") == 403
    slowed = [log_in(server, "u3")]
    while slowed[-1] != 503:  # one more for each minute that this takes
        slowed.append(log_in(server, "u3"))
    assert len(slowed) >= 11 and slowed[:-1] == [403] * (len(slowed) - 1)
    lines = server.lines()
    assert len(lines) == 5 + len(slowed)
    wanted = [("u1", None), ("u1", "login: wrong password"), ("nobody", "login: no such user"), (EVIL, "login: no such user"),
              ("u2", "login: right password, but disabled"), *[("u3", "login: wrong password")] * (len(slowed) - 1),
              ("u3", "login: slowed after too many wrong passwords for this name from this address")]
    for line, (name, error) in zip(lines, wanted):
        if server.json:
            line = json.loads(line)
            assert (line["user"], line["from"], line["client"], line.get("error")) == (name, "127.0.0.1", "test,1,linux", error)
            assert error is None or (line["event"], line["path"], line["level"]) == ("failed", "/sync/hostKey", "warn")
            assert error is None or line["status"] == (503 if "slowed" in error else 403)
        elif name == EVIL:
            assert r'user="root\"\n2026-01-01T00:00:00.000Z info [1] login user=root \x1b[31m\x9b \\" from=127.0.0.1' in line
        else:
            assert f" user={name} from=127.0.0.1 client=test,1,linux" in line and (error is None or f'error="{error}"' in line)


def test_a_sync_and_a_revoked_key(server):
    user = User(server)
    name = json.loads(user.login)["u"]
    assert user.meta().status == 200
    assert user.ask("/sync/start", b'{"minUsn":0,"lnewer":true}').status == 200
    listed = json.loads(admin(server, "session", "list", "--json", name))[0]["keys"]
    assert [key["client"] for key in listed] == ["test,1,linux"] and listed[0]["used"] and listed[0]["sync_began"]
    admin(server, "user", "rename", name, "renamed")
    assert user.ask("/sync/finish").status == 200
    done = server.lines()[-1]
    if server.json:
        done = json.loads(done)
        assert (done["event"], done["user"], done["outcome"], done["cards_out"]) == ("sync", "renamed", "done", 0)
        assert (done["from"], done["client"]) == ("127.0.0.1", "test,1,linux")
    else:
        assert " sync user=renamed from=127.0.0.1 client=test,1,linux " in done and done.endswith(" outcome=done")
    assert user.ask("/sync/start", b'{"minUsn":0,"lnewer":true}').status == 200
    admin(server, "session", "revoke", "renamed", listed[0]["key"][:10])
    assert user.ask("/sync/finish").status == 403
    assert user.meta().status == 403
    assert json.loads(admin(server, "session", "list", "--json", "renamed"))[0]["keys"] == []


def form(server, method, payload, **parts):
    """As clients before 2023 ask: nothing tells who they are, except `meta`."""
    body = "".join(f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                   for name, value in {"c": "0", **parts, "data": json.dumps(payload)}.items()) + "--x--\r\n"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", f"/sync/{method}", body.encode(), {"Content-Type": "multipart/form-data; boundary=x"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text


def test_old_clients_have_a_name(server):
    cv = "ankidesktop,2.1.26 (70784154),lin:debian:12"
    status, text = form(server, "hostKey", {"u": "u1", "p": "p1"})
    assert status == 200
    parts = {"k": json.loads(text)["key"], "s": "abcde"}
    assert form(server, "meta", {"v": 10, "cv": cv}, **parts)[0] == 200
    assert form(server, "start", {"minUsn": 0, "lnewer": True}, **parts)[0] == 200
    assert form(server, "finish", {}, **parts)[0] == 200
    assert form(server, "chunk", {}, **parts)[0] == 409
    lines = server.lines()[-2:]
    if server.json:
        assert [(x["event"], x["user"], x["client"]) for x in map(json.loads, lines)] == [("sync", "u1", cv), ("failed", "u1", cv)]
    else:
        assert all(f' user=u1 from=127.0.0.1 client="{cv}" ' in line for line in lines)
    assert json.loads(admin(server, "session", "list", "u1", "--json"))[0]["keys"][0]["client"] == cv
