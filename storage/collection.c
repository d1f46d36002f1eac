/* See collection.h. */
#include "storage/collection.h"

#include <sys/stat.h>

#include "storage/collection_priv.h"

enum { LARGE_JOB_ROWS = 200 };
#include "storage/overlay.h"

static void count_change(void *ctx, int op, const char *db, const char *table, sqlite3_int64 rowid)
{
	struct collection *c = ctx;
	int64_t by = op == SQLITE_INSERT ? 1 : op == SQLITE_DELETE ? -1 : 0;

	(void)db;
	(void)rowid;
	if (strcmp(table, "cards") == 0)
		c->delta_cards += by;
	else if (strcmp(table, "notes") == 0)
		c->delta_notes += by;
	else if (strcmp(table, "revlog") == 0)
		c->delta_revlog += by;
}

/* Only files that we made ourselves come here (import, creation): one row, schema 18. Anything else is damage. */
static int check_version(struct collection *c, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc = -1;

	if (sqlite3_prepare_v2(c->sql.db, "SELECT ver, (SELECT count(*) FROM col) FROM col", -1, &st, NULL) != SQLITE_OK)
		sql_err(&c->sql, e, "no table col");
	else if (sqlite3_step(st) != SQLITE_ROW)
		err_set(e, ERR_DAMAGED, "%s: no row in table col", c->sql.name);
	else if (sqlite3_column_int(st, 0) != 18 || sqlite3_column_int(st, 1) != 1)
		err_set(e, ERR_DAMAGED, "%s: schema %d, %d rows in table col", c->sql.name, sqlite3_column_int(st, 0),
			sqlite3_column_int(st, 1));
	else
		rc = 0;
	sqlite3_finalize(st);
	return rc;
}

struct collection *collection_open(const char *path, bool rollback_journal, struct err *e)
{
	struct collection *c = xcalloc(1, sizeof *c);
	struct stat st;

	if (sql_open(&c->sql, path, rollback_journal ? SQL_ROLLBACK : 0, col_stmt_text, COL_STMTS, e) != 0)
		goto fail;
	if (stat(path, &st) != 0) {
		err_errno(e, "%s", path);
		goto fail;
	}
	c->dev = st.st_dev;
	c->ino = st.st_ino;
	if (check_version(c, e) != 0)
		goto fail;
	sqlite3_update_hook(c->sql.db, count_change, c);
	return c;
fail:
	collection_close(c);
	return NULL;
}

struct collection *collection_open_build(const char *path, struct err *e)
{
	struct collection *c = xcalloc(1, sizeof *c);

	if (sql_open(&c->sql, path, SQL_CREATE | SQL_BUILD, col_stmt_text, COL_STMTS, e) == 0)
		return c;
	collection_close(c);
	return NULL;
}

struct collection *collection_open_overlay(struct overlay *o, struct err *e)
{
	struct collection *c = xcalloc(1, sizeof *c);

	overlay_offer(o);
	if (sql_open(&c->sql, "overlay", SQL_BUILD | SQL_OVERLAY, col_stmt_text, COL_STMTS, e) == 0 && check_version(c, e) == 0)
		return c;
	collection_close(c);
	return NULL;
}

void collection_close(struct collection *c)
{
	if (!c)
		return;
	sql_close(&c->sql);
	free(c);
}

bool collection_is_file(const struct collection *c, const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_ino == c->ino && st.st_dev == c->dev;
}

bool collection_is_broken(const struct collection *c)
{
	return c->sql.broken;
}

void collection_rest(struct collection *c)
{
	sql_rest(&c->sql);
	if (c->large_job)
		sql_shrink(&c->sql);
	c->large_job = false;
}

int collection_col(struct collection *c, struct col_row *row, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, COL_GET, e);

	if (!st)
		return -1;
	switch (sql_step(&c->sql, st, e)) {
	case 1:
		*row = (struct col_row){
			.crt_s = sqlite3_column_int64(st, 0),
			.mod_ms = sqlite3_column_int64(st, 1),
			.scm_ms = sqlite3_column_int64(st, 2),
			.ls_ms = sqlite3_column_int64(st, 3),
			.usn = sqlite3_column_int64(st, 4),
		};
		sqlite3_reset(st);
		return 0;
	case 0:
		return err_set(e, ERR_DAMAGED, "%s: no row in table col", c->sql.name);
	default:
		return -1;
	}
}

