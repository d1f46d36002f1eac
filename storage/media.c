/*
 * The index itself: opening, looking things up. What changes it is in media_apply.c, what tidies up in media_sweep.c.
 * See media.h.
 *
 * A row's key is its usn: listing what changed is a walk along the table, and no usn can be there twice.
 */
#include "storage/media.h"

#include <assert.h>
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "storage/home_priv.h"
#include "storage/media_priv.h"

static const char schema[] =
	"CREATE TABLE media (usn INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL," /* 0: deleted */
	" sha1 BLOB, crc32 INTEGER, changed_s INTEGER NOT NULL, data BLOB);" /* data NULL: a file */
	"CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), last_usn INTEGER NOT NULL, bytes INTEGER NOT NULL,"
	" files INTEGER NOT NULL, swept_s INTEGER NOT NULL);"
	"INSERT INTO meta VALUES (1, 0, 0, 0, 0);"
	"PRAGMA user_version = 1";

#define FACTS "usn, name, bytes, sha1"
#define ROW FACTS ", crc32, changed_s, data"

static const char *const texts[MEDIA_STMTS] = {
	[MEDIA_BEGIN] = "BEGIN",
	[MEDIA_END] = "COMMIT",
	[MEDIA_META_GET] = "SELECT last_usn, bytes, files, swept_s FROM meta WHERE id = 1",
	[MEDIA_META_SET] = "UPDATE meta SET last_usn = ?1, bytes = ?2, files = ?3, swept_s = ?4 WHERE id = 1",
	[MEDIA_FIND] = "SELECT " ROW " FROM media WHERE name = ?1",
	[MEDIA_AFTER] = "SELECT " FACTS " FROM media WHERE usn > ?1 ORDER BY usn LIMIT ?2",
	[MEDIA_AFTER_WHOLE] = "SELECT " ROW " FROM media WHERE usn > ?1 ORDER BY usn",
	[MEDIA_ADD] = "INSERT INTO media (" ROW ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (name) DO NOTHING",
	[MEDIA_CHANGE] = "UPDATE media SET usn = ?1, bytes = ?3, sha1 = ?4, crc32 = ?5, changed_s = ?6, data = ?7 WHERE usn = ?8",
	[MEDIA_DROP] = "DELETE FROM media WHERE usn = ?1",
	[MEDIA_LEAST] = "SELECT coalesce(min(usn), 0) FROM media",
	[MEDIA_HASHES] = "SELECT sha1 FROM media WHERE bytes > 0 AND data IS NULL",
	[MEDIA_RENUMBER] = "UPDATE media SET usn = usn + ?1",
	[MEDIA_SUMS] = "SELECT coalesce(max(usn), 0), coalesce(sum(bytes), 0), count(*) FILTER (WHERE bytes > 0) FROM media",
	[MEDIA_SET_CRC] = "UPDATE media SET crc32 = ?2 WHERE name = ?1",
};

/* --- the handle --- */

void home_close_media(struct home *h)
{
	if (!h->media)
		return;
	sql_close(&h->media->sql);
	contents_close(&h->media->contents);
	free(h->media);
	h->media = NULL;
}

static bool is_file(const struct media *m, const char *path, bool *absent)
{
	struct stat st;

	*absent = false;
	if (lstat(path, &st) == 0)
		return st.st_ino == m->ino && st.st_dev == m->dev;
	*absent = errno == ENOENT;
	return false;
}

static int found_content(void *arg, const struct contents_entry *entry, struct err *e)
{
	(void)arg;
	(void)e;
	return entry->is_content;
}

int64_t media_unseen_usn(int64_t last_usn)
{
	enum { YEAR_2020 = 1577836800 };
	int64_t by_clock = clock_now_s() - YEAR_2020;

	return (by_clock > last_usn ? by_clock : last_usn) + 1;
}

/* Contents without an index: it was lost, and devices know its usns. (Their counts will differ, so they send all again.) */
static int usn_after_loss(struct media *m, int64_t *usn, struct err *e)
{
	int rc = media_contents(m, e);

	if (rc == 1)
		rc = contents_list(&m->contents, found_content, NULL, e);
	*usn = rc == 1 ? media_unseen_usn(0) : 0;
	return rc < 0 ? -1 : 0;
}

