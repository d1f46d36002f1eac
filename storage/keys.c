/* A user's keys, in user.db: SHA-256 of the secret only (design.md §8). Also user.db itself. See home.h. */
#include <assert.h>
#include <errno.h>

#include "storage/home_priv.h"

const char *const user_stmt_text[USER_STMTS] = {
	/* One statement for what every call wants to know. */
	[USER_KEY_FIND] = "SELECT EXISTS (SELECT 1 FROM key WHERE hash = ?1), (SELECT generation FROM current WHERE id = 1)",
	[USER_KEY_ADD] = "INSERT OR REPLACE INTO key (hash, client, made_s) VALUES (?1, ?2, ?3)",
	[USER_KEY_END] = "DELETE FROM key WHERE hash = ?1",
	[USER_KEYS_END] = "DELETE FROM key",
	[USER_KEY_LIST] = "SELECT hash, client, made_s FROM key ORDER BY made_s, hash",
	[USER_KEY_COUNT] = "SELECT count(*) FROM key",
	[USER_SET_CURRENT] = "INSERT INTO current (id, generation) VALUES (1, ?1)"
			     " ON CONFLICT (id) DO UPDATE SET generation = excluded.generation",
	[USER_NO_CURRENT] = "DELETE FROM current",
	[USER_GENERATION_ADD] = "INSERT INTO generation (number, made_s) VALUES (?1, ?2)",
	[USER_GENERATION_MAX] = "SELECT coalesce(max(number), 0) FROM generation",
	[USER_GENERATION_LIST] = "SELECT number FROM generation ORDER BY number DESC",
	[USER_GENERATION_DROP] = "DELETE FROM generation WHERE number = ?1",
	[USER_NAME_NOTE] = "INSERT OR IGNORE INTO old_name (kind, id, usn, name) VALUES (?1, ?2, ?3, ?4)",
	[USER_NAMES_SINCE] = "SELECT id, name FROM old_name WHERE kind = ?1 AND usn >= ?2",
	[USER_NAMES_FORGET] = "DELETE FROM old_name",
};

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS key (hash BLOB PRIMARY KEY, client TEXT NOT NULL, made_s INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS generation (number INTEGER PRIMARY KEY, made_s INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS current (id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS old_name (kind INTEGER NOT NULL, id INTEGER NOT NULL, usn INTEGER NOT NULL, name TEXT NOT NULL,"
	" PRIMARY KEY (kind, usn, id)) WITHOUT ROWID;"
	"PRAGMA user_version = 1";

static int open_user_db(struct home *h, const char *path, bool make, struct err *e)
{
	unsigned mode = (make ? SQL_CREATE : 0) | (home_rollback_journal(h) ? SQL_ROLLBACK : 0);
	struct stat st;

	if (sql_open(&h->user, path, mode, user_stmt_text, USER_STMTS, e) != 0)
		return -1;
	if (sql_make(&h->user, make ? schema : NULL, e) != 0)
		goto fail;
	if (lstat(path, &st) != 0) {
		err_errno(e, "%s", path);
		goto fail;
	}
	h->user_ino = st.st_ino;
	h->user_dev = st.st_dev;
	return 0;
fail:
	sql_close(&h->user);
	return -1;
}

int home_make_user_db(struct home *h, struct err *e)
{
	char path[PATH_MAX];

	home_file(h, "user.db", path);
	return open_user_db(h, path, true, e);
}

struct sql *home_user_db(struct home *h, struct err *e)
{
	struct err why = ERR_INIT;
	char path[PATH_MAX];
	struct stat st;

	if (h->user_seen && h->user.db && !h->user.broken)
		return &h->user;
	home_file(h, "user.db", path);
	if (h->user.db && (h->user.broken || lstat(path, &st) != 0 || st.st_ino != h->user_ino || st.st_dev != h->user_dev))
		sql_close(&h->user);
	if (h->user.db || open_user_db(h, path, false, &why) == 0) {
		h->user_seen = h->locked;
		return &h->user;
	}
	/* A new one would know no key and no collection: clients would forget their login, and be told that nothing is here. */
	if (why.kind == ERR_NOT_FOUND)
		err_set(&why, ERR_DAMAGED, "%s is missing", path);
	if (e)
		*e = why;
	return NULL;
}

/* KEYS_KNOWN: it has none. */
static unsigned key_place(const struct home *h, const uint8_t hash[HOME_KEY_HASH_BYTES])
{
	unsigned i = 0;

	while (i < KEYS_KNOWN && memcmp(h->known_keys[i], hash, HOME_KEY_HASH_BYTES) != 0)
		i++;
	return i;
}

static void remember_key(struct home *h, const uint8_t hash[HOME_KEY_HASH_BYTES], bool found)
{
	unsigned place = key_place(h, hash);

	if (found && place == KEYS_KNOWN)
		memcpy(h->known_keys[h->next_key++ % KEYS_KNOWN], hash, HOME_KEY_HASH_BYTES);
	else if (!found && place < KEYS_KNOWN)
		memset(h->known_keys[place], 0, HOME_KEY_HASH_BYTES);
}

int home_key_find(struct home *h, const uint8_t hash[HOME_KEY_HASH_BYTES], struct err *e)
{
	struct sql *s = home_user_db(h, e);
	sqlite3_stmt *st = s ? sql_stmt(s, USER_KEY_FIND, e) : NULL;
	int found;

	if (!st)
		return -1;
	sql_bind_blob(st, 1, (struct slice){ (const char *)hash, HOME_KEY_HASH_BYTES });
	if (sql_step(s, st, e) != 1)
		return -1;
	found = sqlite3_column_int(st, 0);
	if (h->locked) {
		h->current_read = sqlite3_column_int64(st, 1);
		remember_key(h, hash, found);
	}
	sqlite3_reset(st);
	return found;
}

bool home_key_known(const struct home *h, const uint8_t hash[HOME_KEY_HASH_BYTES])
{
	return key_place(h, hash) < KEYS_KNOWN;
}

int home_key_add(struct home *h, const uint8_t hash[HOME_KEY_HASH_BYTES], struct slice client, int64_t now_s, struct err *e)
{
	struct sql *s = home_user_db(h, e);
	sqlite3_stmt *st = s ? sql_stmt(s, USER_KEY_ADD, e) : NULL;

	assert(h->locked);
	if (!st)
		return -1;
	sql_bind_blob(st, 1, (struct slice){ (const char *)hash, HOME_KEY_HASH_BYTES });
	sql_bind_text(st, 2, client);
	sqlite3_bind_int64(st, 3, now_s);
	return sql_run(s, st, e);
}

int home_key_end(struct home *h, const uint8_t hash[HOME_KEY_HASH_BYTES], struct err *e)
{
	struct sql *s = home_user_db(h, e);
	sqlite3_stmt *st = s ? sql_stmt(s, USER_KEY_END, e) : NULL;

	assert(h->locked);
	if (!st)
		return -1;
	sql_bind_blob(st, 1, (struct slice){ (const char *)hash, HOME_KEY_HASH_BYTES });
	return sql_run(s, st, e) == 0 ? sqlite3_changes(s->db) : -1;
}

int home_keys_end(struct home *h, struct err *e)
{
	struct sql *s = home_user_db(h, e);
	sqlite3_stmt *st = s ? sql_stmt(s, USER_KEYS_END, e) : NULL;

	assert(h->locked);
	memset(h->known_keys, 0, sizeof h->known_keys);
	return st ? sql_run(s, st, e) : -1;
}

int home_key_count(struct home *h, int64_t *count, struct err *e)
{
	struct sql *s = home_user_db(h, e);
	sqlite3_stmt *st = s ? sql_stmt(s, USER_KEY_COUNT, e) : NULL;

	return st && sql_int(s, st, count, e) == 1 ? 0 : -1;
}

int home_keys_each(struct home *h, home_key_fn *fn, void *arg, struct err *e)
{
	struct sql *s = home_user_db(h, e);
	sqlite3_stmt *st = s ? sql_stmt(s, USER_KEY_LIST, e) : NULL;
	int rc = -1;

	while (st && (rc = sql_step(s, st, e)) == 1) {
		struct home_key key = { .client = sql_column(st, 1), .made_s = sqlite3_column_int64(st, 2) };
		struct slice hash = sql_column(st, 0);

		if (hash.len > sizeof key.hash)
			hash.len = sizeof key.hash;
		if (hash.len)
			memcpy(key.hash, hash.p, hash.len);
		rc = fn(&key, arg, e);
		if (rc != 0)
			break;
	}
	sqlite3_reset(st);
	return rc;
}
