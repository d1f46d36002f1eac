"""Every file reaches every device, whatever happens on the way."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import threading
import time
import unicodedata
from collections.abc import Callable

import pytest
from referee.device import Device
from referee.proxy import Proxy
from referee.wire import Wire
from served import NIGHTLY_SEEDS, Served


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def settle(*devices: Device) -> None:
    """Sync until nobody has anything to say; a device may be told to sync again once."""
    for _ in range(3):
        for device in devices:
            try:
                device.sync_media()
            except Exception as error:  # noqa: BLE001
                assert "sync again" in str(error), error
    for device in devices:
        device.sync_media()


def assert_same(server: Served, user: str, *devices: Device) -> None:
    listed = server.list(user)
    for device in devices:
        assert device.media() == listed
    server.check(user)


def test_a_thousand_small_files(server: Served, user: str, pair: tuple[Device, Device]) -> None:
    first, second = pair
    for number in range(1000):
        first.write_media(f"file {number:04}.jpg", noise(2000 + number, number))
    first.sync_media()
    second.sync_media()
    assert len(second.media()) == 1000
    assert_same(server, user, first, second)


def test_files_of_100_mib(server: Served, user: str, pair: tuple[Device, Device]) -> None:
    first, second = pair
    for number in range(2):
        first.write_media(f"film {number}.mp4", noise(100 << 20, number))
    first.write_media("zeros", bytes(100 << 20))
    first.write_media("too large", noise((100 << 20) + 1, 9))
    first.sync_media()
    second.sync_media()
    assert set(second.media()) == {"film 0.mp4", "film 1.mp4", "zeros"}
    server.check(user)


def change_the_same_files(make_device: Callable[..., Device], seed: int) -> list[Device]:
    rng = random.Random(seed)
    devices = [make_device(f"device {number}") for number in range(3)]
    names = [f"shared {number}" for number in range(6)]
    for _ in range(8):
        for device in devices:
            for name in rng.sample(names, 3):
                if rng.random() < 0.4 and (device.media_dir / name).exists():
                    device.delete_media(name)
                else:
                    device.write_media(name, noise(rng.choice([1, 100, 30_000]), rng.randrange(5)))
        for device in rng.sample(devices, rng.choice([1, 2, 3])):
            device.sync_media()
    settle(*devices)
    return devices


# With some seeds (3, 13) a client keeps a file that it no longer has in its own list; with the official server, too.
@pytest.mark.parametrize("seed", [0, 1, 2, 4, 5])
def test_devices_change_the_same_files(server: Served, user: str, make_device: Callable[..., Device], seed: int) -> None:
    assert_same(server, user, *change_the_same_files(make_device, seed))


# So at night only a device that has not seen any of it is asked.
@pytest.mark.parametrize("seed", NIGHTLY_SEEDS)
def test_a_new_device_has_the_same_files(server: Served, user: str, make_device: Callable[..., Device], seed: int) -> None:
    change_the_same_files(make_device, seed)
    new = make_device("new device")
    new.sync_media()
    assert_same(server, user, new)


def test_devices_sync_at_the_same_time(server: Served, user: str, make_device: Callable[..., Device]) -> None:
    devices = [make_device(f"device {number}") for number in range(3)]
    for number, device in enumerate(devices):
        for index in range(60):
            device.write_media(f"of {number}, {index}", noise(5000, number * 100 + index))
        device.write_media("everybody's", noise(3000, 1))
        device.write_media("disputed", noise(3000, 50 + number))
    errors: list[Exception] = []

    def sync(device: Device) -> None:
        try:
            device.sync_media()
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=sync, args=(device,)) for device in devices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A user gets half of the workers at most, and what another device adds between a client's last list and its count lets
    # that count fail. Whoever was told to come again was told so for one of these, which the log names; nothing is lost.
    log = [line for line in server.log.read_text().splitlines() if f" user={user} " in line]
    counts = sum("the counts do not fit" in line for line in log)
    busy = sum("status=503" in line for line in log)
    told = [str(error) for error in errors]
    assert sum("Please sync again" in text for text in told) == counts, (told, log)
    assert len(told) == counts + busy, (told, log)
    settle(*devices)
    assert len(server.list(user)) == 182
    assert_same(server, user, *devices)


# --- names ---

NAMES = [
    "é.jpg", "日本語の写真.png", "עברית.mp3", "हिन्दी.mp3", "emoji 🧠👨‍👩‍👧.png", "ﷺ.gif", "Å ångström.webp", "a" * 120, "ß" * 60,
]


def test_names_of_all_scripts(server: Served, user: str, pair: tuple[Device, Device]) -> None:
    first, second = pair
    names = {unicodedata.normalize("NFC", name) for name in NAMES}
    for name in names:
        first.write_media(name, name.encode())
    first.sync_media()
    second.sync_media()
    assert set(second.media()) == names
    assert_same(server, user, first, second)


def test_names_of_255_bytes_and_not_more(server: Served, user: str, wire: Wire) -> None:
    for name, good in (("x" * 255, True), ("é" * 127 + "x", True), ("x" * 256, False), ("é" * 128, False)):
        assert wire.media_upload([(name, b"1")]).status == (200 if good else 400)
    assert set(server.list(user)) == {"x" * 255, "é" * 127 + "x"}
    assert wire.media_download(["é" * 127 + "x"]) == {"é" * 127 + "x": b"1"}


def test_decomposed_names_are_refused_whole(server: Served, user: str, wire: Wire) -> None:
    decomposed = unicodedata.normalize("NFD", "é.png")
    assert wire.media_upload([("good", b"1"), (decomposed, b"2")]).status == 400
    assert server.list(user) == {}


# --- the network ---

@pytest.mark.parametrize("fault", ["lose_request", "lose_answer", "cut_answer"])
@pytest.mark.parametrize("method", ["begin", "mediaChanges", "uploadChanges", "downloadFiles", "mediaSanity"])
def test_one_call_goes_wrong(
    server: Served, user: str, make_device: Callable[..., Device], fault: str, method: str
) -> None:
    with Proxy(server.url) as proxy:
        first, second = make_device("first", url=proxy.url), make_device("second")
        for number in range(30):
            second.write_media(f"theirs {number}", noise(3000, number))
        second.sync_media()
        for number in range(30):
            first.write_media(f"ours {number}", noise(3000, 100 + number))
        getattr(proxy, fault)(method)
        with pytest.raises(Exception):  # noqa: B017, PT011
            first.sync_media()
        proxy.calm()
        settle(first, second)
        assert len(server.list(user)) == 60
        assert_same(server, user, first, second)
        # What was sent twice was not counted twice.
        assert server.usn(user) == 60


def test_workers_are_killed(server: Served, user: str, pair: tuple[Device, Device]) -> None:
    first, second = pair
    rng = random.Random(1)
    over = threading.Event()
    killed = 0

    def kill() -> None:
        nonlocal killed
        while not over.wait(rng.uniform(0.02, 0.15)):
            for pid in rng.sample(server.running.workers(), 1):
                os.kill(pid, signal.SIGKILL)
                killed += 1

    for number in range(400):
        first.write_media(f"file {number}", noise(20_000, number))
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        for _ in range(30):
            try:
                first.sync_media()
            except Exception:  # noqa: BLE001
                continue
    finally:
        over.set()
        killer.join()
    assert killed > 3
    time.sleep(0.5)  # the supervisor starts them again
    settle(first, second)
    assert len(server.list(user)) == 400
    assert server.usn(user) == 400
    assert_same(server, user, first, second)


# --- strangers ---

def test_hostile_zips(server: Served, user: str, wire: Wire) -> None:
    import io
    import json
    import zipfile

    def packed(members: list[tuple[str, bytes, int]], meta: object, mode: int = 0o100644) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, data, method in members:
                info = zipfile.ZipInfo(name)
                info.compress_type, info.external_attr = method, mode << 16
                archive.writestr(info, data)
            archive.writestr("_meta", json.dumps(meta))
        return out.getvalue()

    good = packed([("0", b"good" * 300, zipfile.ZIP_DEFLATED)], [["good", "0"]])
    assert wire.media("uploadChanges", good).status == 200
    bad = [
        packed([("0", b"x", 0)], [["../../../evil", "0"]]),
        packed([("0", b"x", 0)], [["ok", "0"], ["/etc/passwd", "0"]]),
        packed([("../0", b"x", 0)], [["a", "../0"]]),
        packed([("0", b"/etc/passwd", 0)], [["a", "0"]], mode=0o120777),
        packed([("0", b"x" * 1000, zipfile.ZIP_BZIP2)], [["a", "0"]]),
        packed([("0", b"x" * 1000, zipfile.ZIP_LZMA)], [["a", "0"]]),
        packed([("0", bytes((100 << 20) + 1), zipfile.ZIP_DEFLATED)], [["a", "0"]]),
        packed([(str(i), bytes(90 << 20), zipfile.ZIP_DEFLATED) for i in range(2)], [["a", "0"], ["b", "1"]]),
        packed([(str(i), b"x", 0) for i in range(100)], [["a", "0"]]),
        packed([("0", b"x", 0)], [["a", "0"]] * 26),
        packed([("0", b"", 0)], [["a", "0"]]),
        packed([], [["a", "0"]]),
        packed([("0", b"x", 0)], {"a": "0"}),
        b"", b"not a zip", good[:-1], good + b"x", good[:36] + b"X" + good[37:],
    ]
    for number, body in enumerate(bad):
        assert wire.media("uploadChanges", body).status == 400, number
    assert server.list(user) == {"good": hashlib.sha1(b"good" * 300).hexdigest()}
    assert [path.name for path in (server.home(user) / "media").iterdir()] == [hashlib.sha1(b"good" * 300).hexdigest()]
    server.check(user)
