/* See schema18.h. */
#include "storage/schema18.h"

#include <fcntl.h>

#include "base/stream.h"
#include "format/deck.h"
#include "format/deck_config.h"
#include "storage/collection_priv.h"
#include "storage/objects.h"
#include "storage/settings.h"

static const char large_tables[] =
	"CREATE TABLE col (id integer PRIMARY KEY, crt integer NOT NULL, mod integer NOT NULL, scm integer NOT NULL,"
	" ver integer NOT NULL, dty integer NOT NULL, usn integer NOT NULL, ls integer NOT NULL, conf text NOT NULL,"
	" models text NOT NULL, decks text NOT NULL, dconf text NOT NULL, tags text NOT NULL);"
	"CREATE TABLE notes (id integer PRIMARY KEY, guid text NOT NULL, mid integer NOT NULL, mod integer NOT NULL,"
	" usn integer NOT NULL, tags text NOT NULL, flds text NOT NULL, sfld integer NOT NULL, csum integer NOT NULL,"
	" flags integer NOT NULL, data text NOT NULL);"
	"CREATE TABLE cards (id integer PRIMARY KEY, nid integer NOT NULL, did integer NOT NULL, ord integer NOT NULL,"
	" mod integer NOT NULL, usn integer NOT NULL, type integer NOT NULL, queue integer NOT NULL, due integer NOT NULL,"
	" ivl integer NOT NULL, factor integer NOT NULL, reps integer NOT NULL, lapses integer NOT NULL,"
	" left integer NOT NULL, odue integer NOT NULL, odid integer NOT NULL, flags integer NOT NULL, data text NOT NULL);"
	"CREATE TABLE revlog (id integer PRIMARY KEY, cid integer NOT NULL, usn integer NOT NULL, ease integer NOT NULL,"
	" ivl integer NOT NULL, lastIvl integer NOT NULL, factor integer NOT NULL, time integer NOT NULL,"
	" type integer NOT NULL);";

static const char small_tables[] =
	"CREATE TABLE graves (oid integer NOT NULL, type integer NOT NULL, usn integer NOT NULL, PRIMARY KEY (oid, type))"
	" WITHOUT ROWID;"
	"CREATE TABLE config (KEY text NOT NULL PRIMARY KEY, usn integer NOT NULL, mtime_secs integer NOT NULL,"
	" val blob NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE tags (tag text NOT NULL PRIMARY KEY COLLATE unicase, usn integer NOT NULL, collapsed boolean NOT NULL,"
	" config blob NULL) WITHOUT ROWID;"
	"CREATE TABLE decks (id integer PRIMARY KEY NOT NULL, name text NOT NULL COLLATE unicase, mtime_secs integer NOT NULL,"
	" usn integer NOT NULL, common blob NOT NULL, kind blob NOT NULL);"
	"CREATE TABLE deck_config (id integer PRIMARY KEY NOT NULL, name text NOT NULL COLLATE unicase,"
	" mtime_secs integer NOT NULL, usn integer NOT NULL, config blob NOT NULL);"
	"CREATE TABLE notetypes (id integer NOT NULL PRIMARY KEY, name text NOT NULL COLLATE unicase,"
	" mtime_secs integer NOT NULL, usn integer NOT NULL, config blob NOT NULL);"
	"CREATE TABLE fields (ntid integer NOT NULL, ord integer NOT NULL, name text NOT NULL COLLATE unicase,"
	" config blob NOT NULL, PRIMARY KEY (ntid, ord)) WITHOUT ROWID;"
	"CREATE TABLE templates (ntid integer NOT NULL, ord integer NOT NULL, name text NOT NULL COLLATE unicase,"
	" mtime_secs integer NOT NULL, usn integer NOT NULL, config blob NOT NULL, PRIMARY KEY (ntid, ord)) WITHOUT ROWID;";

