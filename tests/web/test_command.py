"""ankisync.fcgi from the command line: --check says in words what is wrong, and what to do."""
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile

import pytest

from servers import BUILD, USER

WORKER = BUILD / "fcgi/ankisync.fcgi"


def run(*args, **env):
    done = subprocess.run([WORKER, *map(str, args)], capture_output=True, text=True, stdin=subprocess.DEVNULL, env=env)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def base(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / "something").touch()
    return folder


def test_version_and_usage():
    assert run("--version") == (0, "ankisync 0.1\n")
    assert run("--help")[0] == 0
    for args in (["--nonsense"], ["nonsense"], ["-c"]):
        status, text = run(*args)
        assert status == 64 and "usage:" in text
    status, text = run()
    assert status == 64 and "no listening socket" in text


def test_check_finds_nothing(base):
    status, text = run("--check", SYNC_BASE=str(base), WORKERS="3")
    assert status == 0 and "ok:" in text and "WORKERS = 3\n" in text


def test_check_finds_bad_settings(base, tmp_path):
    conf = tmp_path / "ankisync.conf"
    conf.write_text(f"SYNC_BASE = {base}\nWORKER = 3\n")
    assert run("-c", conf, "--check") == (78, f"ankisync.fcgi: {conf}, line 2: unknown key WORKER; all keys: ankisync.conf(5)\n")
    status, text = run("--check", SYNC_BASE="relative")
    assert status == 78 and "absolute" in text
    status, text = run("--check", SYNC_BASE=str(base), WEB_USERS="root nosuchuser")
    assert status == 1 and "no user nosuchuser" in text
    status, text = run("-c", tmp_path / "absent", "--check")
    assert status == 78 and "absent" in text


def test_check_finds_an_open_folder(base):
    base.chmod(0o755)
    status, text = run("--check", SYNC_BASE=str(base))
    assert status == 1 and f"chmod 700 {base}" in text
    (base / "something").unlink()
    status, text = run("--check", SYNC_BASE=str(base))
    assert status == 0 and "the first worker shuts it" in text
    assert base.stat().st_mode & 0o777 == 0o755


def test_check_finds_lost_accounts(base):
    (base / "users/ab/abcdefghijkl").mkdir(parents=True)
    status, text = run("--check", SYNC_BASE=str(base))
    assert status == 1 and "accounts.db is missing" in text
    (base / "accounts.db").touch()
    assert run("--check", SYNC_BASE=str(base))[0] == 0


def test_check_finds_what_is_not_there(base):
    status, text = run("--check", SYNC_BASE=str(base / "a/b"))
    assert status == 0 and "the first worker makes it" in text
    status, text = run("--check", SYNC_BASE=str(base / "something/b"))
    assert status == 1 and "problem:" in text
    status, text = run("--check", SYNC_BASE=str(base / "something"))
    assert status == 1 and "not a folder" in text
    status, text = run("--check", SYNC_BASE=str(base), LOG=str(base / "something/log"))
    assert status == 1 and "log" in text


def test_data_out_of_reach_is_named():
    """In a folder that does not let the workers in; also when a capability would let them open files there all the same."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="ankisync-reach-"))
    try:
        base, worker = top / "shut/data", top / "ankisync.fcgi"
        base.mkdir(parents=True, mode=0o700)
        shutil.copy2(WORKER, worker)
        top.chmod(0o711)
        (top / "shut").chmod(0o600)
        commands = [[]]
        if os.geteuid() == 0:
            user = pwd.getpwnam(USER)
            os.chown(base, user.pw_uid, user.pw_gid)
            setpriv = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            commands = [setpriv]
            capable = [*setpriv, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
            if subprocess.run([*capable, "true"], capture_output=True).returncode == 0:  # containers may lack it
                commands.append(capable)
        for command in commands:
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(b"\0" + os.fsencode(top))
                listening.listen()
                for option, status in (("--check", 1), (None, 78)):
                    done = subprocess.run([*command, worker, *([option] if option else [])], stdin=listening, text=True,
                                          capture_output=True, env={"SYNC_BASE": str(base)}, timeout=60)
                    text = done.stdout + done.stderr
                    assert done.returncode == status and f"may not enter {top}/shut (mode 600" in text and "chmod o+x" in text, text
    finally:
        (top / "shut").chmod(0o700)
        shutil.rmtree(top)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_check_finds_another_owner(base):
    os.chown(base, 1, 1)
    status, text = run("--check", SYNC_BASE=str(base))
    assert status == 1 and "belongs to" in text and "run the workers" in text
