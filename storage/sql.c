/* See sql.h. The settings are those of hardening.md §4, "sqlite3". */
#include "storage/sql.h"

#include <assert.h>
#include <errno.h>

#include "base/clock.h"
#include "format/unicase.h"

enum {
	CHECKPOINT_FRAMES = 1000,
	BUSY_MS = 5000,
	LOOK_AFTER_OPS = 1000000, /* between two looks at the clock: some 10 ms */
};

static int64_t step_limit_ms;

static int compare_names(void *unused, int a_len, const void *a, int b_len, const void *b)
{
	(void)unused;
	return unicase_compare((struct slice){ a, (size_t)a_len }, (struct slice){ b, (size_t)b_len });
}

static enum err_kind kind_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_FULL:
		return ERR_FULL;
	case SQLITE_IOERR:
		return code == SQLITE_IOERR_NOMEM ? ERR_INTERNAL : ERR_CUT_OFF;
	case SQLITE_READONLY:
		return ERR_CUT_OFF;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
		return ERR_DAMAGED;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL: /* others come and go all the time */
	case SQLITE_INTERRUPT:
		return ERR_BUSY;
	case SQLITE_TOOBIG:
		return ERR_TOO_BIG;
	case SQLITE_CONSTRAINT:
		return ERR_BAD_REQUEST;
	default:
		return ERR_INTERNAL;
	}
}

int sql_err(struct sql *s, struct err *e, const char *what)
{
	int code = sqlite3_extended_errcode(s->db), system = sqlite3_system_errno(s->db);
	enum err_kind kind = kind_of(code);

	/* Shared memory or a journal that finds no room, a quota that is used up: not what SQLite calls full. */
	if ((code & 0xff) == SQLITE_IOERR && err_kind_of_errno(system) == ERR_FULL)
		kind = ERR_FULL;
	else if ((code & 0xff) == SQLITE_CANTOPEN)
		kind = err_kind_of_errno(system);
	/* A file that could not be opened for writing at that moment is open for reading only. */
	if ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_READONLY)
		s->broken = true;
	if (code == SQLITE_INTERRUPT)
		return err_set(e, kind, "%s: not done within %lld s: %s", s->name, (long long)step_limit_ms / 1000, what);
	/* The statement comes last: it may be longer than a message. */
	return err_set(e, kind, "%s: %s (%d): %s", s->name, sqlite3_errmsg(s->db), code, what);
}

/* Nothing that comes out of a file may attach, change the schema, or call a pragma. */
static int authorize(void *ctx, int action, const char *a, const char *b, const char *db, const char *trigger)
{
	const struct sql *s = ctx;

	(void)a;
	(void)b;
	(void)db;
	(void)trigger;
	if (s->trusted)
		return SQLITE_OK;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_INSERT:
	case SQLITE_UPDATE:
	case SQLITE_DELETE:
	case SQLITE_TRANSACTION:
	case SQLITE_SAVEPOINT:
	case SQLITE_FUNCTION:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	default:
		return SQLITE_DENY;
	}
}

void sql_limit_steps(int64_t ms)
{
	step_limit_ms = ms;
}

/* Not 0: the step at hand ends with SQLITE_INTERRUPT. */
static int on_progress(void *ctx)
{
	struct sql *s = ctx;
	int64_t now = clock_mono_ms();

	if (s->busy_since_ms == 0)
		s->busy_since_ms = now;
	return step_limit_ms > 0 && now - s->busy_since_ms >= step_limit_ms;
}

static int note_wal(void *ctx, sqlite3 *db, const char *name, int frames)
{
	struct sql *s = ctx;

	(void)db;
	(void)name;
	s->wal_frames = frames;
	return SQLITE_OK;
}

static int set_limits(struct sql *s)
{
	static const struct {
		int id, value;
	} limits[] = {
		{ SQLITE_LIMIT_LENGTH, 64 << 20 },      { SQLITE_LIMIT_SQL_LENGTH, 64 << 10 },
		{ SQLITE_LIMIT_COLUMN, 64 },            { SQLITE_LIMIT_EXPR_DEPTH, 32 },
		{ SQLITE_LIMIT_COMPOUND_SELECT, 8 },    { SQLITE_LIMIT_VDBE_OP, 50000 },
		{ SQLITE_LIMIT_FUNCTION_ARG, 16 },      { SQLITE_LIMIT_VARIABLE_NUMBER, 64 },
		{ SQLITE_LIMIT_TRIGGER_DEPTH, 1 },      { SQLITE_LIMIT_WORKER_THREADS, 0 },
	};
	static const struct {
		int op, value;
	} switches[] = {
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 },      { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		{ SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 }, { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
		{ SQLITE_DBCONFIG_DQS_DDL, 0 },        { SQLITE_DBCONFIG_DQS_DML, 0 },
		{ SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 }, { SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0 },
	};

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
		sqlite3_limit(s->db, limits[i].id, limits[i].value);
	sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, s->mode & SQL_BUILD ? 1 : 0);
	for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
		int now = -1;

		if (sqlite3_db_config(s->db, switches[i].op, switches[i].value, &now) != SQLITE_OK || now != switches[i].value)
			return -1;
	}
	return 0;
}

