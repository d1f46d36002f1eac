"""Plays a captured scenario to a server and collects where its replies differ."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import secrets
import time
import zipfile
from collections import Counter
from collections.abc import Sequence
from typing import Any

import capture
import compare
import forms
import server
from capture import Exchange
from compare import ABSENT, USN_COLUMN, Difference, differences
from counters import Times, Usns
from scenarios import MEDIA_IS_SERVED, SCENARIOS, Scenario

CLOCK_SLACK_S = 300
WRONG_PASSWORDS = ("nope", "bad", "y")
SESSION_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class Player:
    """One fresh account, and what the captured names and numbers are called there."""

    def __init__(self, account: server.Account) -> None:
        self.account = account
        self.key = server.login(account)
        self.captured_key = ""
        self.sessions: dict[str, str] = {"": ""}
        self.usns = Usns()
        self.media_usns = Usns()
        self.times = Times()
        self.media: dict[str, bytes] = {}  # what the server should hold under each name
        self.made_up: set[str] = set()  # names among them whose content the capture did not keep
        self.sent_names: set[tuple[int, str]] = set()  # of decks and note types
        self.found: list[Difference] = []

    def play(self, name: str) -> list[Difference]:
        """Play a scenario after those it follows; the differences in itself are returned."""
        scenario = SCENARIOS[name]
        if scenario.follows:
            self.play(scenario.follows)
        if scenario.seed:
            self._upload(scenario)
        self.captured_key = _own_key(name) or self.captured_key
        self.found = []
        exchanges = capture.load(name)
        at = 0
        while at < len(exchanges):
            group = _chunk_group(exchanges, at)
            self._play_group(scenario, group)
            at += len(group)
        return self.found

    def _upload(self, scenario: Scenario) -> None:
        seed = scenario.seed
        assert seed
        reply = server.call(self.key, "seed", "/sync/upload", seed.file())
        assert reply.status == 200 and reply.body == b"OK", f"seed refused: {reply}"
        self.times.keep(seed.mod, seed.scm)
        self.usns.tie(seed.usn, seed.usn)

    def _play_group(self, scenario: Scenario, group: Sequence[Exchange]) -> None:
        first = group[0]
        if first.step in scenario.deletes:
            self._delete_media(scenario.deletes[first.step])
            return
        if first.step in scenario.skipped or (first.area == "msync" and not MEDIA_IS_SERVED):
            return
        before = list(self.found)
        reply = self._send(scenario, first)
        if self._compare_status(first, reply):
            compare_reply = getattr(self, f"judge_{first.method}", None)
            if first.area == "sync" and first.method == "chunk":
                self._chunks(group, reply)
            elif first.area in ("sync", "msync") and compare_reply:
                compare_reply(scenario, first, reply)
            else:
                self._other(first, reply)
        if first.step in scenario.unseen:
            self.found = before

    # Sending

    def _send(self, scenario: Scenario, exchange: Exchange) -> server.Reply:
        request = exchange.request
        headers = {k: v for k, v in request["headers"].items() if k != "transfer-encoding"}
        if "anki-sync" in headers:
            headers["anki-sync"] = self._header(exchange, headers["anki-sync"])
        path = request["path"]
        if self.captured_key:
            path = path.replace(self.captured_key, self.key)
        return server.send(
            request["method"],
            path,
            headers,
            self._wire(scenario, exchange),
            chunked="transfer-encoding" in request["headers"],
        )

    def _header(self, exchange: Exchange, text: str) -> str:
        if self.captured_key:
            text = text.replace(self.captured_key, self.key)
        if exchange.session is None:
            return text
        header = json.loads(text)
        header["s"] = self._session(exchange.session)
        return json.dumps(header)

    def _session(self, captured: str) -> str:
        fresh = "".join(secrets.choice(SESSION_LETTERS) for _ in range(6))
        return self.sessions.setdefault(captured, fresh)

    def _wire(self, scenario: Scenario, exchange: Exchange) -> bytes:
        request = exchange.request
        if "wire_base64" in request:
            return capture.content({"kind": "wire", "base64": request["wire_base64"]}) or b""
        if exchange.parts:
            return self._form(scenario, exchange)
        data = self._content(scenario, exchange)
        return capture.compress(data) if request["encoding"] == "zstd" else data

    def _form(self, scenario: Scenario, exchange: Exchange) -> bytes:
        """The captured form, part for part, with the keys of this run."""
        kept = forms.contents(exchange)
        parts = [
            self._part(scenario, exchange, part, kept[n]) for n, part in enumerate(exchange.parts)
        ]
        return forms.join(exchange, parts)

    def _part(
        self, scenario: Scenario, exchange: Exchange, part: dict[str, Any], kept: bytes | None
    ) -> bytes:
        name = capture.part_name(part)
        if name == "data":
            return self._data_part(scenario, exchange, part, kept)
        if name in ("k", "sk") and part["value"] in (self.captured_key, capture.OWN_KEY):
            return self.key.encode()
        if name == "s":
            return self._session(part["value"]).encode()
        return part["value"].encode()

    def _data_part(
        self, scenario: Scenario, exchange: Exchange, part: dict[str, Any], kept: bytes | None
    ) -> bytes:
        packed = part.get("gzip", False)
        is_zip = exchange.method == "uploadChanges"
        if kept is not None and (is_zip or exchange.payload["kind"] != "json"):
            if is_zip and exchange.response["status"] == 200:
                self._remember_media(
                    gzip.decompress(kept) if packed else kept, exchange.payload["_meta"]
                )
            return kept
        data = self._content(scenario, exchange)
        return gzip.compress(data) if packed else data

    def _content(self, scenario: Scenario, exchange: Exchange) -> bytes:
        body = exchange.payload
        if exchange.method == "upload" and exchange.step in scenario.uploads:
            seed = scenario.uploads[exchange.step]
            self.times.keep(seed.mod, seed.scm)
            return seed.file()
        if exchange.method == "uploadChanges":
            return self._media_upload(body)
        data = capture.content(body)
        assert data is not None, f"{exchange}: this body was not captured"
        if exchange.method == "upload" and body["kind"] == "sqlite":
            row = compare.collection(data)["col"]["1"]
            self.times.keep(row["mod"], row["scm"])
        if body["kind"] != "json":
            return data
        return json.dumps(self._translate(scenario, exchange, body["json"])).encode()

    def _translate(self, scenario: Scenario, exchange: Exchange, payload: Any) -> Any:
        if not isinstance(payload, dict):
            return payload
        payload = json.loads(json.dumps(payload))
        if exchange.method == "hostKey" and "u" in payload:
            self._own_name(scenario, payload)
        if isinstance(payload.get("minUsn"), int):
            payload["minUsn"] = self.usns.replayed(payload["minUsn"])
        if isinstance(payload.get("lastUsn"), int):
            payload["lastUsn"] = self.media_usns.replayed(payload["lastUsn"])
        for table, column in USN_COLUMN.items():
            for row in (payload.get("chunk") or {}).get(table, []):
                if isinstance(row, list):
                    row[column] = self.usns.replayed(row[column])
        sent = payload.get("changes") or {}
        for found in sent.get("models", []) + sum(sent.get("decks", []), []):
            found["usn"] = self.usns.replayed(found["usn"])
            self.sent_names.add((found["id"], found["name"]))
        return payload

    def _own_name(self, scenario: Scenario, payload: dict[str, str]) -> None:
        """Put the account of this run where the capture names its own."""
        account = self.account
        if not payload["u"].isascii():
            unusual = server.unusual_account()
            assert unusual, "SYNC_USERS has no name beyond ASCII with a colon in its password"
            account = unusual
        elif payload["u"].lower() != scenario.user:
            return
        if payload.get("p") not in WRONG_PASSWORDS and "p" in payload:
            payload["p"] = account.password
        changed_case = payload["u"] != payload["u"].lower()
        payload["u"] = account.name.swapcase() if changed_case else account.name

    # Media

    def _media_upload(self, body: dict[str, Any]) -> bytes:
        """The captured zip, or one like it where the capture did not keep the content."""
        data = capture.content(body)
        self.made_up -= {name for name, _ in body["_meta"]}
        if data is None:
            data = _made_up_zip(body)
            self.made_up |= {name for name, _ in body["_meta"]}
        self._remember_media(data, body["_meta"])
        return data

    def _remember_media(self, data: bytes, changes: list[Any]) -> None:
        """What the server should hold after this zip; old clients write "" for a deletion."""
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name, member in changes:
                if not member:
                    self.media.pop(name, None)
                else:
                    self.media[name] = archive.read(member)

    def _delete_media(self, name: str) -> None:
        if not MEDIA_IS_SERVED:
            return
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("_meta", json.dumps([[name, None]]))
        reply = server.call(self.key, "other", "/msync/uploadChanges", out.getvalue())
        assert reply.status == 200, f"deleting {name}: HTTP {reply.status}"

    # Comparing

    def _differ(self, exchange: Exchange, path: str, expected: Any, got: Any) -> None:
        where = f"{exchange.label}/{exchange.step} {path}"
        self.found += differences(expected, got, where)

    def _compare_status(self, exchange: Exchange, reply: server.Reply) -> bool:
        """Whether both succeeded, so that the bodies are worth a look."""
        captured = exchange.response
        self._differ(exchange, "status", captured["status"], reply.status)
        if captured["status"] == 405:
            both = captured["headers"], reply.headers
            allowed = [_words(headers.get("allow", "")) for headers in both]
            self._differ(exchange, "header.allow", *allowed)
        if captured["status"] != 200 or reply.status != 200:
            return False
        packed = "anki-original-size" in captured["headers"]
        self._differ(exchange, "header.anki-original-size", packed, reply.packed)
        if reply.packed:
            told = reply.headers["anki-original-size"]
            self._differ(exchange, "original size", str(len(reply.body)), told)
        return True

    def _json(self, exchange: Exchange, reply: server.Reply) -> tuple[Any, Any]:
        expected = exchange.response["body"].get("json", ABSENT)
        try:
            return expected, json.loads(reply.body)
        except ValueError:
            return expected, reply.body.decode("utf-8", "replace")

    def _other(self, exchange: Exchange, reply: server.Reply) -> None:
        """A reply that means what it says."""
        if "json" in exchange.response["body"]:
            self._differ(exchange, "reply", *self._json(exchange, reply))
        else:
            expected = (capture.content(exchange.response["body"]) or b"").decode()
            self._differ(exchange, "reply", expected, reply.body.decode("utf-8", "replace"))

    def judge_hostKey(self, scenario: Scenario, exchange: Exchange, reply: server.Reply) -> None:
        _, got = self._json(exchange, reply)
        key = got.pop("key", "") if isinstance(got, dict) else ""
        works = isinstance(key, str) and server.call(key, "probe", "/sync/meta", server.META).status
        self._differ(exchange, "reply.key opens the door", 200, works)
        self._differ(exchange, "reply", {}, got)

    def judge_meta(self, scenario: Scenario, exchange: Exchange, reply: server.Reply) -> None:
        expected, got = (dict(side) for side in self._json(exchange, reply))
        for name in ("mod", "scm"):
            self._time(exchange, f"reply.{name}", expected.pop(name), got.pop(name, ABSENT))
        clock = got.pop("ts", ABSENT)
        right = isinstance(clock, int) and abs(clock - time.time()) < CLOCK_SLACK_S
        self._differ(exchange, "reply.ts", True, right)
        expected.pop("ts")
        for name, numbers in (("usn", self.usns), ("media_usn", self.media_usns)):
            if name == "media_usn" and not MEDIA_IS_SERVED:
                expected[name] = got.get(name)
                continue
            captured = expected[name]
            expected[name] = numbers.replayed(captured)
            numbers.tie(captured, got.get(name, captured))
        if expected["msg"] and got.get("msg"):
            got["msg"] = expected["msg"]  # each server has its own words
        self._differ(exchange, "reply", expected, got)

    def _time(self, exchange: Exchange, path: str, captured: int, got: Any) -> None:
        wrong = self.times.check(captured, got)
        if wrong:
            self._differ(exchange, path, wrong, got)

    def judge_start(self, scenario: Scenario, exchange: Exchange, reply: server.Reply) -> None:
        expected, got = self._json(exchange, reply)
        self._differ(exchange, "reply", compare.graves(expected), compare.graves(got))

    def judge_applyChanges(self, scenario: Scenario, exchange: Exchange, reply: server.Reply) -> None:
        expected, got = self._json(exchange, reply)
        wanted, says = compare.changes(expected, self.usns.replayed), compare.changes(got)
        for kind in ("models", "decks"):
            for key, found in wanted.get(kind, {}).items():
                self._renamed(exchange, f"reply.{kind}.{key}.mod", found, says[kind].get(key, {}))
        self._differ(exchange, "reply", wanted, says)

    def _renamed(self, exchange: Exchange, path: str, expected: dict, got: dict) -> None:
        """An object that the captured server renamed carries the time of the renaming."""
        if (expected["id"], expected["name"]) not in self.sent_names and "mod" in got:
            now = isinstance(got["mod"], int) and abs(got["mod"] - time.time()) < CLOCK_SLACK_S
            self._differ(exchange, path, True, now)
            expected["mod"] = got["mod"]

    def _chunks(self, group: Sequence[Exchange], reply: server.Reply) -> None:
        """All rows of this sync, in however many chunks either server packs them."""
        first = group[0]
        wanted = [exchange.response["body"]["json"] for exchange in group]
        got = [json.loads(reply.body)]
        while not got[-1].get("done"):
            assert len(got) < 1000, "chunk never says done"
            reply = self._send(SCENARIOS[first.scenario], first)
            if not self._compare_status(first, reply):
                return
            got.append(json.loads(reply.body))
        self._differ(first, "rows", compare.rows(wanted, self.usns.replayed), compare.rows(got))

    def judge_finish(self, scenario: Scenario, exchange: Exchange, reply: server.Reply) -> None:
        expected, got = self._json(exchange, reply)
        self._time(exchange, "reply", expected, got)

    def judge_upload(self, scenario: Scenario, exchange: Exchange, reply: server.Reply) -> None:
        expected = exchange.response["body"]["text"] == "OK"
        self._differ(exchange, "accepted", expected, reply.body == b"OK")
        self._differ(exchange, "says something", True, len(reply.body) > 0)

    def judge_download(self, scenario: Scenario, exchange: Exchange, reply: server.Reply) -> None:
        if exchange.parts:
            self._old_file(scenario, exchange, reply)
            return
        got = compare.collection(reply.body)
        data = capture.content(exchange.response["body"])
        if data is None and scenario.uploads:
            data = next(iter(scenario.uploads.values())).file()
        if data is None:  # not kept: a new collection
            self._differ(exchange, "file.cards", {}, got["cards"])
            self._differ(exchange, "file.decks", ["1"], list(got["decks"]))
            self._differ(exchange, "file has note types", True, bool(got["notetypes"]))
            return
        expected = compare.collection(data)
        left, right = expected["col"]["1"], got["col"]["1"]
        right.pop("ls"), left.pop("ls")
        captured = "zstd_base64" in exchange.response["body"]
        for name in ("mod", "scm"):
            told, says = left.pop(name), right.pop(name)
            if captured or name == "scm":
                self._time(exchange, f"file.col.{name}", told, says)
        if captured:
            left["usn"] = self.usns.replayed(left["usn"])
        else:  # the reply was not kept, only the upload before it
            left.pop("usn"), right.pop("usn")
        self._differ(exchange, "file", expected, got)

    def _old_file(self, scenario: Scenario, exchange: Exchange, reply: server.Reply) -> None:
        """Clients of forms get schema 11. No capture kept one: what is known is the upload before it."""
        got = compare.old_collection(reply.body)
        self._differ(
            exchange, "file.version", [11, "0101"], [got["col"]["ver"], reply.body[18:20].hex()]
        )
        if not scenario.uploads:
            self._differ(exchange, "file.cards", {}, got["cards"])
            self._differ(exchange, "file.decks", ["1"], list(got["col"]["decks"]))
            self._differ(exchange, "file has note types", True, bool(got["col"]["models"]))
            return
        sent = compare.collection(next(iter(scenario.uploads.values())).file())
        for table in ("notes", "cards", "revlog"):
            self._differ(exchange, f"file.{table}", sent[table], got[table])
        for column, table in (("models", "notetypes"), ("decks", "decks"), ("dconf", "deck_config")):
            names = {key: row["name"] for key, row in sent[table].items()}
            self._differ(
                exchange,
                f"file.{column}",
                names,
                {k: v["name"] for k, v in got["col"][column].items()},
            )
        config = {key: row["val"] for key, row in sent["config"].items()}
        self._differ(exchange, "file.conf", config, got["col"]["conf"])
        self._differ(exchange, "file.tags", list(sent["tags"]), list(got["col"]["tags"]))
        self._time(exchange, "file.col.scm", sent["col"]["1"]["scm"], got["col"]["scm"])

    # Media replies

    def judge_begin(self, scenario: Scenario, exchange: Exchange, reply: server.Reply) -> None:
        expected, got = self._json(exchange, reply)
        captured = expected["data"]["usn"]
        expected["data"] = {"usn": self.media_usns.replayed(captured), "sk": self.key}
        self._differ(exchange, "reply", expected, got)
        self._tie_media(captured, got, "usn")

    def _tie_media(self, captured: int, got: Any, key: str | int) -> None:
        try:
            self.media_usns.tie(captured, got["data"][key])
        except (KeyError, IndexError, TypeError):
            pass  # reported as a difference

    def judge_uploadChanges(self, scenario: Scenario, exchange: Exchange, reply: server.Reply) -> None:
        expected, got = self._json(exchange, reply)
        processed, captured = expected["data"]
        expected["data"] = [processed, self.media_usns.replayed(captured)]
        self._differ(exchange, "reply", expected, got)
        self._tie_media(captured, got, 1)

    def judge_mediaChanges(self, scenario: Scenario, exchange: Exchange, reply: server.Reply) -> None:
        expected, got = self._json(exchange, reply)
        wanted = [
            [name, self.media_usns.replayed(usn), sha1 and self._sha1(name, sha1)]
            for name, usn, sha1 in expected["data"]
        ]
        self._differ(exchange, "reply", expected | {"data": wanted}, got)

    def _sha1(self, name: str, captured: str) -> str:
        return hashlib.sha1(self.media[name]).hexdigest() if name in self.made_up else captured

    def judge_downloadFiles(self, scenario: Scenario, exchange: Exchange, reply: server.Reply) -> None:
        names = exchange.response["body"]["_meta"].values()
        expected = {name: hashlib.sha1(self.media[name]).hexdigest() for name in names}
        files = compare.zip_files(reply.body)
        got = {name: hashlib.sha1(data).hexdigest() for name, data in files.items()}
        self._differ(exchange, "files", expected, got)


def _words(text: str) -> list[str]:
    return sorted(text.replace(",", " ").split())


def _own_key(name: str) -> str:
    """The host key of the captured user: the one that most requests carry."""
    keys = Counter(exchange.host_key for exchange in capture.load(name))
    likely = [key for key, _ in keys.most_common() if key and len(key) == 40 and key.strip("0")]
    return likely[0] if likely else ""


def _chunk_group(exchanges: Sequence[Exchange], at: int) -> Sequence[Exchange]:
    """The chunk requests that belong together, up to `done`; else one exchange."""
    end = at + 1
    while _wants_more(exchanges[end - 1]) and end < len(exchanges):
        end += 1
    return exchanges[at:end]


def _wants_more(exchange: Exchange) -> bool:
    if exchange.area != "sync" or exchange.method != "chunk":
        return False
    reply = exchange.response.get("body", {}).get("json")
    return isinstance(reply, dict) and not reply.get("done")


def _made_up_zip(body: dict[str, Any]) -> bytes:
    """A zip with the members that the captured one had, of the same sizes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for entry in body["entries"]:
            if entry["name"] != "_meta":
                archive.writestr(entry["name"], entry["name"].encode()[:1] * entry["size"])
        archive.writestr("_meta", json.dumps(body["_meta"]))
    return out.getvalue()
