/* See accounts.h. The names' rules are at the end; everything else is SQL. */
#include "storage/accounts.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/utf8.h"
#include "storage/accounts_file.h"
#include "storage/base_dir.h"
#include "storage/sql.h"

enum { FORMAT_VERSION = 1 };

enum stmt {
	STMT_VERSION, STMT_ANY, STMT_FIND, STMT_FIND_UID, STMT_LIST, STMT_ADD, STMT_SET_HASH, STMT_RENEW_HASH, STMT_SET_ORIGIN,
	STMT_SET_STATE, STMT_SET_LIMIT, STMT_RENAME, STMT_DELETE, STMT_KEYS_END, STMT_KEY_ADD, STMT_KEY_FIND,
	STMT_KEY_COUNT, STMT_KEY_END, STMT_KEY_LIST, STMT__COUNT
};

#define COLUMNS "uid, name, hash, state, limit_bytes, created_s, origin"
static const char *const texts[STMT__COUNT] = {
	[STMT_VERSION]    = "SELECT version FROM format",
	[STMT_ANY]        = "SELECT 1 FROM account LIMIT 1",
	[STMT_FIND]       = "SELECT " COLUMNS " FROM account WHERE name = ?1",
	[STMT_FIND_UID]   = "SELECT " COLUMNS " FROM account WHERE uid = ?1",
	[STMT_LIST]       = "SELECT " COLUMNS " FROM account ORDER BY name",
	[STMT_ADD]        = "INSERT INTO account (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
	[STMT_SET_HASH]   = "UPDATE account SET hash = ?2, origin = coalesce(?3, origin) WHERE uid = ?1",
	[STMT_RENEW_HASH] = "UPDATE account SET hash = ?3 WHERE uid = ?1 AND hash = ?2",
	[STMT_SET_ORIGIN] = "UPDATE account SET origin = ?2 WHERE uid = ?1",
	[STMT_SET_STATE]  = "UPDATE account SET state = ?2 WHERE uid = ?1",
	[STMT_SET_LIMIT]  = "UPDATE account SET limit_bytes = ?2 WHERE uid = ?1",
	[STMT_RENAME]     = "UPDATE OR IGNORE account SET name = ?2 WHERE uid = ?1",
	[STMT_DELETE]     = "DELETE FROM account WHERE uid = ?1",
	[STMT_KEYS_END]   = "DELETE FROM legacy_key WHERE uid = ?1",
	[STMT_KEY_ADD]    = "INSERT INTO legacy_key (hash, uid) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET uid = excluded.uid",
	[STMT_KEY_FIND]   = "SELECT uid FROM legacy_key WHERE hash = ?1",
	[STMT_KEY_COUNT]  = "SELECT count(*) FROM legacy_key WHERE uid = ?1",
	[STMT_KEY_END]    = "DELETE FROM legacy_key WHERE hash = ?1",
	[STMT_KEY_LIST]   = "SELECT hash FROM legacy_key WHERE uid = ?1 ORDER BY hash",
};

struct accounts {
	char path[PATH_MAX];
	unsigned mode;
	bool shared;
	bool changing; /* between begin and commit */
	struct sql sql;
	dev_t dev; /* of the file that sql has open */
	ino_t ino;
};

static void let_go(struct accounts *a)
{
	sql_close(&a->sql);
	a->ino = 0;
}

/* The database, open, and the one that lies there now (a restored backup has another inode). */
static struct sql *db(struct accounts *a, struct err *e)
{
	int64_t version = 0;
	struct stat st;
	sqlite3_stmt *q;

	if (a->changing)
		return &a->sql;
	if (stat(a->path, &st) != 0) {
		if (errno == ENOENT)
			err_set(e, ERR_DAMAGED, "%s is missing: is the disk mounted? Else put it back from a backup", a->path);
		else
			err_errno(e, "%s", a->path);
		return NULL;
	}
	if (a->sql.db && st.st_ino == a->ino && st.st_dev == a->dev)
		return &a->sql;
	let_go(a);
	if (base_dir_owns(a->path, e) != 0 || sql_open(&a->sql, a->path, a->mode, texts, STMT__COUNT, e) != 0)
		return NULL;
	q = sql_stmt(&a->sql, STMT_VERSION, e);
	if (!q || sql_int(&a->sql, q, &version, e) < 0)
		goto fail;
	if (version != FORMAT_VERSION) {
		err_set(e, ERR_DAMAGED, "%s has format %lld; this program knows %d", a->path, (long long)version, FORMAT_VERSION);
		goto fail;
	}
	a->ino = st.st_ino;
	a->dev = st.st_dev;
	return &a->sql;
fail:
	let_go(a);
	return NULL;
}