/* One pragma that answers a word, and must answer this one. */
static int pragma_is(struct sql *s, const char *text, const char *want, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc = -1;

	if (sqlite3_prepare_v2(s->db, text, -1, &st, NULL) != SQLITE_OK || sqlite3_step(st) != SQLITE_ROW)
		sql_err(s, e, text);
	else if (strcmp((const char *)sqlite3_column_text(st, 0), want) != 0)
		err_set(e, ERR_INTERNAL, "%s: %s gives %s", s->name, text, sqlite3_column_text(st, 0));
	else
		rc = 0;
	sqlite3_finalize(st);
	return rc;
}

static int set_pragmas(struct sql *s, struct err *e)
{
	static const char common[] = "PRAGMA mmap_size=0; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY;"
				     "PRAGMA cache_size=-8192;";

	if (sql_exec(s, common, e) != 0)
		return -1;
	if (s->mode & SQL_FOREIGN)
		return 0;
	if (s->mode & SQL_BUILD) {
		/* Defensive connections do not get "off" (and are not told so). In a new file there is hardly anything to journal. */
		if (pragma_is(s, "PRAGMA journal_mode=MEMORY", "memory", e) != 0)
			return -1;
		return sql_exec(s, "PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE", e);
	}
	if (s->mode & SQL_ROLLBACK) {
		if (pragma_is(s, "PRAGMA journal_mode=TRUNCATE", "truncate", e) != 0)
			return -1;
	} else {
		if (pragma_is(s, "PRAGMA journal_mode=WAL", "wal", e) != 0)
			return -1;
		if (sql_exec(s, "PRAGMA wal_autocheckpoint=0", e) != 0)
			return -1;
		sqlite3_wal_hook(s->db, note_wal, s);
	}
	return sql_exec(s, "PRAGMA synchronous=FULL", e);
}

int sql_open(struct sql *s, const char *path, unsigned mode, const char *const *texts, int n_texts, struct err *e)
{
	const char *base = strrchr(path, '/');
	int flags = SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX;
	char uri[4200];
	int rc;

	*s = (struct sql){ .texts = texts, .n_texts = n_texts, .mode = mode, .trusted = true };
	snprintf(s->name, sizeof s->name, "%s", base ? base + 1 : path);
	sqlite3_hard_heap_limit64(96 << 20);
	if (mode & SQL_FOREIGN) {
		/* Paths are ours: a folder that the administrator named, checked by config, and names of [a-z0-9-]. */
		if (strpbrk(path, "?#%"))
			return err_set(e, ERR_INTERNAL, "%s: a data folder may not have ?, # or %% in its name", path);
		snprintf(uri, sizeof uri, "file:%s?immutable=1", path);
		rc = sqlite3_open_v2(uri, &s->db, flags | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
	} else {
		flags |= SQLITE_OPEN_READWRITE | (mode & (SQL_CREATE | SQL_BUILD) ? SQLITE_OPEN_CREATE : 0);
		rc = sqlite3_open_v2(path, &s->db, flags, mode & SQL_OVERLAY ? SQL_OVERLAY_VFS : NULL);
	}
	if (rc != SQLITE_OK) {
		if (access(path, F_OK) != 0 && errno == ENOENT && !(mode & (SQL_CREATE | SQL_BUILD)))
			err_set(e, ERR_NOT_FOUND, "%s: no such file", path);
		else
			sql_err(s, e, "open");
		goto fail;
	}
	/* What SQLite makes of a file that cannot be opened for writing at this moment, for lack of descriptors for example. */
	if (!(mode & (SQL_FOREIGN | SQL_OVERLAY)) && sqlite3_db_readonly(s->db, "main") == 1) {
		err_set(e, ERR_CUT_OFF, "%s: cannot be opened for writing", path);
		goto fail;
	}
	sqlite3_busy_timeout(s->db, BUSY_MS);
	if (set_limits(s) != 0) {
		err_set(e, ERR_INTERNAL, "%s: this SQLite cannot be hardened (sqlite3_db_config)", s->name);
		goto fail;
	}
	if (sqlite3_create_collation_v2(s->db, "unicase", SQLITE_UTF8, NULL, compare_names, NULL) != SQLITE_OK) {
		sql_err(s, e, "collation");
		goto fail;
	}
	sqlite3_set_authorizer(s->db, authorize, s);
	sqlite3_progress_handler(s->db, LOOK_AFTER_OPS, on_progress, s);
	if (set_pragmas(s, e) != 0)
		goto fail;
	s->trusted = false;
	s->stmts = xcalloc((size_t)n_texts, sizeof *s->stmts);
	return 0;
fail:
	sql_close(s);
	return -1;
}

void sql_close(struct sql *s)
{
	if (s->stmts)
		for (int i = 0; i < s->n_texts; i++)
			sqlite3_finalize(s->stmts[i]);
	free(s->stmts);
	sqlite3_close(s->db);
	*s = (struct sql){ .db = NULL };
}

static int user_version(struct sql *s, int64_t *version, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc = -1;

	s->trusted = true;
	if (sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &st, NULL) != SQLITE_OK || sqlite3_step(st) != SQLITE_ROW)
		sql_err(s, e, "user_version");
	else
		rc = 0;
	if (rc == 0)
		*version = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	s->trusted = false;
	return rc;
}

