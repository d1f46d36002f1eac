"""Calls in any order, and keys of others."""

from __future__ import annotations

import random
import threading

import pytest

from target import MEMBER, METHODS, STRANGER, Target, User, collection, media_zip
from wire import HEADER

EMPTY = {"changes": {"models": [], "decks": [[], []], "tags": []}}
PAYLOADS = {"meta": {"v": 11, "cv": "test"}, "start": {"minUsn": 0, "lnewer": False, "graves": None}, "applyGraves": {"chunk": {"cards": [], "decks": [], "notes": []}},
            "applyChanges": EMPTY, "applyChunk": {"chunk": {"done": True}}, "sanityCheck2": {"client": [[0, 0, 0], 0, 0, 0, 0, 0, 0, 0]},
            "begin": {"v": "test"}, "mediaChanges": {"lastUsn": 0}, "downloadFiles": {"files": ["a.txt"]}, "mediaSanity": {"local": 0}}


def payload(path: str) -> object:
    name = path.rsplit("/", 1)[1]
    if name == "upload":
        return collection("new-18")
    return media_zip({"a.txt": b"a"}) if name == "uploadChanges" else PAYLOADS.get(name, {})


@pytest.mark.parametrize("seed", range(4))
def test_any_order(target: Target, seed: int) -> None:
    user, rng = target.user(9), random.Random(seed)
    paths = [path for path in METHODS if not path.endswith("hostKey")]
    likely = [path for path in paths if path not in ("/sync/upload", "/sync/download")]
    for _ in range(150):
        path, session = rng.choice(paths if rng.random() < 0.1 else likely), rng.choice(["a", "a", "b", ""])
        answer = target.attack(MEMBER, f"order {path}", lambda: target.plain(path, payload(path), user.header(session)))
        assert answer.status in (200, 400, 409), path
    user.sync()
    user.digest()


def test_sessions_of_others(target: Target) -> None:
    """The session key is no secret; it means nothing together with another account's key."""
    owner, thief = target.user(10), target.user(11)
    for user in (owner, thief):
        user.upload(collection("new-18"))
    usn = owner.ask("/sync/meta", PAYLOADS["meta"], "shared").json["usn"]
    assert owner.ask("/sync/start", {"minUsn": usn, "lnewer": False, "graves": None}, "shared").status == 200
    tag = {"changes": {**EMPTY["changes"], "tags": ["mine"]}}
    assert owner.ask("/sync/applyChanges", tag, "shared").status == 200
    before = owner.digest()
    for path in METHODS[3:]:
        if path in ("/sync/upload", "/sync/download"):
            continue
        answer = target.attack(MEMBER, f"session of another: {path}", lambda: target.plain(path, payload(path), thief.header("shared")))
        assert answer.status == 409 or path.startswith("/msync/") or path == "/sync/abort", path
        for key in ("", thief.key + "x", owner.key[:-1]):
            header = {**HEADER, "k": key, "s": "shared"}
            assert target.attack(STRANGER, f"session without a key: {path}", lambda: target.plain(path, payload(path), header)).status == 403
    assert owner.digest() == before
    for path, what in (("/sync/chunk", {}), ("/sync/applyChunk", {"chunk": {"done": True}}), ("/sync/finish", {})):
        assert owner.ask(path, what, "shared").status == 200
    assert owner.meta()["usn"] == usn + 1


def test_media_of_others(target: Target) -> None:
    owner, thief = target.user(10), target.user(11)
    owner.put_media({"secret.txt": b"secret"})
    thief.put_media({"own.txt": b"own"})
    for name in ("secret.txt", "../" + owner.uid, f"../../{owner.uid[:2]}/{owner.uid}/media.db", "e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4", "\0", "own.txt\0"):
        answer = target.attack(MEMBER, f"media {name}", lambda: thief.ask("/msync/downloadFiles", {"files": [name]}))
        assert answer.status in (400, 409)
    assert b"own" in thief.ask("/msync/downloadFiles", {"files": ["own.txt"]}).data


def test_flood_of_logins(target: Target) -> None:
    """Whatever waits for a password to be hashed, somebody who is logged in syncs meanwhile."""
    statuses: list[int] = []

    def flood(n: int) -> None:
        for i in range(20):
            statuses.append(target.plain("/sync/hostKey", {"u": f"nobody{n}-{i}", "p": "x"}).status)

    threads = [threading.Thread(target=flood, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    syncs = 0
    while any(thread.is_alive() for thread in threads) or syncs == 0:
        target.innocent.sync()
        syncs += 1
    for thread in threads:
        thread.join()
    assert len(statuses) == 100 and set(statuses) <= {403, 503}
    # a right login passes although this address has failed so often
    assert target.plain("/sync/hostKey", {"u": target.innocent.name, "p": target.innocent.password}).status == 200
