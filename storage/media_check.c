/* Is the index right in itself? See media.h; contents are compared with it in core/media_check.c. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "base/log.h"
#include "storage/home_priv.h"
#include "storage/media_priv.h"

int media_is_sound(struct media *m, struct buf *why, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc = -1;

	m->sql.trusted = true;
	if (sqlite3_prepare_v2(m->sql.db, "PRAGMA integrity_check(1)", -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_ROW) {
		struct err damage = ERR_INIT;

		sql_err(&m->sql, &damage, "integrity_check");
		if (damage.kind == ERR_DAMAGED) {
			buf_puts(why, damage.msg);
			rc = 0;
		} else if (e) {
			*e = damage;
		}
		goto out;
	}
	rc = slice_eq_str(sql_column(st, 0), "ok");
	if (!rc)
		buf_put(why, sql_column(st, 0).p, sql_column(st, 0).len);
out:
	sqlite3_finalize(st);
	m->sql.trusted = false;
	m->large_job = true;
	return rc;
}

int media_recount(struct media *m, bool mend, bool *wrong, struct err *e)
{
	struct media_totals sums;
	struct media_meta meta;
	sqlite3_stmt *st;

	assert(m->home->locked);
	st = sql_stmt(&m->sql, MEDIA_SUMS, e);
	if (!st || media_meta_get(m, &meta, e) != 0)
		return -1;
	switch (sql_step(&m->sql, st, e)) {
	case 1:
		break;
	case 0:
		return err_set(e, ERR_INTERNAL, MEDIA_DB ": no sums");
	default:
		return -1;
	}
	sums = (struct media_totals){
		.last_usn = sqlite3_column_int64(st, 0),
		.bytes = sqlite3_column_int64(st, 1),
		.files = sqlite3_column_int64(st, 2),
	};
	sqlite3_reset(st);
	/* The last usn may be higher: the row that had it was forgotten, or it was raised. */
	if (sums.last_usn < meta.totals.last_usn)
		sums.last_usn = meta.totals.last_usn;
	*wrong = memcmp(&sums, &meta.totals, sizeof sums) != 0;
	if (!*wrong || !mend)
		return 0;
	meta.totals = sums;
	return media_meta_set(m, &meta, e);
}

int media_correct_crc32(struct media *m, struct slice name, uint32_t crc32, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&m->sql, MEDIA_SET_CRC, e);

	assert(m->home->locked);
	if (!st)
		return -1;
	sql_bind_text(st, 1, name);
	sqlite3_bind_int64(st, 2, crc32);
	return sql_run(&m->sql, st, e);
}

int home_media_set_aside(struct home *h, char aside[HOME_NAME_MAX], struct err *e)
{
	static const char *const parts[] = { "-wal", "-shm", "" };
	char from[HOME_NAME_MAX], to[HOME_NAME_MAX + 8];

	assert(h->locked);
	home_close_media(h);
	snprintf(aside, HOME_NAME_MAX, "damaged-%lld-" MEDIA_DB, (long long)clock_now_s());
	/* The journal first: it must never lie beside another index. */
	for (size_t i = 0; i < 3; i++) {
		snprintf(from, sizeof from, MEDIA_DB "%s", parts[i]);
		snprintf(to, sizeof to, "%s%s", aside, parts[i]);
		if (renameat(h->dirfd, from, h->dirfd, to) != 0 && errno != ENOENT)
			return err_errno(e, "%s/%s: cannot rename to %s", h->path, from, to);
	}
	return fsync(h->dirfd) == 0 ? 0 : err_errno(e, "%s: fsync", h->path);
}
