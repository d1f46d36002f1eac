"""Numbers that a server chooses: what a captured one means in the replayed conversation."""

from __future__ import annotations

import time

CLOCK_SLACK_MS = 5000


class Usns:
    """Update sequence numbers count from where the replayed server stands.

    Each reply that states the server's number ties a captured one to a replayed one; numbers
    after it keep the distance. Before the first tie both are the same.
    """

    def __init__(self) -> None:
        self._ties: dict[int, int] = {}

    def replayed(self, captured: int) -> int:
        """What the replayed server would say, or want to hear, for this captured number."""
        below = [number for number in self._ties if number <= captured]
        if captured < 0 or not below:
            return captured
        nearest = max(below)
        return self._ties[nearest] + captured - nearest

    def tie(self, captured: int, replayed: int) -> None:
        self._ties[captured] = replayed


class Times:
    """Times in milliseconds that a server chose (mod, scm): equal ones must stay equal.

    Those of an uploaded file are the file's own in both conversations.
    """

    def __init__(self) -> None:
        self._known: dict[int, int] = {0: 0}
        self._began = time.time() * 1000 - CLOCK_SLACK_MS

    def keep(self, *values: int) -> None:
        """These come from a file that is the same in both."""
        self._known |= {value: value for value in values}

    def check(self, captured: int, replayed: object) -> str:
        """Empty when `replayed` may stand for `captured`, else what it should have been.

        Either way the two belong together from now on.
        """
        if not isinstance(replayed, int) or isinstance(replayed, bool):
            return "an integer"
        wanted = self._known.get(captured)
        taken = replayed in self._known.values()
        self._known[captured] = replayed
        if wanted is not None:
            return "" if replayed == wanted else f"{wanted}, as before"
        if taken:
            return "a time unlike those before"
        latest = time.time() * 1000 + CLOCK_SLACK_MS
        return "" if self._began <= replayed <= latest else "the time now"
