"""What each captured scenario begins with, whom it continues, and what cannot be replayed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from seeds import Seed

# The one switch for media: REPLAY_MEDIA=no is for a server that does not serve /msync/.
MEDIA_IS_SERVED = os.environ.get("REPLAY_MEDIA", "yes") == "yes"


@dataclass(frozen=True)
class Scenario:
    """How a capture is replayed.

    `follows` names the scenario before it on the same account: it is driven first, without
    comparing. `seed` is uploaded first, where the capture begins with a collection that
    another scenario, or none, had uploaded. `skipped` steps are not sent. `unseen` steps are
    sent, their replies teach the new numbers, and are not compared.
    """

    name: str
    user: str = ""  # the captured user name
    follows: str = ""
    seed: Seed | None = None
    media: bool = False
    skipped: dict[str, str] = field(default_factory=dict)
    unseen: dict[str, str] = field(default_factory=dict)
    uploads: dict[str, Seed] = field(default_factory=dict)  # for bodies that were not kept
    deletes: dict[str, str] = field(default_factory=dict)  # step: media file deleted in its place


def ids(first: int, count: int) -> tuple[int, ...]:
    return tuple(range(first, first + count))


FAKED = "the capturing proxy made up this reply"
DROPPED = "the capturing proxy dropped this request"
OTHER_CLIENT = "another client's, in another scenario"
LOST_FILE = "a file was removed from the server's disk; here it is deleted by another device"

_SCENARIOS = (
    Scenario("01-login", user="alice"),
    Scenario("02-first-upload"),
    Scenario("03-full-download", follows="02-first-upload"),
    Scenario("04-normal-up", follows="03-full-download"),
    Scenario("05-normal-down", follows="04-normal-up"),
    Scenario("06-normal-both", follows="05-normal-down"),
    Scenario("07-graves", follows="06-normal-both"),
    Scenario("08-conflict-note", follows="07-graves"),
    Scenario("09-edit-vs-delete", follows="08-conflict-note"),
    Scenario(
        "10-schema-mismatch",
        seed=Seed(1795519310133, 1795519310076, 3, 1795519309900, ids(1795519310000, 3)),
        uploads={"002": Seed(1795519310146, 1795519310146, 4, 1795519309900, ids(1795519310000, 3))},
    ),
    Scenario(
        "11-sanity-failure",
        seed=Seed(1795519310361, 1795519310297, 3, 1795519310203, ids(1795519310210, 3)),
    ),
    Scenario(
        "12-missing-notetype-400",
        seed=Seed(1795519310556, 1795519310504, 3, 1795519310416, ids(1795519310420, 3)),
    ),
    Scenario(
        "13-abort-by-user",
        seed=Seed(1795519310799, 1795519310749, 3, 1795519310660, ids(1795519310670, 3)),
    ),
    Scenario("14-connection-lost", follows="13-abort-by-user", skipped={"007": DROPPED}),
    Scenario("15-concurrent", follows="14-connection-lost"),
    Scenario(
        "16-same-second-tie",
        seed=Seed(1795519316670, 1795519316588, 3, 1795519316481, ids(1795519316576, 3)),
    ),
    Scenario(
        "17-chunks-over-250",
        seed=Seed(1795519316863, 1795519316818, 3, 1795519316731, ids(1795519316812, 1)),
    ),
    Scenario("18-graves-over-250", follows="17-chunks-over-250"),
    Scenario(
        "19-filtered-deck",
        seed=Seed(1795519317260, 1795519317212, 3, 1795519317113, ids(1795519317205, 6)),
    ),
    Scenario("20-media-basic", media=True),
    Scenario(
        "21-media-with-collection-sync",
        follows="20-media-basic",
        seed=Seed(1795519317741, 1795519317709, 2, 1795519317565, ids(1795519317600, 1)),
        media=True,
    ),
    Scenario("22-media-many", follows="21-media-with-collection-sync", media=True),
    Scenario(
        "23-media-errors",
        follows="22-media-many",
        media=True,
        skipped={"008": LOST_FILE, "014": LOST_FILE},
        unseen={"007": LOST_FILE},
        deletes={"006": "gone.txt"},
    ),
    Scenario(
        "24-server-messages",
        user="judy",
        seed=Seed(1795519334688, 1795519334424, 8, 1795519334300, ids(1795519334310, 1)),
    ),
    Scenario(
        "25-redirect-308",
        user="judy",
        seed=Seed(1795519334688, 1795519334424, 8, 1795519334300, ids(1795519334310, 1)),
        skipped=dict.fromkeys(("001", "003", "005", "006", "007", "009"), FAKED),
    ),
    Scenario("26-endpoint-paths", user="judy"),
    Scenario(
        "27-race-meta-start",
        seed=Seed(1795519336800, 1795519336702, 5, 1795519336522, ids(1795519336600, 1)),
    ),
    Scenario(
        "29-deck-name-clash",
        seed=Seed(1795519830520, 1795519830467, 3, 1795519830325, ids(1795519830330, 1)),
    ),
    Scenario("30-raw-v11", user="kim"),
    Scenario("31-raw-v10-multipart", user="leo"),
    Scenario(
        "32-client-2.1.49",
        user="nina",
        media=True,
        uploads={
            "004": Seed(
                1795519343071, 1795519343071, 1, 1795519342902, ids(1795519343000, 1), notetypes=5
            )
        },
        skipped={"046": OTHER_CLIENT},
    ),
    Scenario(
        "32-client-2.1.56",
        user="nina",
        follows="32-client-2.1.49",
        media=True,
        uploads={
            "004": Seed(
                1795519350860, 1795519350860, 1, 1795519350703, ids(1795519350800, 1), notetypes=5
            )
        },
    ),
    Scenario(
        "33-deck-same-second-tie",
        seed=Seed(1795520011364, 1795520011290, 3, 1795520011133, ids(1795520011140, 1)),
    ),
)

SCENARIOS = {scenario.name: scenario for scenario in _SCENARIOS}