/* Behind every function: what may not be kept is let go, and the journal is looked after. */
static int done(struct accounts *a, int rc)
{
	if (a->changing)
		return rc;
	sql_rest(&a->sql);
	if (a->shared || a->sql.broken)
		let_go(a);
	return rc;
}

struct accounts *accounts_open(const char *base, bool rollback_journal, bool shared, struct err *e)
{
	struct accounts *a = xcalloc(1, sizeof *a);
	char real[PATH_MAX];

	a->mode = rollback_journal ? SQL_ROLLBACK : 0;
	a->shared = shared;
	if (base_dir_make(base, e) != 0)
		goto fail;
	/* SQLite follows no link, not even one in the way to the folder. */
	if (!realpath(base, real) || (size_t)snprintf(a->path, sizeof a->path, "%s/accounts.db", real) >= sizeof a->path) {
		err_errno(e, "%s", base);
		goto fail;
	}
	if (access(a->path, F_OK) != 0 && accounts_file_make(a->path, base, a->mode, e) != 0)
		goto fail;
	if (!db(a, e))
		goto fail;
	done(a, 0);
	return a;
fail:
	accounts_close(a);
	return NULL;
}

void accounts_close(struct accounts *a)
{
	if (!a)
		return;
	accounts_rollback(a);
	let_go(a);
	free(a);
}

static int copy_text(char *to, size_t size, struct slice s, const char *what, struct err *e)
{
	if (s.len >= size)
		return err_set(e, ERR_DAMAGED, "accounts.db: %s of %zu bytes", what, s.len);
	memcpy(to, s.p, s.len);
	to[s.len] = 0;
	return 0;
}

static int read_account(sqlite3_stmt *q, struct account *to, struct err *e)
{
	struct slice origin = sql_column(q, 6);
	int64_t state = sqlite3_column_int64(q, 3);

	*to = (struct account){ .limit_bytes = sqlite3_column_int64(q, 4), .created_s = sqlite3_column_int64(q, 5) };
	if (copy_text(to->uid, sizeof to->uid, sql_column(q, 0), "uid", e) != 0 ||
	    copy_text(to->name, sizeof to->name, sql_column(q, 1), "name", e) != 0 ||
	    copy_text(to->hash, sizeof to->hash, sql_column(q, 2), "hash", e) != 0)
		return -1;
	if (state < ACCOUNT_ENABLED || state > ACCOUNT_LEAVING)
		return err_set(e, ERR_DAMAGED, "accounts.db: state %lld", (long long)state);
	to->state = (enum account_state)state;
	to->has_origin = origin.len == sizeof to->origin;
	if (to->has_origin)
		memcpy(to->origin, origin.p, sizeof to->origin);
	return 0;
}

static int find(struct accounts *a, enum stmt which, struct slice by, struct account *found, struct err *e)
{
	struct sql *s = db(a, e);
	sqlite3_stmt *q = s ? sql_stmt(s, which, e) : NULL;
	int rc;

	if (!q)
		return done(a, -1);
	sql_bind_text(q, 1, by);
	rc = sql_step(s, q, e);
	if (rc == 1 && read_account(q, found, e) != 0)
		rc = -1;
	sqlite3_reset(q);
	return done(a, rc);
}

int accounts_find(struct accounts *a, struct slice name, struct account *found, struct err *e)
{
	return find(a, STMT_FIND, name, found, e);
}

int accounts_find_uid(struct accounts *a, struct slice uid, struct account *found, struct err *e)
{
	return find(a, STMT_FIND_UID, uid, found, e);
}

