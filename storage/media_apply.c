/* Changing the index: uploads, and files that are lost. See media.h. */
#include <assert.h>

#include "base/clock.h"
#include "storage/home_priv.h"
#include "storage/media_priv.h"

/* What one batch does, while it is being found out. */
struct batch {
	struct media *m;
	struct contents_put *put;
	struct media_meta meta;
	int64_t now_s;
	bool changed;
	bool needed[CONTENTS_PUT_MAX]; /* contents that must get their names */
	struct { /* contents that lost a name */
		uint8_t sha1[SHA1_BYTES];
	} *left;
	size_t n_left;
};

static int64_t short_bytes = MEDIA_SHORT_BYTES;

void media_assume_short(int64_t bytes)
{
	assert(bytes <= MEDIA_SHORT_BYTES);
	short_bytes = bytes;
}

/* `data`: the content itself, if it is to lie in the row. 1; 0 when the name is there already, though `old` is NULL; -1. */
static int write_row(struct batch *b, struct slice name, const struct media_row *old, const struct content *content,
		     struct slice data, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&b->m->sql, old ? MEDIA_CHANGE : MEDIA_ADD, e);

	if (!st)
		return -1;
	if (b->meta.totals.last_usn >= INT32_MAX)
		return err_set(e, ERR_INTERNAL, "media.db: clients know no usn above %lld", (long long)b->meta.totals.last_usn);
	sqlite3_bind_int64(st, 1, b->meta.totals.last_usn + 1);
	if (old)
		sqlite3_bind_int64(st, 8, old->usn);
	else
		sql_bind_text(st, 2, name);
	sqlite3_bind_int64(st, 3, content ? content->bytes : 0);
	if (content) {
		sql_bind_blob(st, 4, (struct slice){ (const char *)content->sha1, SHA1_BYTES });
		sqlite3_bind_int64(st, 5, content->crc32);
	}
	sqlite3_bind_int64(st, 6, b->now_s);
	if (data.p)
		sql_bind_blob(st, 7, data);
	if (sql_run(&b->m->sql, st, e) != 0)
		return -1;
	if (sqlite3_changes(b->m->sql.db) == 0)
		return 0;
	b->meta.totals.last_usn++;
	b->changed = true;
	return 1;
}

static void leave_content(struct batch *b, const struct media_row *old)
{
	b->meta.totals.files--;
	b->meta.totals.bytes -= old->content.bytes;
	if (!old->data.p)
		memcpy(b->left[b->n_left++].sha1, old->content.sha1, SHA1_BYTES);
}

/* The same content again. Should its file be lost or cut, here is a new one. */
static int check_old(struct batch *b, size_t i, const struct media_row *old, struct err *e)
{
	int64_t bytes, changed_s;
	int rc;

	if (old->data.p)
		return 0;
	rc = media_contents(b->m, e);
	if (rc == 1)
		rc = contents_stat(&b->m->contents, old->content.sha1, &bytes, &changed_s, e);
	b->needed[i] = b->needed[i] || rc != 1 || bytes != old->content.bytes;
	return rc < 0 ? -1 : 0;
}

static int delete_one(struct batch *b, struct slice name, struct err *e)
{
	struct media_row old;
	int rc = media_find(b->m, name, &old, e);

	if (rc != 1 || old.deleted)
		return rc < 0 ? -1 : 0;
	leave_content(b, &old);
	return write_row(b, name, &old, NULL, (struct slice){ NULL, 0 }, e) == 1 ? 0 : -1;
}

static int put_one(struct batch *b, struct slice name, size_t i, struct err *e)
{
	const struct content *content = contents_put_content(b->put, i);
	struct slice data = content->bytes <= short_bytes ? contents_put_memory(b->put, i) : (struct slice){ NULL, 0 };
	struct media_row old;
	int rc;

	assert(content->bytes > 0);
	/* Most names are new. */
	rc = write_row(b, name, NULL, content, data, e);
	if (rc == 0) {
		if (media_find(b->m, name, &old, e) != 1)
			return -1;
		if (!old.deleted && memcmp(old.content.sha1, content->sha1, SHA1_BYTES) == 0)
			return check_old(b, i, &old, e);
		if (!old.deleted)
			leave_content(b, &old);
		rc = write_row(b, name, &old, content, data, e);
	}
	if (rc != 1)
		return -1;
	b->needed[i] = b->needed[i] || !data.p;
	b->meta.totals.files++;
	b->meta.totals.bytes += content->bytes;
	return 0;
}