int collection_set_col(struct collection *c, const struct col_row *row, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, COL_SET, e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, row->crt_s);
	sqlite3_bind_int64(st, 2, row->mod_ms);
	sqlite3_bind_int64(st, 3, row->scm_ms);
	sqlite3_bind_int64(st, 4, row->ls_ms);
	sqlite3_bind_int64(st, 5, row->usn);
	return sql_run(&c->sql, st, e);
}

static int number(struct collection *c, enum col_stmt n, int64_t *v, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, (int)n, e);

	return st && sql_int(&c->sql, st, v, e) == 1 ? 0 : -1;
}

int collection_is_empty(struct collection *c, bool *empty, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, COL_ANY_CARD, e);
	int64_t one;
	int rc = st ? sql_int(&c->sql, st, &one, e) : -1;

	*empty = rc == 0;
	return rc < 0 ? -1 : 0;
}

static int count_small(struct collection *c, struct counts *n, struct err *e)
{
	return number(c, COL_COUNT_NOTETYPES, &n->notetypes, e) != 0 || number(c, COL_COUNT_DECKS, &n->decks, e) != 0 ||
			       number(c, COL_COUNT_DECK_CONFIGS, &n->deck_configs, e) != 0
		       ? -1
		       : 0;
}

int collection_count(struct collection *c, struct counts *n, struct err *e)
{
	c->large_job = true; /* reads every page of three indexes into the cache */
	return number(c, COL_COUNT_CARDS, &n->cards, e) != 0 || number(c, COL_COUNT_NOTES, &n->notes, e) != 0 ||
			       number(c, COL_COUNT_REVLOG, &n->revlog, e) != 0 || count_small(c, n, e) != 0
		       ? -1
		       : 0;
}

int collection_count_after(struct collection *c, const struct counts *before, struct counts *after, struct err *e)
{
	after->cards = before->cards + c->delta_cards;
	after->notes = before->notes + c->delta_notes;
	after->revlog = before->revlog + c->delta_revlog;
	return count_small(c, after, e);
}

int collection_view(struct collection *c, struct err *e)
{
	sqlite3_stmt *st = c->viewing ? NULL : sql_stmt(&c->sql, COL_VIEW, e);

	if (!c->viewing && (!st || sql_run(&c->sql, st, e) != 0))
		return -1;
	c->viewing = true;
	return 0;
}

void collection_view_end(struct collection *c)
{
	sqlite3_stmt *st = c->viewing ? sql_stmt(&c->sql, COL_VIEW_END, NULL) : NULL;

	if (!c->viewing)
		return;
	c->viewing = false;
	/* An I/O error may have ended it already. */
	if (sqlite3_get_autocommit(c->sql.db) == 0 && (!st || sql_run(&c->sql, st, NULL) != 0))
		sql_rollback(&c->sql);
}

/* Behind a loose transaction. A handle that stays loose must not be used again. */
static void tighten(struct collection *c)
{
	if (c->loose && sql_loosen(&c->sql, false, NULL) != 0)
		c->sql.broken = true;
	c->loose = false;
}

int collection_begin(struct collection *c, struct err *e)
{
	collection_view_end(c);
	c->delta_cards = c->delta_notes = c->delta_revlog = 0;
	c->changes_before = sqlite3_total_changes(c->sql.db);
	return sql_begin(&c->sql, e);
}

int collection_begin_loose(struct collection *c, struct err *e)
{
	collection_view_end(c);
	if (sql_loosen(&c->sql, true, e) != 0)
		return -1;
	c->loose = true;
	if (collection_begin(c, e) == 0)
		return 0;
	tighten(c);
	return -1;
}

int collection_commit(struct collection *c, struct err *e)
{
	int rc;

	/* Many open homes with full caches would meet SQLite's heap limit; a small sync leaves its 0.2 MB for the next one. */
	if (sqlite3_total_changes(c->sql.db) - c->changes_before > LARGE_JOB_ROWS)
		c->large_job = true;
	rc = sql_commit(&c->sql, e);
	tighten(c);
	return rc;
}

void collection_rollback(struct collection *c)
{
	sql_rollback(&c->sql);
	tighten(c);
}

int collection_prepare_all(struct collection *c, struct err *e)
{
	return sql_prepare_all(&c->sql, e);
}
