"""One old Anki client, run by the Python of its own environment and told what to do.

Reads a request per line from stdin, `{"do": NAME, "with": {…}}`, and answers each with a line:
`{"ok": RESULT}` or `{"error": TEXT}`. Nothing else is written to stdout.
"""

import inspect
import json
import os
import sys
import time

from anki.collection import Collection

_answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)  # whatever the client prints goes elsewhere


class Agent:
    """What the client can be told; each public method is a request."""

    def __init__(self):
        self.auth = None
        self.path = ""
        self.col = None

    def open(self, path):
        self.path = path
        self.col = Collection(path)

    def close(self):
        if self.col and self.col.db:
            self.col.close()

    # Syncing

    def login(self, name, password):
        if "endpoint" in inspect.signature(self.col.sync_login).parameters:  # since 2.1.57
            url = os.environ["SYNC_URL_HERE"]
            self.auth = self.col.sync_login(name, password, endpoint=url)
            self.auth.endpoint = url
        else:
            self.auth = self.col.sync_login(name, password)
        return self.auth.hkey

    @property
    def since_23_10(self):
        """Transactions and media syncs are the backend's business."""
        return hasattr(self.col, "media_sync_status")

    def sync(self):
        """What is still required, and the server's message, as the client would show them."""
        if self.since_23_10:
            out = self.col.sync_collection(self.auth, False)
            self.col.models._clear_cache()
        else:
            self.col.save(trx=False)
            try:
                out = self.col.sync_collection(self.auth)
            finally:
                self._after_sync()
        return [out.ChangesRequired.Name(out.required), out.server_message]

    def _after_sync(self):
        self.col.db.begin()
        self.col.models._clear_cache()
        self.col._load_scheduler()

    def full(self, upload):
        self.col.close_for_full_sync()
        try:
            if self.since_23_10:
                self.col.full_upload_or_download(auth=self.auth, server_usn=None, upload=upload)
            else:
                (self.col.full_upload if upload else self.col.full_download)(self.auth)
        finally:
            self.col.reopen(after_full_sync=True)

    def media_sync(self):
        self.col.sync_media(self.auth)
        while self.since_23_10 and self.col.media_sync_status().active:
            time.sleep(0.01)

    # Content

    def add_notes(self, fronts, back, deck, notetype, tags):
        nids = []
        for front in fronts:
            note = self.col.new_note(self.col.models.by_name(notetype))
            note.fields[0] = front
            if len(note.fields) > 1:
                note.fields[1] = back
            note.tags = tags
            self.col.add_note(note, self.col.decks.id(deck))
            nids.append(note.id)
        return nids

    def edit_note(self, nid, front, tags):
        note = self.col.get_note(nid)
        note.fields[0] = front
        if tags is not None:
            note.tags = tags
        self.col.update_note(note)

    def remove_notes(self, nids):
        self.col.remove_notes(nids)

    def card_ids(self, search):
        return list(self.col.find_cards(search))

    def review(self, cid, ease):
        if hasattr(self.col, "reset"):
            self.col.reset()  # fills the queues of the scheduler
        card = self.col.get_card(cid)
        card.start_timer()
        self.col.sched.answerCard(card, ease)

    def suspend(self, cids):
        self.col.sched.suspend_cards(cids)

    def bury(self, cids):
        self.col.sched.bury_cards(cids)

    def deck(self, name):
        return self.col.decks.id(name)

    def change_deck(self, did, changes):
        deck = self.col.decks.get(did)
        deck.update(changes)
        self.col.decks.save(deck)

    def remove_decks(self, dids):
        self.col.decks.remove(dids)

    def add_options(self, name, changes):
        options = self.col.decks.add_config(name)
        _merge(options, changes)
        self.col.decks.update_config(options)
        return options["id"]

    def change_options(self, oid, changes):
        options = self.col.decks.get_config(oid)
        _merge(options, changes)
        self.col.decks.update_config(options)

    def use_options(self, did, oid):
        deck = self.col.decks.get(did)
        self.col.decks.set_config_id_for_deck_dict(deck, oid)

    def filtered_deck(self, name, search):
        did = self.col.decks.new_filtered(name)
        deck = self.col.decks.get(did)
        deck["terms"] = [[search, 10, 0]]
        self.col.decks.save(deck)
        self.col.sched.rebuild_filtered_deck(did)
        return did

    def empty_filtered_deck(self, did):
        self.col.sched.empty_filtered_deck(did)

    def set_config(self, key, value):
        self.col.set_config(key, value)

    def change_notetype(self, name, changes):
        notetype = self.col.models.by_name(name)
        notetype.update(changes)
        self.col.models.update_dict(notetype)

    def add_field(self, notetype, name):
        models = self.col.models
        found = models.by_name(notetype)
        models.add_field(found, models.new_field(name))
        models.update_dict(found)

    def media_dir(self):
        return self.col.media.dir()

    # Judging

    def dump(self):
        """What tests/clients compares, of the keys that this version knows."""
        rows = {
            "notes": "id guid mid mod tags flds sfld csum flags data",
            "cards": "id nid did ord mod type queue due ivl factor reps lapses left odue odid flags data",
            "revlog": "id cid ease ivl lastIvl factor time type",
        }
        dump = {table: self._rows(table, columns.split()) for table, columns in rows.items()}
        for card in dump["cards"].values():
            card["data"] = json.loads(card["data"] or "{}")
        dump["decks"] = _by_id(self.col.decks.all())
        dump["deck options"] = _by_id(self.col.decks.all_config())
        dump["notetypes"] = _by_id(self.col.models.all())
        dump["tags"] = {tag: True for tag in self.col.tags.all()}
        dump["creation"] = {"crt": self.col.db.scalar("select crt from col")}
        config = self.col.db.all("select key, val from config")
        dump["config"] = {key: json.loads(bytes(value)) for key, value in config}
        return dump

    def _rows(self, table, columns):
        query = "select %s from %s" % (", ".join(columns), table)
        return {row[0]: dict(zip(columns, row)) for row in self.col.db.all(query)}

    def counts(self):
        """Pending rows: nothing may be left after a sync."""
        tables = ("cards", "notes", "revlog", "graves", "decks", "deck_config", "notetypes", "tags")
        query = "select count() from %s where usn = -1"
        return {table: self.col.db.scalar(query % table) for table in tables}

    def check_database(self):
        """The report of Check Database, of a copy."""
        copy = self.path + "-checked.anki2"
        if os.path.exists(copy):
            os.unlink(copy)
        self.close()
        with open(self.path, "rb") as source, open(copy, "wb") as to:
            to.write(source.read())
        self.open(self.path)
        checked = Collection(copy)
        try:
            return checked.fix_integrity()[0]
        finally:
            checked.close()


def _merge(target, changes):
    for key, value in changes.items():
        if isinstance(value, dict):
            _merge(target[key], value)
        else:
            target[key] = value


def _by_id(objects):
    return {found["id"]: {k: v for k, v in found.items() if k != "usn"} for found in objects}


def main():
    agent = Agent()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"ok": getattr(agent, request["do"])(**request["with"])}
        except Exception as error:  # told to the test, which judges it
            answer = {"error": "%s: %s" % (type(error).__name__, error)}
        # Ids are times in milliseconds: no two devices may make one in the same.
        time.sleep(0.002)
        _answers.write(json.dumps(answer) + "\n")
        _answers.flush()


main()
