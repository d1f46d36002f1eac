/* See export11.h. */
#include "storage/export11.h"

#include "base/json.h"
#include "storage/collection_priv.h"
#include "storage/objects.h"
#include "storage/schema18.h"
#include "storage/settings.h"

#define NOTES "id, guid, mid, mod, usn, tags, flds, sfld, csum, flags, data"
#define CARDS "id, nid, did, ord, mod, usn, type, queue, due, ivl, factor, reps, lapses, left, odue, odid, flags, data"
#define REVLOG "id, cid, usn, ease, ivl, lastIvl, factor, time, type"
#define GRAVES "usn, oid, type"

static const struct {
	const char *read, *insert;
} tables[] = {
	{ "SELECT " NOTES " FROM notes ORDER BY id",
	  "INSERT INTO notes (" NOTES ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)" },
	{ "SELECT " CARDS " FROM cards ORDER BY id",
	  "INSERT INTO cards (" CARDS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)" },
	{ "SELECT " REVLOG " FROM revlog ORDER BY id",
	  "INSERT INTO revlog (" REVLOG ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)" },
	{ "SELECT " GRAVES " FROM graves ORDER BY oid, type", "INSERT INTO graves (" GRAVES ") VALUES (?1, ?2, ?3)" },
};

static sqlite3_stmt *prepare(struct collection *c, const char *text, struct err *e)
{
	sqlite3_stmt *st = NULL;

	if (sqlite3_prepare_v2(c->sql.db, text, -1, &st, NULL) == SQLITE_OK)
		return st;
	sql_err(&c->sql, e, text);
	return NULL;
}

static int copy_table(struct collection *from, const char *read, struct collection *to, const char *insert, struct err *e)
{
	sqlite3_stmt *in = prepare(from, read, e), *out = in ? prepare(to, insert, e) : NULL;
	int rc = -1, more;

	if (!out)
		goto out;
	while ((more = sql_step(&from->sql, in, e)) == 1) {
		for (int i = 0; i < sqlite3_column_count(in); i++)
			sqlite3_bind_value(out, i + 1, sqlite3_column_value(in, i));
		if (sql_run(&to->sql, out, e) != 0)
			goto out;
	}
	rc = more;
out:
	sqlite3_finalize(in);
	sqlite3_finalize(out);
	return rc;
}

static void put_id_key(struct buf *map, int64_t id)
{
	char key[24];

	snprintf(key, sizeof key, "%lld", (long long)id);
	json_put_key(map, key);
}

static int put_deck(const struct deck *d, void *arg, struct err *e)
{
	put_id_key(arg, d->id);
	return deck_print(arg, d, e);
}

static int put_options(const struct deck_config *o, void *arg, struct err *e)
{
	put_id_key(arg, o->id);
	return deck_config_print(arg, o, e);
}

static int put_notetypes(struct collection *from, struct buf *map, struct err *e)
{
	int64_t *ids = NULL;
	size_t n = 0;
	int rc = notetype_ids_pending(from, INT64_MIN, &ids, &n, e);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct notetype t;

		notetype_init(&t);
		put_id_key(map, ids[i]);
		rc = notetype_get(from, ids[i], &t, e) == 1 ? notetype_print(map, &t, e) : -1;
		notetype_release(&t);
	}
	free(ids);
	return rc;
}

/* Tags are keys that nobody else chooses: a NUL in one must not end it. */
static int put_tags(struct collection *from, struct buf *map, struct err *e)
{
	sqlite3_stmt *st = prepare(from, "SELECT tag, usn FROM tags ORDER BY tag", e);
	int rc;

	if (!st)
		return -1;
	while ((rc = sql_step(&from->sql, st, e)) == 1) {
		if (map->data[map->len - 1] != '{')
			buf_putc(map, ',');
		json_put_str(map, sql_column(st, 0));
		buf_putc(map, ':');
		json_put_int(map, sqlite3_column_int64(st, 1));
	}
	sqlite3_finalize(st);
	return rc;
}

enum { CONF, MODELS, DECKS, DCONF, TAGS, MAPS };

static int print_maps(struct collection *from, struct buf maps[MAPS], struct err *e)
{
	for (int i = MODELS; i < MAPS; i++)
		buf_putc(&maps[i], '{');
	if (conf_print(from, &maps[CONF], e) != 0 || put_notetypes(from, &maps[MODELS], e) != 0 ||
	    deck_each_pending(from, INT64_MIN, put_deck, &maps[DECKS], e) != 0 ||
	    deck_config_each_pending(from, INT64_MIN, put_options, &maps[DCONF], e) != 0 || put_tags(from, &maps[TAGS], e) != 0)
		return -1;
	for (int i = MODELS; i < MAPS; i++)
		buf_putc(&maps[i], '}');
	for (int i = 0; i < MAPS; i++)
		if (buf_check(&maps[i], e) != 0)
			return -1;
	return 0;
}

static int put_col(struct collection *from, struct collection *to, struct err *e)
{
	enum { MAP_MAX = 60 << 20 }; /* below SQLite's LENGTH limit (sql.c) */
	struct buf maps[MAPS] = { BUF_INIT(MAP_MAX), BUF_INIT(MAP_MAX), BUF_INIT(MAP_MAX), BUF_INIT(MAP_MAX), BUF_INIT(MAP_MAX) };
	struct col_row row;
	sqlite3_stmt *st = NULL;
	int rc = -1;

	if (collection_col(from, &row, e) != 0 || print_maps(from, maps, e) != 0)
		goto out;
	st = prepare(to, "INSERT INTO col (id, crt, mod, scm, ver, dty, usn, ls, conf, models, decks, dconf, tags)"
		     " VALUES (1, ?1, ?2, ?3, 11, 0, ?4, ?5, ?6, ?7, ?8, ?9, ?10)", e);
	if (!st)
		goto out;
	sqlite3_bind_int64(st, 1, row.crt_s);
	sqlite3_bind_int64(st, 2, row.mod_ms);
	sqlite3_bind_int64(st, 3, row.scm_ms);
	sqlite3_bind_int64(st, 4, row.usn);
	sqlite3_bind_int64(st, 5, row.ls_ms);
	for (int i = 0; i < MAPS; i++)
		sql_bind_text(st, 6 + i, buf_slice(&maps[i]));
	rc = sql_run(&to->sql, st, e);
out:
	sqlite3_finalize(st);
	for (int i = 0; i < MAPS; i++)
		buf_release(&maps[i]);
	return rc;
}

int export11(struct collection *from, const char *path, struct err *e)
{
	struct collection *to = collection_open_build(path, e);
	int rc = -1;

	if (!to)
		return -1;
	if (collection_begin(to, e) != 0 || schema11_make_tables(to, e) != 0 || put_col(from, to, e) != 0)
		goto out;
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		if (copy_table(from, tables[i].read, to, tables[i].insert, e) != 0)
			goto out;
	if (schema11_make_indexes(to, e) != 0)
		goto out;
	rc = collection_commit(to, e);
out:
	collection_close(to);
	return rc;
}