static int start_meta(struct media *m, struct err *e)
{
	struct media_meta meta = { .swept_s = clock_now_s() };

	if (usn_after_loss(m, &meta.totals.last_usn, e) != 0)
		return -1;
	if (meta.totals.last_usn)
		log_line(LOG_LEVEL_WARN, "%s: " MEDIA_DB " is missing although there are media files: a new one begins at usn %lld,"
			 " and devices will send their files again", home_uid(m->home), (long long)meta.totals.last_usn);
	return media_meta_set(m, &meta, e);
}

/* Indexes of earlier versions have files only. */
static int add_data(struct media *m, struct err *e)
{
	if (sqlite3_table_column_metadata(m->sql.db, NULL, "media", "data", NULL, NULL, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return sql_exec(&m->sql, "ALTER TABLE media ADD COLUMN data BLOB", e);
}

static int open_index(struct media *m, const char *path, bool make, struct err *e)
{
	unsigned mode = home_rollback_journal(m->home) ? SQL_ROLLBACK : 0;
	struct media_meta meta;
	struct stat st;

	if (sql_open(&m->sql, path, mode | (make ? SQL_CREATE : 0), texts, MEDIA_STMTS, e) != 0)
		return -1;
	if (sql_make(&m->sql, schema, e) != 0 || add_data(m, e) != 0 || media_meta_get(m, &meta, e) != 0)
		return -1;
	if (meta.swept_s == 0 && start_meta(m, e) != 0)
		return -1;
	if (lstat(path, &st) != 0)
		return err_errno(e, "%s", path);
	m->ino = st.st_ino;
	m->dev = st.st_dev;
	return 0;
}

int home_media(struct home *h, bool make, struct media **m, struct err *e)
{
	char path[PATH_MAX];
	bool absent = true;

	assert(h->locked);
	home_file(h, MEDIA_DB, path);
	if (h->media && !h->media->broken && !h->media->sql.broken && is_file(h->media, path, &absent)) {
		*m = h->media;
		return 1;
	}
	home_close_media(h);
	if (!make && access(path, F_OK) != 0)
		return errno == ENOENT ? 0 : err_errno(e, "%s", path);
	h->media = xcalloc(1, sizeof *h->media);
	h->media->home = h;
	h->media->contents.dirfd = -1;
	if (open_index(h->media, path, make, e) != 0) {
		home_close_media(h);
		return -1;
	}
	*m = h->media;
	return 1;
}

int media_contents(struct media *m, struct err *e)
{
	return m->contents.dirfd >= 0 ? 1 : contents_open(&m->contents, m->home, e);
}

int media_commit(struct media *m, struct err *e)
{
	if (sql_commit(&m->sql, e) == 0)
		return 0;
	m->broken = true;
	return -1;
}

int media_prepare_all(struct media *m, struct err *e)
{
	return sql_prepare_all(&m->sql, e);
}

/* --- reading --- */

int media_meta_get(struct media *m, struct media_meta *meta, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&m->sql, MEDIA_META_GET, e);

	if (!st)
		return -1;
	switch (sql_step(&m->sql, st, e)) {
	case 1:
		*meta = (struct media_meta){
			.totals.last_usn = sqlite3_column_int64(st, 0),
			.totals.bytes = sqlite3_column_int64(st, 1),
			.totals.files = sqlite3_column_int64(st, 2),
			.swept_s = sqlite3_column_int64(st, 3),
		};
		sqlite3_reset(st);
		m->home->media_swept_s = meta->swept_s;
		return 0;
	case 0:
		return err_set(e, ERR_DAMAGED, MEDIA_DB ": no row in table meta");
	default:
		return -1;
	}
}

int media_meta_set(struct media *m, const struct media_meta *meta, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&m->sql, MEDIA_META_SET, e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, meta->totals.last_usn);
	sqlite3_bind_int64(st, 2, meta->totals.bytes);
	sqlite3_bind_int64(st, 3, meta->totals.files);
	sqlite3_bind_int64(st, 4, meta->swept_s);
	m->home->media_swept_s = meta->swept_s;
	return sql_run(&m->sql, st, e);
}