static int apply_one(struct batch *b, const struct media_change *change, struct err *e)
{
	return change->content < 0 ? delete_one(b, change->name, e) : put_one(b, change->name, (size_t)change->content, e);
}

static int apply_all(struct batch *b, const struct media_change *changes, size_t n, media_room_fn *room, void *arg,
		     struct err *e)
{
	int64_t before;

	if (media_meta_get(b->m, &b->meta, e) != 0)
		return -1;
	before = b->meta.totals.bytes;
	for (size_t i = 0; i < n; i++)
		if (apply_one(b, &changes[i], e) != 0)
			return -1;
	if (room && room(arg, before, b->meta.totals.bytes, e) != 0)
		return -1;
	if (b->changed && media_meta_set(b->m, &b->meta, e) != 0)
		return -1;
	if (!b->put)
		return 0;
	/* Not before it is clear that all is in order: what is refused takes no room. */
	for (size_t i = 0; i < CONTENTS_PUT_MAX; i++)
		if (b->needed[i] && contents_put_keep(b->put, i, e) != 0)
			return -1;
	/* Their names reach the disk before the rows that rely on them. */
	return contents_put_settle(b->put, e);
}

int media_apply(struct media *m, struct contents_put *put, const struct media_change *changes, size_t n, media_room_fn *room,
		void *arg, int64_t *last_usn, struct err *e)
{
	struct batch b = { .m = m, .put = put, .now_s = clock_now_s() };
	int rc = -1;

	assert(m->home->locked);
	if (sql_begin(&m->sql, e) != 0)
		return -1;
	b.left = xcalloc(n ? n : 1, sizeof *b.left);
	if (apply_all(&b, changes, n, room, arg, e) != 0) {
		sql_rollback(&m->sql);
		if (put)
			contents_put_undo(put);
		goto out;
	}
	if (media_commit(m, e) != 0)
		goto out;
	*last_usn = b.meta.totals.last_usn;
	rc = 0;
	/* Backups and downloads that began before get their day. */
	for (size_t i = 0; i < b.n_left && media_contents(m, NULL) == 1; i++)
		contents_touch(&m->contents, b.left[i].sha1);
out:
	free(b.left);
	return rc;
}

static int forget_one(struct media *m, struct slice name, struct media_meta *meta, struct err *e)
{
	struct media_row row;
	sqlite3_stmt *st;
	int rc = media_find(m, name, &row, e);

	if (rc != 1)
		return rc;
	if (!row.deleted) {
		meta->totals.files--;
		meta->totals.bytes -= row.content.bytes;
	}
	st = sql_stmt(&m->sql, MEDIA_DROP, e);
	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, row.usn);
	return sql_run(&m->sql, st, e);
}

int media_forget(struct media *m, const struct slice *names, size_t n, bool tell, struct err *e)
{
	struct media_meta meta;

	assert(m->home->locked);
	if (sql_begin(&m->sql, e) != 0)
		return -1;
	if (media_meta_get(m, &meta, e) != 0)
		goto fail;
	for (size_t i = 0; i < n; i++)
		if (forget_one(m, names[i], &meta, e) != 0)
			goto fail;
	meta.totals.last_usn += tell;
	if (media_meta_set(m, &meta, e) != 0)
		goto fail;
	return media_commit(m, e);
fail:
	sql_rollback(&m->sql);
	return -1;
}

int media_renumber(struct media *m, struct err *e)
{
	struct media_meta meta;
	sqlite3_stmt *st;
	int64_t least, by;

	assert(m->home->locked);
	if (sql_begin(&m->sql, e) != 0)
		return -1;
	st = sql_stmt(&m->sql, MEDIA_LEAST, e);
	if (!st || sql_int(&m->sql, st, &least, e) != 1 || media_meta_get(m, &meta, e) != 0)
		goto fail;
	/* Far enough that no row meets an old number of another one on its way. */
	by = media_unseen_usn(meta.totals.last_usn) - least;
	st = sql_stmt(&m->sql, MEDIA_RENUMBER, e);
	if (!st)
		goto fail;
	sqlite3_bind_int64(st, 1, by);
	meta.totals.last_usn += by;
	if (sql_run(&m->sql, st, e) != 0 || media_meta_set(m, &meta, e) != 0)
		goto fail;
	return media_commit(m, e);
fail:
	sql_rollback(&m->sql);
	return -1;
}