int accounts_any(struct accounts *a, struct err *e)
{
	struct sql *s = db(a, e);
	sqlite3_stmt *q = s ? sql_stmt(s, STMT_ANY, e) : NULL;
	int64_t one;

	return done(a, q ? sql_int(s, q, &one, e) : -1);
}

int accounts_list(struct accounts *a, account_fn *each, void *context, struct err *e)
{
	struct account *all = NULL;
	size_t n = 0, cap = 0;
	struct sql *s = db(a, e);
	sqlite3_stmt *q = s ? sql_stmt(s, STMT_LIST, e) : NULL;
	int rc = q ? 0 : -1;

	/* Read first, then call: `each` may use these functions itself. */
	while (rc == 0 && (rc = sql_step(s, q, e)) == 1) {
		if (n == cap)
			all = xrealloc(all, (cap += cap / 2 + 64) * sizeof *all);
		rc = read_account(q, &all[n++], e);
	}
	sqlite3_reset(q);
	done(a, 0);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = each(context, &all[i], e);
	free(all);
	return rc;
}

int accounts_begin(struct accounts *a, struct err *e)
{
	struct sql *s = db(a, e);

	if (!s || sql_begin(s, e) != 0)
		return done(a, -1);
	a->changing = true;
	return 0;
}

int accounts_commit(struct accounts *a, struct err *e)
{
	int rc = sql_commit(&a->sql, e);

	a->changing = false;
	return done(a, rc);
}

void accounts_rollback(struct accounts *a)
{
	if (!a->changing)
		return;
	sql_rollback(&a->sql);
	a->changing = false;
	done(a, 0);
}

/* A statement with a uid as its first value. */
static sqlite3_stmt *with_uid(struct sql *s, enum stmt which, const char *uid, struct err *e)
{
	sqlite3_stmt *q = sql_stmt(s, which, e);

	if (q)
		sql_bind_text(q, 1, slice_of(uid));
	return q;
}

static const char gone[] = "this user is not there any more: deleted at this moment by somebody else";

/* Run it; it must have changed just one row. `missing` says why it might not. */
static int change_one(struct sql *s, sqlite3_stmt *q, enum err_kind kind, const char *missing, struct err *e)
{
	if (!q || sql_run(s, q, e) != 0)
		return -1;
	if (sqlite3_changes(s->db) != 1)
		return err_set(e, kind, "%s", missing);
	return 0;
}

static int end_keys(struct sql *s, const char *uid, struct err *e)
{
	sqlite3_stmt *q = with_uid(s, STMT_KEYS_END, uid, e);

	return q ? sql_run(s, q, e) : -1;
}

/* Begin, unless the caller did; whether it is ours to commit. */
static struct sql *begin(struct accounts *a, bool *ours, struct err *e)
{
	*ours = !a->changing;
	if (*ours && accounts_begin(a, e) != 0)
		return NULL;
	return &a->sql;
}

static int end(struct accounts *a, bool ours, int rc, struct err *e)
{
	if (!ours)
		return rc;
	if (rc == 0)
		return accounts_commit(a, e);
	accounts_rollback(a);
	return rc;
}

int accounts_add(struct accounts *a, const struct account *account, struct err *e)
{
	bool ours;
	struct sql *s = begin(a, &ours, e);
	sqlite3_stmt *q = s ? with_uid(s, STMT_ADD, account->uid, e) : NULL;
	int rc = -1;

	if (!s)
		return -1;
	if (!q || account_name_check(slice_of(account->name), e) != 0)
		goto out;
	sql_bind_text(q, 2, slice_of(account->name));
	sql_bind_text(q, 3, slice_of(account->hash));
	sqlite3_bind_int(q, 4, account->state);
	sqlite3_bind_int64(q, 5, account->limit_bytes);
	sqlite3_bind_int64(q, 6, account->created_s);
	if (account->has_origin)
		sqlite3_bind_blob(q, 7, account->origin, sizeof account->origin, SQLITE_STATIC);
	rc = change_one(s, q, ERR_CONFLICT, "this user exists", e);
out:
	return end(a, ours, rc, e);
}