int media_totals(struct media *m, struct media_totals *t, struct err *e)
{
	struct media_meta meta;

	if (media_meta_get(m, &meta, e) != 0)
		return -1;
	*t = meta.totals;
	return 0;
}

int media_usn(struct home *h, int64_t *usn, struct err *e)
{
	struct media_meta meta;
	struct media *m;
	int rc = home_media(h, false, &m, e);

	*usn = 0;
	if (rc != 1)
		return rc;
	if (media_meta_get(m, &meta, e) != 0)
		return -1;
	*usn = meta.totals.last_usn;
	return 0;
}

int media_read_begin(struct media *m, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&m->sql, MEDIA_BEGIN, e);

	return st ? sql_run(&m->sql, st, e) : -1;
}

void media_read_end(struct media *m)
{
	sqlite3_stmt *st = sql_stmt(&m->sql, MEDIA_END, NULL);

	if (!st || sql_run(&m->sql, st, NULL) != 0)
		sql_rollback(&m->sql);
}

static int read_row(sqlite3_stmt *st, bool whole, struct media_row *row, struct err *e)
{
	struct slice hash;

	*row = (struct media_row){
		.usn = sqlite3_column_int64(st, 0),
		.name = sql_column(st, 1),
		.content.bytes = sqlite3_column_int64(st, 2),
	};
	if (whole) {
		row->content.crc32 = (uint32_t)sqlite3_column_int64(st, 4);
		row->changed_s = sqlite3_column_int64(st, 5);
		if (sqlite3_column_type(st, 6) != SQLITE_NULL)
			row->data = sql_column(st, 6);
	}
	row->deleted = row->content.bytes == 0;
	if (row->deleted)
		return 0;
	hash = sql_column(st, 3);
	if (hash.len != SHA1_BYTES || row->content.bytes < 0 ||
	    (row->data.p && ((int64_t)row->data.len != row->content.bytes || row->data.len > MEDIA_SHORT_BYTES)))
		return err_set(e, ERR_DAMAGED, MEDIA_DB ": row %lld makes no sense", (long long)row->usn);
	memcpy(row->content.sha1, hash.p, SHA1_BYTES);
	return 0;
}

int media_find(struct media *m, struct slice name, struct media_row *row, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&m->sql, MEDIA_FIND, e);
	int rc;

	if (!st)
		return -1;
	sql_bind_text(st, 1, name);
	rc = sql_step(&m->sql, st, e);
	if (rc == 1) {
		rc = read_row(st, true, row, e) == 0 ? 1 : -1;
		row->name = name;
		if (rc == 1 && row->data.p) {
			memcpy(m->found, row->data.p, row->data.len);
			row->data.p = m->found;
		}
		sqlite3_reset(st);
	}
	return rc;
}

static int each(struct media *m, sqlite3_stmt *st, bool whole, media_fn *fn, void *arg, struct err *e)
{
	int rc;

	while ((rc = sql_step(&m->sql, st, e)) == 1) {
		struct media_row row;

		rc = read_row(st, whole, &row, e);
		if (rc == 0)
			rc = fn(arg, &row, e);
		if (rc != 0) {
			sqlite3_reset(st);
			break;
		}
	}
	return rc;
}

int media_each(struct media *m, int64_t after, media_fn *fn, void *arg, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&m->sql, MEDIA_AFTER_WHOLE, e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, after);
	return each(m, st, true, fn, arg, e);
}

int media_changed(struct media *m, int64_t after, int64_t max, media_fn *fn, void *arg, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&m->sql, MEDIA_AFTER, e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, after);
	sqlite3_bind_int64(st, 2, max);
	return each(m, st, false, fn, arg, e);
}

int media_open(struct media *m, const struct media_row *row, int *fd, struct err *e)
{
	int rc = media_contents(m, e);

	assert(!row->deleted && !row->data.p);
	return rc == 1 ? contents_get(&m->contents, &row->content, fd, e) : rc;
}
