"""The table of tests/README.md names tests that are there."""

from __future__ import annotations

import re

from running import TOP


def test_each_named_test_is_there() -> None:
    table = (TOP / "tests/README.md").read_text()
    named = re.findall(r"`([a-z0-9_./-]+)::(\w+)`", table)
    assert named
    missing = [
        f"{path}::{test}" for path, test in named
        if not re.search(rf"\b{test}\(", (TOP / "tests" / path).read_text() if (TOP / "tests" / path).exists() else "")
    ]
    assert missing == []