int sql_make(struct sql *s, const char *schema, struct err *e)
{
	int64_t version = 0;

	if (user_version(s, &version, e) != 0)
		return -1;
	if (version != 0)
		return 0;
	if (!schema)
		return err_set(e, ERR_DAMAGED, "%s: there is nothing in it", s->name);
	if (sql_begin(s, e) != 0)
		return -1;
	/* Somebody else may have been faster. */
	if (user_version(s, &version, e) != 0 || (version == 0 && sql_exec(s, schema, e) != 0)) {
		sql_rollback(s);
		return -1;
	}
	return sql_commit(s, e);
}

sqlite3_stmt *sql_stmt(struct sql *s, int n, struct err *e)
{
	assert(n >= 0 && n < s->n_texts && s->texts[n]);
	if (!s->stmts[n]) {
		if (sqlite3_prepare_v3(s->db, s->texts[n], -1, SQLITE_PREPARE_PERSISTENT, &s->stmts[n], NULL) != SQLITE_OK) {
			sql_err(s, e, s->texts[n]);
			return NULL;
		}
		return s->stmts[n];
	}
	sqlite3_reset(s->stmts[n]);
	sqlite3_clear_bindings(s->stmts[n]);
	return s->stmts[n];
}

int sql_exec(struct sql *s, const char *text, struct err *e)
{
	bool before = s->trusted;
	int rc;

	s->trusted = true;
	s->busy_since_ms = 0;
	rc = sqlite3_exec(s->db, text, NULL, NULL, NULL);
	s->trusted = before;
	return rc == SQLITE_OK ? 0 : sql_err(s, e, text);
}

int sql_step(struct sql *s, sqlite3_stmt *st, struct err *e)
{
	int rc;

	s->busy_since_ms = 0;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		sql_err(s, e, sqlite3_sql(st));
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

int sql_run(struct sql *s, sqlite3_stmt *st, struct err *e)
{
	int rc = sql_step(s, st, e);

	if (rc == 1) {
		sqlite3_reset(st);
		return err_set(e, ERR_INTERNAL, "%s: a row where none was expected: %s", s->name, sqlite3_sql(st));
	}
	return rc;
}

int sql_int(struct sql *s, sqlite3_stmt *st, int64_t *v, struct err *e)
{
	int rc = sql_step(s, st, e);

	if (rc == 1) {
		*v = sqlite3_column_int64(st, 0);
		sqlite3_reset(st);
	}
	return rc;
}

int sql_begin(struct sql *s, struct err *e)
{
	return sql_exec(s, "BEGIN IMMEDIATE", e);
}

int sql_commit(struct sql *s, struct err *e)
{
	if (sql_exec(s, "COMMIT", e) == 0)
		return 0;
	sql_rollback(s);
	return -1;
}

void sql_rollback(struct sql *s)
{
	if (!s->db || sqlite3_get_autocommit(s->db))
		return;
	sql_exec(s, "ROLLBACK", NULL);
	/* Without memory for so much: a transaction that stayed open would keep its locks. */
	if (!sqlite3_get_autocommit(s->db))
		s->broken = true;
}

int sql_loosen(struct sql *s, bool loose, struct err *e)
{
	if (s->mode & SQL_ROLLBACK)
		return 0;
	return sql_exec(s, loose ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=FULL", e);
}

void sql_bind_text(sqlite3_stmt *st, int i, struct slice v)
{
	sqlite3_bind_text64(st, i, v.len ? v.p : "", v.len, SQLITE_STATIC, SQLITE_UTF8);
}

void sql_bind_blob(sqlite3_stmt *st, int i, struct slice v)
{
	sqlite3_bind_blob64(st, i, v.len ? v.p : "", v.len, SQLITE_STATIC);
}

struct slice sql_column(sqlite3_stmt *st, int i)
{
	int type = sqlite3_column_type(st, i), n;
	const char *p = type == SQLITE_BLOB ? sqlite3_column_blob(st, i) : (const char *)sqlite3_column_text(st, i);

	/* Not an empty one: SQLite found no room for the text with its NUL. */
	if (!p && type != SQLITE_BLOB && type != SQLITE_NULL)
		out_of_memory();
	n = sqlite3_column_bytes(st, i);
	return p ? (struct slice){ p, (size_t)n } : (struct slice){ "", 0 };
}

int sql_prepare_all(struct sql *s, struct err *e)
{
	for (int i = 0; i < s->n_texts; i++)
		if (s->texts[i] && !sql_stmt(s, i, e))
			return -1;
	return 0;
}

void sql_rest(struct sql *s)
{
	if (!s->db || s->wal_frames < CHECKPOINT_FRAMES)
		return;
	s->wal_frames = 0;
	sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

void sql_shrink(struct sql *s)
{
	if (s->db)
		sqlite3_db_release_memory(s->db);
}