int accounts_set_hash(struct accounts *a, const char *uid, const char *hash, const uint8_t origin[ACCOUNT_DIGEST_BYTES],
		      struct err *e)
{
	bool ours;
	struct sql *s = begin(a, &ours, e);
	sqlite3_stmt *q = s ? with_uid(s, STMT_SET_HASH, uid, e) : NULL;
	int rc = -1;

	if (!s)
		return -1;
	if (!q)
		goto out;
	sql_bind_text(q, 2, slice_of(hash));
	if (origin)
		sqlite3_bind_blob(q, 3, origin, ACCOUNT_DIGEST_BYTES, SQLITE_STATIC);
	rc = change_one(s, q, ERR_NOT_FOUND, gone, e) || end_keys(s, uid, e) ? -1 : 0;
out:
	return end(a, ours, rc, e);
}

int accounts_renew_hash(struct accounts *a, const char *uid, const char *old, const char *hash, struct err *e)
{
	struct sql *s = db(a, e);
	sqlite3_stmt *q = s ? with_uid(s, STMT_RENEW_HASH, uid, e) : NULL;

	if (!q)
		return done(a, -1);
	sql_bind_text(q, 2, slice_of(old));
	sql_bind_text(q, 3, slice_of(hash));
	if (sql_run(s, q, e) != 0)
		return done(a, -1);
	return done(a, sqlite3_changes(s->db) == 1);
}

int accounts_set_origin(struct accounts *a, const char *uid, const uint8_t origin[ACCOUNT_DIGEST_BYTES], struct err *e)
{
	struct sql *s = db(a, e);
	sqlite3_stmt *q = s ? with_uid(s, STMT_SET_ORIGIN, uid, e) : NULL;

	if (q)
		sqlite3_bind_blob(q, 2, origin, ACCOUNT_DIGEST_BYTES, SQLITE_STATIC);
	return done(a, q ? change_one(s, q, ERR_NOT_FOUND, gone, e) : -1);
}

int accounts_set_state(struct accounts *a, const char *uid, enum account_state state, struct err *e)
{
	bool ours;
	struct sql *s = begin(a, &ours, e);
	sqlite3_stmt *q = s ? with_uid(s, STMT_SET_STATE, uid, e) : NULL;
	int rc = -1;

	if (!s)
		return -1;
	if (!q)
		goto out;
	sqlite3_bind_int(q, 2, state);
	rc = change_one(s, q, ERR_NOT_FOUND, gone, e);
	if (rc == 0 && state != ACCOUNT_ENABLED)
		rc = end_keys(s, uid, e);
out:
	return end(a, ours, rc, e);
}

int accounts_set_limit(struct accounts *a, const char *uid, int64_t limit_bytes, struct err *e)
{
	struct sql *s = db(a, e);
	sqlite3_stmt *q = s ? with_uid(s, STMT_SET_LIMIT, uid, e) : NULL;

	if (q)
		sqlite3_bind_int64(q, 2, limit_bytes);
	return done(a, q ? change_one(s, q, ERR_NOT_FOUND, gone, e) : -1);
}

int accounts_rename(struct accounts *a, const char *uid, struct slice name, struct err *e)
{
	struct sql *s = db(a, e);
	sqlite3_stmt *q = s ? with_uid(s, STMT_RENAME, uid, e) : NULL;

	if (!q || account_name_check(name, e) != 0)
		return done(a, -1);
	sql_bind_text(q, 2, name);
	return done(a, change_one(s, q, ERR_CONFLICT, "this name is taken", e));
}

int accounts_delete(struct accounts *a, const char *uid, struct err *e)
{
	bool ours;
	struct sql *s = begin(a, &ours, e);
	sqlite3_stmt *q = s ? with_uid(s, STMT_DELETE, uid, e) : NULL;
	int rc = -1;

	if (!s)
		return -1;
	if (q)
		rc = change_one(s, q, ERR_NOT_FOUND, gone, e) || end_keys(s, uid, e) ? -1 : 0;
	return end(a, ours, rc, e);
}