static const struct {
	const char *create;
	bool unique;
} indexes[] = {
	{ "CREATE UNIQUE INDEX idx_decks_name ON decks (name)", true },
	{ "CREATE UNIQUE INDEX idx_notetypes_name ON notetypes (name)", true },
	{ "CREATE UNIQUE INDEX idx_fields_name_ntid ON fields (name, ntid)", true },
	{ "CREATE UNIQUE INDEX idx_templates_name_ntid ON templates (name, ntid)", true },
	{ "CREATE INDEX idx_templates_usn ON templates (usn)", false },
	{ "CREATE INDEX idx_notetypes_usn ON notetypes (usn)", false },
	{ "CREATE INDEX idx_graves_pending ON graves (usn)", false },
	{ "CREATE INDEX ix_notes_usn ON notes (usn)", false },
	{ "CREATE INDEX ix_notes_csum ON notes (csum)", false },
	{ "CREATE INDEX idx_notes_mid ON notes (mid)", false },
	{ "CREATE INDEX ix_cards_usn ON cards (usn)", false },
	{ "CREATE INDEX ix_cards_nid ON cards (nid)", false },
	{ "CREATE INDEX ix_cards_sched ON cards (did, queue, due)", false },
	{ "CREATE INDEX idx_cards_odid ON cards (odid) WHERE odid != 0", false },
	{ "CREATE INDEX ix_revlog_usn ON revlog (usn)", false },
	{ "CREATE INDEX ix_revlog_cid ON revlog (cid)", false },
};

int schema18_make_tables(struct collection *c, struct err *e)
{
	return sql_exec(&c->sql, large_tables, e) != 0 ? -1 : sql_exec(&c->sql, small_tables, e);
}

int schema18_make_indexes(struct collection *c, bool unique, struct err *e)
{
	for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++)
		if (indexes[i].unique == unique && sql_exec(&c->sql, indexes[i].create, e) != 0)
			return -1;
	return 0;
}

/* Without schedVer a client would take it for a collection of the first scheduler. */
static const struct {
	const char *key, *value;
} settings[] = {
	{ "activeDecks", "[1]" },    { "addToCur", "true" },    { "collapseTime", "1200" },   { "creationOffset", "null" },
	{ "curDeck", "1" },          { "dayLearnFirst", "false" }, { "dueCounts", "true" },   { "estTimes", "true" },
	{ "newSpread", "0" },        { "nextPos", "1" },        { "sched2021", "true" },      { "schedVer", "2" },
	{ "sortBackwards", "false" }, { "sortType", "\"noteFld\"" }, { "timeLim", "0" },
};

/*
 * Without any note type nobody could add a note: so two plain ones, in our own words. The client makes the other stock
 * ones available by itself.
 */
#define FIELD(name, ord) \
	"{\"name\":\"" name "\",\"ord\":" ord ",\"sticky\":false,\"rtl\":false,\"font\":\"Arial\",\"size\":20}"
#define CSS "\"css\":\".card {\\n    font-family: arial;\\n    font-size: 20px;\\n    text-align: center;\\n}\\n"
static const char *const notetypes[] = {
	"{\"id\":1,\"name\":\"Basic\",\"type\":0,\"mod\":0,\"usn\":0,\"sortf\":0,\"did\":null,\"originalStockKind\":1,"
	"\"req\":[[0,\"any\",[0]]],\"flds\":[" FIELD("Front", "0") "," FIELD("Back", "1") "],"
	"\"tmpls\":[{\"name\":\"Card 1\",\"ord\":0,\"did\":null,\"qfmt\":\"{{Front}}\","
	"\"afmt\":\"{{Front}}<hr id=answer>{{Back}}\"}]," CSS "\"}",
	"{\"id\":2,\"name\":\"Cloze\",\"type\":1,\"mod\":0,\"usn\":0,\"sortf\":0,\"did\":null,\"originalStockKind\":5,"
	"\"req\":[[0,\"any\",[0]]],\"flds\":[" FIELD("Text", "0") "," FIELD("Back Extra", "1") "],"
	"\"tmpls\":[{\"name\":\"Cloze\",\"ord\":0,\"did\":null,\"qfmt\":\"{{cloze:Text}}\","
	"\"afmt\":\"{{cloze:Text}}<br>{{Back Extra}}\"}]," CSS ".cloze {\\n    font-weight: bold;\\n    color: blue;\\n}\\n\"}",
};

