/* See export11.h. */
#include "storage/export11.h"

#include "base/json.h"
#include "storage/collection_priv.h"
#include "storage/objects.h"
#include "storage/schema18.h"
#include "storage/settings.h"

/* Graves without a key, and away with all that has its place in table col now. */
static const char downgrade[] =
	"CREATE TEMP TABLE kept AS SELECT usn, oid, type FROM graves ORDER BY oid, type;"
	"DROP TABLE graves;"
	SCHEMA11_GRAVES ";"
	"INSERT INTO graves SELECT usn, oid, type FROM kept ORDER BY oid, type;"
	"DROP TABLE kept;"
	"DROP TABLE config; DROP TABLE deck_config; DROP TABLE tags; DROP TABLE fields; DROP TABLE templates;"
	"DROP TABLE notetypes; DROP TABLE decks;"
	"DROP INDEX IF EXISTS idx_cards_odid; DROP INDEX IF EXISTS idx_notes_mid";

static sqlite3_stmt *prepare(struct collection *c, const char *text, struct err *e)
{
	sqlite3_stmt *st = NULL;

	if (sqlite3_prepare_v2(c->sql.db, text, -1, &st, NULL) == SQLITE_OK)
		return st;
	sql_err(&c->sql, e, text);
	return NULL;
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

static int put_notetypes(struct collection *c, struct buf *map, struct err *e)
{
	int64_t *ids = NULL;
	size_t n = 0;
	int rc = notetype_ids_pending(c, INT64_MIN, &ids, &n, e);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct notetype t;

		notetype_init(&t);
		put_id_key(map, ids[i]);
		rc = notetype_get(c, ids[i], &t, e) == 1 ? notetype_print(map, &t, e) : -1;
		notetype_release(&t);
	}
	free(ids);
	return rc;
}

/* Tags are keys that nobody else chooses: a NUL in one must not end it. */
static int put_tags(struct collection *c, struct buf *map, struct err *e)
{
	sqlite3_stmt *st = prepare(c, "SELECT tag, usn FROM tags ORDER BY tag", e);
	int rc;

	if (!st)
		return -1;
	while ((rc = sql_step(&c->sql, st, e)) == 1) {
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

static int print_maps(struct collection *c, struct buf maps[MAPS], struct err *e)
{
	for (int i = MODELS; i < MAPS; i++)
		buf_putc(&maps[i], '{');
	if (conf_print(c, &maps[CONF], e) != 0 || put_notetypes(c, &maps[MODELS], e) != 0 ||
	    deck_each_pending(c, INT64_MIN, put_deck, &maps[DECKS], e) != 0 ||
	    deck_config_each_pending(c, INT64_MIN, put_options, &maps[DCONF], e) != 0 ||
	    put_tags(c, &maps[TAGS], e) != 0)
		return -1;
	for (int i = MODELS; i < MAPS; i++)
		buf_putc(&maps[i], '}');
	for (int i = 0; i < MAPS; i++)
		if (buf_check(&maps[i], e) != 0)
			return -1;
	return 0;
}

static int put_col(struct collection *c, struct err *e)
{
	enum { MAP_MAX = 60 << 20 }; /* below SQLite's LENGTH limit (sql.c) */
	struct buf maps[MAPS];
	sqlite3_stmt *st = NULL;
	int rc = -1;

	for (int i = 0; i < MAPS; i++)
		buf_init(&maps[i], MAP_MAX);
	if (print_maps(c, maps, e) != 0)
		goto out;
	st = prepare(c, "UPDATE col SET ver = 11, conf = ?1, models = ?2, decks = ?3, dconf = ?4, tags = ?5", e);
	if (!st)
		goto out;
	for (int i = 0; i < MAPS; i++)
		sql_bind_text(st, 1 + i, buf_slice(&maps[i]));
	rc = sql_run(&c->sql, st, e);
out:
	sqlite3_finalize(st);
	for (int i = 0; i < MAPS; i++)
		buf_release(&maps[i]);
	return rc;
}

int export11(struct overlay *o, struct err *e)
{
	struct collection *c = collection_open_overlay(o, e);
	int rc = -1;

	if (!c)
		return -1;
	if (collection_begin(c, e) == 0 && put_col(c, e) == 0 && sql_exec(&c->sql, downgrade, e) == 0)
		rc = collection_commit(c, e);
	collection_close(c);
	return rc;
}
