"""What an administrator sees and mends, and that devices heal by themselves."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from referee.device import Device
from referee.wire import Wire
from served import Served

# Most are files of the server's, too; the last ones are so short that they lie in its index.
FILES = {f"file {number}.txt": f"content {number:04} ".encode() * (100 if number < 35 else 1) for number in range(40)}


@pytest.fixture
def devices(pair: tuple[Device, Device]) -> tuple[Device, Device]:
    """Two that have all files."""
    first, second = pair
    for name, data in FILES.items():
        first.write_media(name, data)
    first.sync_media()
    second.sync_media()
    assert set(second.media()) == set(FILES)
    return pair


def heal(server: Served, user: str, devices: tuple[Device, Device]) -> int:
    """Nobody changes a file; each device just syncs now and then. How often one was told to sync again."""
    asked = 0
    for _ in range(3):
        for device in devices:
            try:
                device.sync_media()
            except Exception as error:  # noqa: BLE001
                assert "sync again" in str(error), error
                asked += 1
    assert set(server.list(user)) == set(FILES)
    server.check(user)
    for device in devices:
        assert {name: (device.media_dir / name).read_bytes() for name in FILES} == FILES
    return asked


def test_list_and_export(server: Served, user: str, devices: tuple[Device, Device], tmp_path: Path) -> None:
    first, _ = devices
    assert server.list(user) == first.media()
    shown = server.admin("media", "list", user)
    assert "file 7.txt" in shown and first.media()["file 7.txt"] in shown
    folder = tmp_path / "exported"
    assert server.admin("media", "export", user, str(folder)).startswith("40 files")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
    server.admin("media", "export", user, str(folder), status=73)
    server.admin("media", "list", "nobody", status=67)
    server.check(user)


def test_nothing_there(server: Served, user: str, tmp_path: Path) -> None:
    assert server.list(user) == {}
    server.check(user)
    assert server.admin("media", "sweep", user).startswith("0 files")
    assert server.admin("media", "export", user, str(tmp_path / "nothing")).startswith("0 files")


def test_lost_and_damaged_files(server: Served, user: str, devices: tuple[Device, Device]) -> None:
    server.content(user, FILES["file 3.txt"]).unlink()
    damaged = server.content(user, FILES["file 4.txt"])
    damaged.write_bytes(b"contents! " * 130)
    server.content(user, FILES["file 5.txt"]).write_bytes(b"")
    found = server.admin("media", "check", user, status=65)
    assert "missing: file 3.txt" in found and "damaged: file 4.txt" in found and "damaged: file 5.txt" in found
    assert len(server.list(user)) == 40
    assert "3 mended" in server.admin("media", "check", "--repair", user)
    assert len(server.list(user)) == 37
    assert (damaged.parent / f"damaged-{damaged.name}").exists()
    assert 1 <= heal(server, user, devices) <= 2  # each device at most once


def test_lost_file_that_a_device_asks_for(server: Served, user: str, devices: tuple[Device, Device], make_device: Callable[..., Device]) -> None:
    server.content(user, FILES["file 3.txt"]).unlink()
    third = make_device("third")
    with pytest.raises(Exception, match="only one copy|wait a few minutes|in progress|conflict"):
        third.sync_media()
    third.sync_media()
    assert len(third.media()) == 39
    # The devices that have it notice when they have something to send.
    devices[0].write_media("more", b"more")
    with pytest.raises(Exception, match="sync again"):
        devices[0].sync_media()
    devices[0].sync_media()
    third.sync_media()
    assert third.media() == server.list(user)
    server.check(user)


def test_lost_index(server: Served, user: str, devices: tuple[Device, Device]) -> None:
    for path in server.home(user).glob("media.db*"):
        path.unlink()
    heal(server, user, devices)


def test_restored_backup(server: Served, user: str, devices: tuple[Device, Device]) -> None:
    """An older index, while devices have seen later numbers; as many files then as now."""
    first, second = devices
    server.stop()
    server.list(user)
    home = server.home(user)
    shutil.copy(home / "media.db", home / "backup")
    server.start()
    first.delete_media("file 1.txt")
    first.write_media("later", b"later")
    first.sync_media()
    second.sync_media()
    server.stop()
    server.list(user)
    (home / "backup").replace(home / "media.db")
    server.admin("media", "renumber", user)
    server.start()
    for _ in range(3):
        for device in devices:
            try:
                device.sync_media()
            except Exception as error:  # noqa: BLE001
                assert "sync again" in str(error), error
    assert set(server.list(user)) == {*FILES, "later"}
    for device in devices:
        assert device.media() == server.list(user)
    server.check(user)


def test_damaged_index(server: Served, user: str, devices: tuple[Device, Device]) -> None:
    server.stop()
    server.list(user)  # which moves a journal that may be left into the index
    index = server.home(user) / "media.db"
    assert not index.with_name("media.db-wal").exists()
    data = bytearray(index.read_bytes())
    for at in range(0, len(data), 100):
        data[at] ^= 0x55
    index.write_bytes(data)
    server.start()
    with pytest.raises(Exception):  # noqa: B017, PT011
        devices[0].sync_media()
    # Collections go on.
    assert devices[0].account.wire().meta()["cont"]
    assert "the index media.db is damaged" in server.admin("media", "check", user, status=65)
    server.admin("media", "check", "--repair", user)
    assert list(server.home(user).glob("damaged-*-media.db"))
    heal(server, user, devices)


def test_sweep(server: Served, user: str, devices: tuple[Device, Device]) -> None:
    first, second = devices
    for name in ("file 1.txt", "file 2.txt"):
        first.delete_media(name)
    first.write_media("file 3.txt", b"replaced")
    first.sync_media()
    gone = [server.content(user, FILES[f"file {number}.txt"]) for number in (1, 2, 3)]
    assert "3 more" in server.admin("media", "sweep", user)
    assert all(path.exists() for path in gone)
    for path in gone:
        os.utime(path, (time.time() - 90_000,) * 2)
    assert "3 contents that no file needs" in server.admin("media", "check", user)
    assert server.admin("media", "sweep", user).startswith("3 files")
    assert not any(path.exists() for path in gone)
    second.sync_media()
    assert second.media() == server.list(user)
    server.check(user)


def test_quota(server: Served, user: str, wire: Wire, pair: tuple[Device, Device]) -> None:
    first, second = pair
    assert server.admin("user", "quota", user) == "none\n"
    server.admin("user", "quota", user, "50k")
    assert server.admin("user", "quota", user) == "50000\n"
    first.write_media("small", bytes(46_000))
    first.sync_media()
    assert "nearly full" in wire.meta()["msg"] and wire.meta()["cont"]
    first.write_media("large", bytes(20_000))
    with pytest.raises(Exception, match="do not fit: your account on this server may hold 50.0 kB"):
        first.sync_media()
    second.sync_media()
    assert set(second.media()) == {"small"}
    # Room is made by deleting.
    first.delete_media("small")
    first.sync_media()
    second.sync_media()
    assert set(second.media()) == {"large"}
    assert wire.meta()["msg"] == ""
    server.admin("user", "quota", user, "none")
    first.write_media("more", bytes(100_000))
    first.sync_media()
    for size in ("5x", "", "-1", "0", "nan", "1e99"):
        server.admin("user", "quota", user, size, status=64)


def test_full_disk(server: Served, user: str, pair: tuple[Device, Device]) -> None:
    """A clear sentence, nothing lost, and once there is room the next sync goes on."""
    first, second = pair
    first.write_media("before", b"1")
    first.sync_media()
    server.stop()
    server.start(KEEP_FREE_MEGS="1000000000")
    for name, data in FILES.items():
        first.write_media(name, data)
    with pytest.raises(Exception, match="The disk of the sync server is full"):
        first.sync_media()
    second.sync_media()
    assert set(second.media()) == {"before"}
    assert first.account.wire().meta()["cont"]
    server.stop()
    server.start()
    first.sync_media()
    second.sync_media()
    assert second.media() == first.media() == server.list(user)
    assert len(second.media()) == 41
    server.check(user)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_full_file_system(tmp_path: Path, account: object, make_device: Callable[..., Device]) -> None:
    """The same with a disk that is really full, without the reserve."""
    import subprocess

    from referee.accounts import Account

    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "none", disk], check=True)
    server = None
    try:
        server = Served(disk, 1, KEEP_FREE_MEGS="0", WORKERS="1")
        mine = Account(server.url, "u1", "p1")
        first, second = Device(tmp_path / "first", mine), Device(tmp_path / "second", mine)
        try:
            for number in range(60):
                first.write_media(f"file {number}", os.urandom(100_000))
            with pytest.raises(Exception, match="The disk of the sync server is full|server"):
                first.sync_media()
            here = server.list("u1")
            server.check("u1")
            second.sync_media()
            assert second.media() == here
            subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
            first.sync_media()
            second.sync_media()
            assert second.media() == first.media() == server.list("u1")
            server.check("u1")
        finally:
            first.close()
            second.close()
    finally:
        if server:
            server.stop()
        subprocess.run(["umount", disk], check=True)
        shutil.rmtree(disk)