int accounts_key_add(struct accounts *a, const uint8_t hash[ACCOUNT_DIGEST_BYTES], const char *uid, struct err *e)
{
	struct sql *s = db(a, e);
	sqlite3_stmt *q = s ? sql_stmt(s, STMT_KEY_ADD, e) : NULL;

	if (!q)
		return done(a, -1);
	sqlite3_bind_blob(q, 1, hash, ACCOUNT_DIGEST_BYTES, SQLITE_STATIC);
	sql_bind_text(q, 2, slice_of(uid));
	return done(a, sql_run(s, q, e));
}

int accounts_key_find(struct accounts *a, const uint8_t hash[ACCOUNT_DIGEST_BYTES], char uid[ACCOUNT_UID_MAX + 1],
		      struct err *e)
{
	struct sql *s = db(a, e);
	sqlite3_stmt *q = s ? sql_stmt(s, STMT_KEY_FIND, e) : NULL;
	int rc;

	if (!q)
		return done(a, -1);
	sqlite3_bind_blob(q, 1, hash, ACCOUNT_DIGEST_BYTES, SQLITE_STATIC);
	rc = sql_step(s, q, e);
	if (rc == 1 && copy_text(uid, ACCOUNT_UID_MAX + 1, sql_column(q, 0), "uid", e) != 0)
		rc = -1;
	sqlite3_reset(q);
	return done(a, rc);
}

int accounts_key_end(struct accounts *a, const uint8_t hash[ACCOUNT_DIGEST_BYTES], struct err *e)
{
	struct sql *s = db(a, e);
	sqlite3_stmt *q = s ? sql_stmt(s, STMT_KEY_END, e) : NULL;

	if (!q)
		return done(a, -1);
	sqlite3_bind_blob(q, 1, hash, ACCOUNT_DIGEST_BYTES, SQLITE_STATIC);
	return done(a, sql_run(s, q, e) == 0 ? sqlite3_changes(s->db) : -1);
}

int accounts_keys_end(struct accounts *a, const char *uid, struct err *e)
{
	bool ours;
	struct sql *s = begin(a, &ours, e);

	return s ? end(a, ours, end_keys(s, uid, e), e) : -1;
}

int accounts_keys_each(struct accounts *a, const char *uid, account_key_fn *fn, void *arg, struct err *e)
{
	struct sql *s = db(a, e);
	sqlite3_stmt *q = s ? with_uid(s, STMT_KEY_LIST, uid, e) : NULL;
	int rc = q ? 0 : -1;

	while (rc == 0 && (rc = sql_step(s, q, e)) == 1) {
		struct slice hash = sql_column(q, 0);

		rc = hash.len == ACCOUNT_DIGEST_BYTES ? fn((const uint8_t *)hash.p, arg, e) : 0;
	}
	sqlite3_reset(q);
	return done(a, rc);
}

int accounts_key_count(struct accounts *a, const char *uid, int64_t *n, struct err *e)
{
	struct sql *s = db(a, e);
	sqlite3_stmt *q = s ? with_uid(s, STMT_KEY_COUNT, uid, e) : NULL;

	return done(a, q && sql_int(s, q, n, e) >= 0 ? 0 : -1);
}

int account_name_check(struct slice name, struct err *e)
{
	if (name.len == 0)
		return err_set(e, ERR_BAD_REQUEST, "the user name is empty");
	if (name.len > ACCOUNT_NAME_MAX)
		return err_set(e, ERR_BAD_REQUEST, "the user name has %zu bytes; at most %d", name.len, ACCOUNT_NAME_MAX);
	if (!utf8_valid(name))
		return err_set(e, ERR_BAD_REQUEST, "the user name is not UTF-8: no client could send it");
	for (size_t i = 0, used; i < name.len; i += used) {
		uint32_t c = utf8_decode(name.p + i, name.len - i, &used);

		if (c < 0x20 || (c >= 0x7F && c < 0xA0))
			return err_set(e, ERR_BAD_REQUEST, "the user name has a control character");
		if (c == ':')
			return err_set(e, ERR_BAD_REQUEST, "the user name \"%.*s\" has a colon: it ends the name in lists", (int)name.len, name.p);
	}
	if (name.p[0] == ' ' || name.p[name.len - 1] == ' ')
		return err_set(e, ERR_BAD_REQUEST, "the user name \"%.*s\" has a space at one end", (int)name.len, name.p);
	return 0;
}
