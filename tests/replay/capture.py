"""The captured traffic: one file a scenario, one exchange a line.

A line holds the request as the official server got it, and what that server answered.
`body.kind` is json, text, zip, sqlite, binary or empty; the content is in `json`, `text`,
`base64` or `zstd_base64`, where it was kept. `wire_base64` is there when the bytes on the
wire do not follow from the content (a torn frame, two frames). Headers that say nothing
(host, accept, lengths) were left out; `transfer-encoding` tells who sent chunks.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import zstandard

OWN_KEY = "(the key of the account)"
TRAFFIC = Path(__file__).with_name("traffic")


@dataclass(frozen=True)
class Exchange:
    """One captured request and its answer."""

    scenario: str
    step: str
    note: str
    request: dict[str, Any]
    response: dict[str, Any]

    @property
    def area(self) -> str:
        """`sync` or `msync` for a call of the protocol; else the path itself."""
        parts = self.request["path"].split("?")[0].split("/")
        return parts[-2] if len(parts) == 3 and parts[-2] in ("sync", "msync") else "/".join(parts)

    @property
    def method(self) -> str:
        """The last part of the path."""
        return self.request["path"].split("?")[0].rsplit("/", 1)[-1]

    @property
    def session(self) -> str | None:
        """The session key in the header, None without a header that can be read."""
        return self._header_value("s")

    @property
    def host_key(self) -> str | None:
        """The host key in the header or the form, None where there is none."""
        return self._header_value("k") or self.field("k") or self.field("sk")

    @property
    def parts(self) -> list[dict[str, Any]]:
        """The parts of a form, as clients before version 11 send them."""
        parts = self.request.get("multipart") or []
        if any(part.get("truncated_in_capture") for part in parts):
            # The capture ends within `data`. Its chunk sizes tell that these followed.
            return [*parts, _field("c", "1"), _field("k", OWN_KEY), _field("s", "upload")]
        return parts

    def field(self, name: str) -> str | None:
        """The value of a part, None where there is no such part or it is no text."""
        return next((part.get("value") for part in self.parts if part_name(part) == name), None)

    @property
    def payload(self) -> dict[str, Any]:
        """The body that the method gets: in a form, that of the part `data`."""
        for part in self.parts:
            if part_name(part) == "data":
                return part.get("decoded", {"kind": "unknown"})
        return self.request["body"]

    @property
    def label(self) -> str:
        return label(self.scenario)

    def _header_value(self, key: str) -> str | None:
        try:
            value = json.loads(self.request["headers"]["anki-sync"]).get(key)
        except (KeyError, ValueError, AttributeError):
            return None
        return value if isinstance(value, str) else None

    def __str__(self) -> str:
        return f"{self.label}/{self.step} {self.request['path']} ({self.note})"


def label(scenario: str) -> str:
    """A scenario's number, with the client's where two have the same: 08, 32.49."""
    number, _, rest = scenario.partition("-")
    return f"{number}.{rest.rsplit('.', 1)[-1]}" if rest.startswith("client-") else number


def _field(name: str, value: str) -> dict[str, Any]:
    return {"part_headers": [f'Content-Disposition: form-data; name="{name}"'], "value": value}


def part_name(part: dict[str, Any]) -> str:
    """The name of a form's part."""
    return part["part_headers"][0].split('name="')[1].split('"')[0]


@cache
def load(scenario: str) -> tuple[Exchange, ...]:
    """The exchanges of a scenario in the order in which the server saw them."""
    text = (TRAFFIC / f"{scenario}.jsonl").read_text("utf-8")
    exchanges = []
    for line in text.splitlines():
        entry = json.loads(line)
        exchanges.append(
            Exchange(scenario, entry["n"], entry["note"], entry["request"], entry["response"])
        )
    return tuple(exchanges)


def scenarios() -> list[str]:
    """The names of all captured scenarios."""
    return sorted(path.stem for path in TRAFFIC.glob("*.jsonl"))


def content(body: dict[str, Any]) -> bytes | None:
    """The decoded bytes of a body, None where the capture did not keep them."""
    if "text" in body:
        return body["text"].encode()
    if "json" in body:
        return json.dumps(body["json"], ensure_ascii=False, separators=(",", ":")).encode()
    if "base64" in body:
        return base64.b64decode(body["base64"])
    if "zstd_base64" in body:
        return decompress(base64.b64decode(body["zstd_base64"]))
    return b"" if body["kind"] == "empty" else None


def compress(data: bytes) -> bytes:
    """One zstd frame."""
    return zstandard.ZstdCompressor().compress(data)


def decompress(data: bytes) -> bytes:
    """The content of the one zstd frame in `data`; fails when it is torn or more follows."""
    frame = zstandard.ZstdDecompressor().decompressobj()
    plain = frame.decompress(data)
    if not frame.eof or frame.unused_data:
        raise ValueError("not one whole zstd frame")
    return plain
