"""Every captured scenario, sent again to a fresh account of the server under test.

A difference from the capture fails the test unless differences.toml lists it, and so does
a listed one that did not show.
"""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

import capture
import server
from compare import Difference
from player import Player
from scenarios import MEDIA_IS_SERVED, SCENARIOS

MOST_SHOWN = 20
LIST = Path(__file__).with_name("differences.toml")


@dataclass(frozen=True)
class Listed:
    """A place where the server is meant to differ, and what it says there (any, if empty)."""

    where: str
    got: str
    reason: str
    method: str = ""

    def covers(self, difference: Difference) -> bool:
        if not fnmatchcase(difference.where, self.where):
            return False
        return not self.got or json.loads(self.got) == difference.got

    def belongs_to(self, name: str) -> bool:
        """Whether it must show in this scenario."""
        if not self.method:
            return self.where.startswith(capture.label(name) + "/")
        return any(
            exchange.method == self.method and exchange.response.get("status") == 200
            for exchange in capture.load(name)
            if exchange.area == "sync" and exchange.step not in SCENARIOS[name].skipped
        )


@cache
def intended() -> tuple[Listed, ...]:
    """The list; none of it holds for the server that was captured."""
    if os.environ.get("REPLAY_AGAINST") == "official":
        return ()
    entries = tomllib.loads(LIST.read_text("utf-8")).get("difference", [])
    return tuple(
        Listed(*_parted(place), reason=entry["reason"], method=entry.get("method", ""))
        for entry in entries
        for place in entry["at"]
    )


def _parted(place: str) -> tuple[str, str]:
    where, _, got = place.partition(" = ")
    return where, got


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    if SCENARIOS[name].media and not MEDIA_IS_SERVED:
        pytest.skip("the server under test does not serve media (REPLAY_MEDIA=no)")
    player = Player(account_for(name))
    found = player.play(name)
    listed = [entry for entry in intended() if entry.belongs_to(name)]
    surprising = [d for d in found if not any(entry.covers(d) for entry in listed)]
    missing = [e for e in listed if not any(e.covers(d) for d in found)]
    assert not surprising and not missing, report(name, surprising, missing)


def account_for(name: str) -> server.Account:
    """Each scenario has an account of its own, which nothing may have used before."""
    accounts = server.ordinary_accounts()
    assert len(accounts) >= len(SCENARIOS), f"SYNC_USERS: {len(SCENARIOS)} users are needed"
    return accounts[list(SCENARIOS).index(name)]


def report(name: str, surprising: list[Difference], missing: list[Listed]) -> str:
    lines = [name]
    notes = {f"{e.label}/{e.step}": str(e) for e in capture.load(name)}
    for difference in surprising[:MOST_SHOWN]:
        lines.append(f"not listed  {difference}")
        lines.append(f"            in {notes[difference.where.split()[0]]}")
    if len(surprising) > MOST_SHOWN:
        lines.append(f"and {len(surprising) - MOST_SHOWN} more")
    lines += [f"did not show  {entry.where} {entry.got} ({entry.reason})" for entry in missing]
    return "\n".join(lines)


def test_every_capture_is_replayed() -> None:
    assert set(capture.scenarios()) == set(SCENARIOS)


def test_every_listed_place_is_in_a_scenario() -> None:
    labels = {capture.label(name) for name in SCENARIOS}
    assert not [e for e in intended() if not e.method and e.where.split("/")[0] not in labels]