/* Note types with ids from `first_id` on, the first of them as the one that new notes get. */
static int put_notetypes(struct collection *c, int64_t first_id, struct err *e)
{
	char current[24];

	for (size_t i = 0; i < sizeof notetypes / sizeof *notetypes; i++) {
		struct json_object *o = NULL;
		struct notetype n;
		int rc = -1;

		notetype_init(&n);
		if (json_parse(slice_of(notetypes[i]), &JSON_LIMITS_SMALL, &o, e) == 0 && notetype_from_json(&n, o, e) == 0) {
			n.id = first_id + (int64_t)i;
			rc = notetype_put(c, &n, e);
		}
		notetype_release(&n);
		json_object_put(o);
		if (rc != 0)
			return -1;
	}
	snprintf(current, sizeof current, "%lld", (long long)first_id);
	return conf_put(c, SLICE("curModel"), slice_of(current), 0, 0, e);
}

static int64_t last_four_o_clock(int64_t now_s)
{
	const int64_t day = 86400, four = 4 * 3600;
	int64_t since = (now_s - four) % day;

	return now_s - (since < 0 ? since + day : since);
}

int schema18_put_col(struct collection *c, const struct col_row *row, struct err *e)
{
	if (sql_exec(&c->sql, "INSERT INTO col VALUES (1, 0, 0, 0, 18, 0, 0, 0, '', '', '', '', '')", e) != 0)
		return -1;
	return collection_set_col(c, row, e);
}

int schema18_fill_new(struct collection *c, int64_t now_ms, struct err *e)
{
	const struct col_row row = { .crt_s = last_four_o_clock(now_ms / 1000), .scm_ms = now_ms };
	struct deck deck;
	struct deck_config options;
	int rc = -1;

	deck_init(&deck);
	deck_config_init(&options);
	deck_default(&deck);
	deck_config_default(&options);
	if (collection_begin(c, e) != 0 || schema18_make_tables(c, e) != 0 || schema18_make_indexes(c, true, e) != 0 ||
	    schema18_make_indexes(c, false, e) != 0)
		goto out;
	if (schema18_put_col(c, &row, e) != 0 || deck_put(c, &deck, e) != 0 || deck_config_put(c, &options, e) != 0)
		goto out;
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		if (conf_put(c, slice_of(settings[i].key), slice_of(settings[i].value), 0, 0, e) != 0)
			goto out;
	if (put_notetypes(c, now_ms, e) != 0)
		goto out;
	rc = collection_commit(c, e);
out:
	deck_release(&deck);
	deck_config_release(&options);
	return rc;
}

int collection_create(const char *path, int64_t now_ms, struct err *e)
{
	struct collection *c = collection_open_build(path, e);
	int rc;

	if (!c)
		return -1;
	rc = schema18_fill_new(c, now_ms, e);
	collection_close(c);
	return rc == 0 ? collection_seal(path, e) : -1;
}

int collection_seal(const char *path, struct err *e)
{
	/* File format write version and read version: 2 is WAL, 1 the rollback journal. */
	enum { HEADER_VERSIONS = 18 };
	static const char versions[2] = { 2, 2 };
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	int rc = -1;

	if (fd < 0)
		return err_errno(e, "%s", path);
	if (fd_write_at(fd, versions, sizeof versions, HEADER_VERSIONS) != 0)
		err_errno(e, "%s: write", path);
	else if (fsync(fd) != 0)
		err_errno(e, "%s: fsync", path);
	else
		rc = 0;
	close(fd);
	return rc;
}
