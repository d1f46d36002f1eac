/*
 * See snapshot.h. The usual way: checkpoint everything, begin a read transaction, see that the WAL is empty. The reader
 * then reads the main file alone, and SQLite lets nobody write to that file before the transaction ends: later commits
 * stay in the WAL (performance-facts.md, "Download"). The bytes come through SQLite's own file handle: opening and closing
 * the file ourselves would drop the locks that SQLite has on it.
 *
 * Where the WAL cannot be emptied because another download reads around it, and with a rollback journal, the file is
 * copied while the lock is held.
 */
#include "storage/snapshot.h"

#include <sys/stat.h>

#include "storage/collection_priv.h"
#include "storage/export11.h"
#include "storage/home_priv.h"

enum { TRIES = 3, READERS_MS = 20 };

struct snapshot {
	struct source source;
	struct home *home;
	struct collection *from; /* a connection of its own, in a read transaction; NULL when the file is a temporary one */
	sqlite3_file *file;      /* of `from` */
	struct fd_source temp;
	int fd;                  /* of the temporary file, without a name any more; -1 */
	bool schema11;
	uint64_t bytes, at;
};

static ssize_t read_main_file(struct source *source, void *p, size_t n, struct err *e)
{
	struct snapshot *s = (struct snapshot *)source;
	int rc;

	if (n > s->bytes - s->at)
		n = (size_t)(s->bytes - s->at);
	if (n == 0)
		return 0;
	if (n > 1 << 20)
		n = 1 << 20;
	rc = s->file->pMethods->xRead(s->file, p, (int)n, (sqlite3_int64)s->at);
	if (rc != SQLITE_OK)
		return err_set(e, rc == SQLITE_IOERR_SHORT_READ ? ERR_DAMAGED : ERR_CUT_OFF, "%s: read at %llu: error %d",
			       s->from->sql.name, (unsigned long long)s->at, rc);
	s->at += n;
	return (ssize_t)n;
}

/*
 * A file of the home that has a name only while `make` fills it. Its descriptor is in s->fd afterwards, its position at
 * the beginning.
 */
static int make_temp(struct snapshot *s, int (*make)(struct snapshot *s, const char *path, struct err *e), struct err *e)
{
	char name[HOME_NAME_MAX], path[PATH_MAX];
	struct stat st;
	int rc;

	if (home_temp(s->home, name, &s->fd, e) != 0)
		return -1;
	home_file(s->home, name, path);
	rc = make(s, path, e);
	unlinkat(home_dirfd(s->home), name, 0);
	if (rc == 0 && fstat(s->fd, &st) != 0)
		rc = err_errno(e, "%s", name);
	if (rc == 0)
		s->bytes = (uint64_t)st.st_size;
	collection_close(s->from);
	s->from = NULL;
	fd_source_init(&s->temp, s->fd);
	return rc;
}

/* Begin the read transaction: it lasts until the connection is closed. */
static int begin_reading(struct sql *sql, struct err *e)
{
	return sql_exec(sql, "BEGIN; SELECT ver FROM col", e);
}

static bool wal_is_empty(const char *path)
{
	char wal[PATH_MAX + 8];
	struct stat st;

	snprintf(wal, sizeof wal, "%s-wal", path);
	return stat(wal, &st) != 0 || st.st_size == 0;
}

/* 1 when the main file alone is the collection and stays so, 0 when it is not, -1. */
static int hold_main_file(struct snapshot *s, const char *path, struct err *e)
{
	struct sql *sql = &s->from->sql;
	sqlite3_int64 bytes;

	sqlite3_busy_timeout(sql->db, READERS_MS);
	for (int i = 0; i < TRIES; i++) {
		/* Busy when a download is reading: its result shows in the WAL. */
		sqlite3_wal_checkpoint_v2(sql->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
		if (begin_reading(sql, e) != 0)
			return -1;
		if (wal_is_empty(path)) {
			if (sqlite3_file_control(sql->db, "main", SQLITE_FCNTL_FILE_POINTER, &s->file) != SQLITE_OK ||
			    s->file->pMethods->xFileSize(s->file, &bytes) != SQLITE_OK)
				return sql_err(sql, e, "file");
			s->bytes = (uint64_t)bytes;
			s->source.read = read_main_file;
			return 1;
		}
		sql_rollback(sql);
	}
	return 0;
}

static int back_up(struct snapshot *s, const char *path, struct err *e)
{
	struct sql to = { .db = NULL };
	sqlite3_backup *b;
	int rc = -1;

	if (sql_open(&to, path, SQL_CREATE | SQL_BUILD, NULL, 0, e) != 0)
		return -1;
	b = sqlite3_backup_init(to.db, "main", s->from->sql.db, "main");
	if (b) {
		if (sqlite3_backup_step(b, -1) == SQLITE_DONE)
			rc = 0;
		sqlite3_backup_finish(b);
	}
	if (rc != 0)
		sql_err(&to, e, "backup");
	sql_close(&to);
	return rc;
}

static int downgrade(struct snapshot *s, const char *path, struct err *e)
{
	return export11(s->from, path, e);
}

static int begin_current(struct snapshot *s, int64_t generation, struct err *e)
{
	bool rollback = home_rollback_journal(s->home);
	struct err why = ERR_INIT;
	char path[PATH_MAX];
	int held;

	home_generation_path(s->home, generation, path);
	s->from = collection_open(path, rollback, &why);
	if (!s->from) {
		if (why.kind == ERR_NOT_FOUND)
			return err_set(e, ERR_DAMAGED, "%s: generation %lld is current, but its file is missing", home_uid(s->home),
				       (long long)generation);
		if (e)
			*e = why;
		return -1;
	}
	/* A reader of a rollback journal's file would keep everybody else from writing. */
	if (s->schema11)
		return rollback ? make_temp(s, downgrade, e) : begin_reading(&s->from->sql, e);
	held = rollback ? 0 : hold_main_file(s, path, e);
	return held == 0 ? make_temp(s, back_up, e) : held == 1 ? 0 : -1;
}

struct snapshot *snapshot_begin(struct home *h, bool schema11, struct err *e)
{
	struct snapshot *s = xcalloc(1, sizeof *s);
	int64_t generation;
	int rc = -1;

	*s = (struct snapshot){ .home = h, .fd = -1, .schema11 = schema11 };
	if (home_generation(h, &generation, e) != 0)
		goto out;
	rc = begin_current(s, generation, e);
out:
	if (rc == 0)
		return s;
	snapshot_end(s);
	return NULL;
}

int snapshot_make(struct snapshot *s, struct err *e)
{
	return s->schema11 && s->from ? make_temp(s, downgrade, e) : 0;
}

struct source *snapshot_source(struct snapshot *s)
{
	return s->fd >= 0 ? &s->temp.source : &s->source;
}

uint64_t snapshot_bytes(const struct snapshot *s)
{
	return s->bytes;
}

void snapshot_end(struct snapshot *s)
{
	if (!s)
		return;
	collection_close(s->from);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}
