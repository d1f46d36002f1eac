"""Payloads of a user with a key: JSON of any shape, in every place of every call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import pytest

import shapes
from target import MEMBER, Target, User

AT_ONCE = 60  # syncs are committed after so many payloads that were accepted


@pytest.fixture(scope="module")
def payloads(target: Target, member: User) -> dict[str, Any]:
    """What a client would send for this collection: an object of each kind, a row of each table."""
    session = "seed"
    assert member.ask("/sync/start", {"minUsn": 0, "lnewer": False, "graves": None}, session).status == 200
    all_of_it = member.ask("/sync/applyChanges", {"changes": {"models": [], "decks": [[], []], "tags": []}}, session).json
    decks, options = all_of_it["decks"]
    changes = {"models": all_of_it["models"][-1:], "decks": [[next(d for d in decks if d["dyn"] == dyn) for dyn in (0, 1)], options[-1:]],
               "tags": all_of_it["tags"][:2], "conf": {key: all_of_it["conf"][key] for key in sorted(all_of_it["conf"])[:2]}, "crt": all_of_it["crt"]}
    rows = member.ask("/sync/chunk", {}, session).json
    chunk = {"done": True, **{table: rows[table][:1] for table in ("revlog", "cards", "notes")}}
    return {
        "/sync/meta": {"v": 11, "cv": "anki,26.09.3 (29bb700b),linux"},
        "/sync/start": {"minUsn": 0, "lnewer": False, "graves": {"cards": [1], "decks": ["2"], "notes": [3, "4"]}},
        "/sync/applyGraves": {"chunk": {"cards": [1, 2], "decks": ["3"], "notes": [4]}},
        "/sync/applyChanges": {"changes": changes},
        "/sync/applyChunk": {"chunk": chunk},
        "/sync/sanityCheck2": {"client": [[0, 0, 0], 1, 2, 3, 0, 4, 5, 6]},
        "/msync/begin": {"v": "anki,26.09.3 (29bb700b),linux"},
        "/msync/mediaChanges": {"lastUsn": 0},
        "/msync/downloadFiles": {"files": ["a.jpg", "b.jpg"]},
        "/msync/mediaSanity": {"local": 3},
    }


WITH_SESSION = ("/sync/applyGraves", "/sync/applyChanges", "/sync/applyChunk", "/sync/sanityCheck2")
PATHS = ["/sync/meta", "/sync/start", *WITH_SESSION, "/msync/begin", "/msync/mediaChanges", "/msync/downloadFiles", "/msync/mediaSanity"]


class Attacker:
    """Sends payloads, within a sync where the method needs one."""

    def __init__(self, target: Target, user: User, path: str) -> None:
        self.target, self.user, self.path = target, user, path
        self.begin()

    def begin(self) -> None:
        usn = self.user.ask("/sync/meta", {"v": 11, "cv": "test"}, "hostile").json["usn"]
        if self.path in WITH_SESSION:
            assert self.user.ask("/sync/start", {"minUsn": usn, "lnewer": True, "graves": None}, "hostile").status == 200

    def send(self, what: str, payload: bytes) -> int:
        answer = self.user.ask(self.path, payload, "hostile")
        assert answer.status in (200, 400, 409, 413, 501), (what, answer.status)
        if answer.status == 200 and self.path == "/sync/sanityCheck2":  # it was the end of a sync
            self.begin()
        return answer.status

    def send_many(self, cases: Sequence[tuple[str, bytes]]) -> list[int]:
        """Whatever is refused changes nothing. What is accepted can be stored, and every device can read it."""
        before = self.user.meta()
        with self.target.watch(MEMBER, f"{self.path} {cases[0][0]} and more", len(cases)):
            statuses = [self.send(what, payload) for what, payload in cases]
        after = self.user.meta()
        if self.path == "/sync/start":  # a usn of the future: the user is to choose
            after["scm"] = before["scm"]
        assert after == before, cases
        if self.path in WITH_SESSION[:3] and 200 in statuses:
            self.commit([case for case, status in zip(cases, statuses) if status == 200])
        self.user.sync()
        self.begin()
        return statuses

    def commit(self, cases: Sequence[tuple[str, bytes]]) -> None:
        if self.user.ask("/sync/finish", {}, "hostile").status != 200:
            for case in cases:  # together they do not fit
                self.begin()
                if self.send(*case) == 200:
                    assert self.user.ask("/sync/finish", {}, "hostile").status == 200, case[0]
        self.user.read_all()
        self.user.digest()


def batches(cases: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    cases = iter(cases)
    while batch := list(islice(cases, AT_ONCE)):
        yield batch


@pytest.mark.parametrize("path", PATHS)
def test_wrong_values_in_every_place(target: Target, member: User, payloads: dict[str, Any], path: str) -> None:
    attacker = Attacker(target, member, path)
    for batch in batches(shapes.variants(payloads[path])):
        attacker.send_many(batch)


@pytest.mark.parametrize("path", PATHS)
def test_no_json(target: Target, member: User, payloads: dict[str, Any], path: str) -> None:
    attacker = Attacker(target, member, path)
    for batch in batches(shapes.broken(payloads[path])):
        statuses = attacker.send_many(batch)
        assert statuses == [400] * len(batch), list(zip(batch, statuses))
