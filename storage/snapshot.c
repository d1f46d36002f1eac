/*
 * See snapshot.h. The usual way: checkpoint everything, begin a read transaction, see that the WAL is empty. The reader
 * then reads the main file alone, and SQLite lets nobody write to that file before the transaction ends: later commits
 * stay in the WAL (performance-facts.md, "Download"). The bytes come through SQLite's own file handle: opening and closing
 * the file ourselves would drop the locks that SQLite has on it.
 *
 * Where the WAL cannot be emptied because another download reads around it, and with a rollback journal, the file is
 * copied while the lock is held.
 *
 * Clients before v11 read the same file through an overlay that makes it schema 11.
 */
#include "storage/snapshot.h"

#include <errno.h>
#include <sys/stat.h>

#include "storage/collection_priv.h"
#include "storage/export11.h"
#include "storage/home_priv.h"

enum { TRIES = 3, READERS_MS = 20 };

struct snapshot {
	struct source source;
	struct home *home;
	struct collection *from; /* a connection of its own, in a read transaction; NULL when the file is a copy */
	sqlite3_file *file;      /* of `from` */
	int fd;                  /* of the copy, which has no name any more; -1 */
	uint64_t bytes, at;
	bool schema11;
	struct overlay *top;     /* what makes it schema 11 */
};

/* Of the file without what is on top. */
static int read_file(void *arg, void *p, size_t n, uint64_t at, struct err *e)
{
	struct snapshot *s = arg;

	if (s->fd < 0) {
		int rc = s->file->pMethods->xRead(s->file, p, (int)n, (sqlite3_int64)at);

		if (rc == SQLITE_OK)
			return 0;
		return err_set(e, rc == SQLITE_IOERR_SHORT_READ ? ERR_DAMAGED : ERR_CUT_OFF, "%s: read at %llu: error %d",
			       s->from->sql.name, (unsigned long long)at, rc);
	}
	while (n) {
		ssize_t got = pread(s->fd, p, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? err_errno(e, "copy") : err_set(e, ERR_INTERNAL, "copy: cut short");
		p = (char *)p + got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static ssize_t read_next(struct source *source, void *p, size_t n, struct err *e)
{
	struct snapshot *s = (struct snapshot *)source;

	if (n > s->bytes - s->at)
		n = (size_t)(s->bytes - s->at);
	if (n > 1 << 20)
		n = 1 << 20;
	if (n == 0)
		return 0;
	if ((s->top ? overlay_read(s->top, p, n, s->at, e) : read_file(s, p, n, s->at, e)) != 0)
		return -1;
	s->at += n;
	return (ssize_t)n;
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

/* Instead of holding the file: a copy, which loses its name as soon as it is complete. */
static int copy(struct snapshot *s, struct err *e)
{
	char name[HOME_NAME_MAX], path[PATH_MAX];
	struct stat st;
	int rc;

	if (home_temp(s->home, name, &s->fd, e) != 0)
		return -1;
	home_file(s->home, name, path);
	rc = back_up(s, path, e);
	unlinkat(home_dirfd(s->home), name, 0);
	if (rc == 0 && fstat(s->fd, &st) != 0)
		rc = err_errno(e, "%s", name);
	if (rc == 0)
		s->bytes = (uint64_t)st.st_size;
	collection_close(s->from);
	s->from = NULL;
	return rc;
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
	held = rollback ? 0 : hold_main_file(s, path, e);
	return held == 0 ? copy(s, e) : held == 1 ? 0 : -1;
}

struct snapshot *snapshot_begin(struct home *h, bool schema11, struct err *e)
{
	struct snapshot *s = xcalloc(1, sizeof *s);
	int64_t generation;
	int rc = -1;

	*s = (struct snapshot){ .source = { read_next }, .home = h, .fd = -1, .schema11 = schema11 };
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
	char name[HOME_NAME_MAX];
	int fd;

	if (!s->schema11)
		return 0;
	if (home_temp(s->home, name, &fd, e) != 0)
		return -1;
	s->top = overlay_new(read_file, s, s->bytes, fd);
	if (unlinkat(home_dirfd(s->home), name, 0) != 0)
		return err_errno(e, "%s", name);
	if (export11(s->top, e) != 0)
		return -1;
	s->bytes = overlay_bytes(s->top);
	return 0;
}

struct source *snapshot_source(struct snapshot *s)
{
	return &s->source;
}

uint64_t snapshot_bytes(const struct snapshot *s)
{
	return s->bytes;
}

void snapshot_end(struct snapshot *s)
{
	if (!s)
		return;
	overlay_free(s->top);
	collection_close(s->from);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}
