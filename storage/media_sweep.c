/*
 * Contents that no row needs: left over by uploads that died half-way, and by files that were replaced or deleted. They stay
 * for a day, for backups and downloads that began before. See media.h.
 */
#include <assert.h>

#include "base/clock.h"
#include "base/log.h"
#include "storage/home_priv.h"
#include "storage/media_priv.h"

/* The first 8 bytes of the hashes that are needed, in a table with open addressing. One that is alike by chance is kept. */
struct hash_set {
	uint64_t *slots; /* 0: free */
	size_t mask, n;
};

static uint64_t hash_start(const void *sha1)
{
	uint64_t v;

	memcpy(&v, sha1, sizeof v);
	return v ? v : 1;
}

static void set_add(struct hash_set *s, uint64_t v)
{
	size_t at = (size_t)v & s->mask;

	while (s->slots[at] && s->slots[at] != v)
		at = (at + 1) & s->mask;
	s->n += !s->slots[at];
	s->slots[at] = v;
}

static bool set_has(const struct hash_set *s, uint64_t v)
{
	size_t at = (size_t)v & s->mask;

	while (s->slots[at] && s->slots[at] != v)
		at = (at + 1) & s->mask;
	return s->slots[at] == v;
}

static int read_hashes(struct media *m, struct hash_set *s, struct err *e)
{
	struct media_totals t;
	sqlite3_stmt *st;
	size_t want = 64;
	int rc;

	if (media_totals(m, &t, e) != 0)
		return -1;
	while (want < (size_t)t.files * 2)
		want *= 2;
	*s = (struct hash_set){ .slots = xcalloc(want, sizeof *s->slots), .mask = want - 1 };
	st = sql_stmt(&m->sql, MEDIA_HASHES, e);
	if (!st)
		return -1;
	while ((rc = sql_step(&m->sql, st, e)) == 1) {
		struct slice hash = sql_column(st, 0);

		if (hash.len == SHA1_BYTES && s->n < want - 1) {
			set_add(s, hash_start(hash.p));
			continue;
		}
		sqlite3_reset(st);
		return err_set(e, ERR_DAMAGED, "media.db: %s", hash.len == SHA1_BYTES ? "the number of files is wrong" : "a hash makes no sense");
	}
	return rc;
}

struct sweeping {
	struct media *m;
	struct hash_set needed;
	int64_t limit_s; /* what changed later stays */
	bool remove;
	struct media_swept *swept;
};

static int sweep_one(void *arg, const struct contents_entry *entry, struct err *e)
{
	struct sweeping *w = arg;
	const struct contents *c = &w->m->contents;
	int64_t bytes, changed_s;
	int rc;

	if (!entry->is_temporary && !entry->is_content) {
		w->swept->foreign++;
		return 0;
	}
	if (entry->is_content && set_has(&w->needed, hash_start(entry->sha1)))
		return 0;
	rc = contents_stat_name(c, entry->name, &bytes, &changed_s, e);
	if (rc != 1)
		return rc;
	if (changed_s > w->limit_s) {
		w->swept->kept++;
		return 0;
	}
	w->swept->files++;
	w->swept->bytes += bytes;
	return w->remove ? contents_delete(c, entry->name, e) : 0;
}

static int walk(struct media *m, int64_t older_than_s, bool remove, struct media_swept *swept, struct err *e)
{
	struct sweeping w = { .m = m, .limit_s = clock_now_s() - older_than_s, .remove = remove, .swept = swept };
	int rc = media_contents(m, e);

	assert(m->home->locked);
	*swept = (struct media_swept){ 0 };
	if (rc != 1)
		return rc;
	m->large_job = true;
	rc = read_hashes(m, &w.needed, e);
	if (rc == 0)
		rc = contents_list(&m->contents, sweep_one, &w, e);
	free(w.needed.slots);
	return rc;
}

int media_strays(struct media *m, int64_t older_than_s, struct media_swept *found, struct err *e)
{
	return walk(m, older_than_s, false, found, e);
}

int media_sweep(struct media *m, int64_t older_than_s, struct media_swept *swept, struct err *e)
{
	struct media_meta meta;

	if (walk(m, older_than_s, true, swept, e) != 0 || media_meta_get(m, &meta, e) != 0)
		return -1;
	meta.swept_s = clock_now_s();
	return media_meta_set(m, &meta, e);
}

static bool is_due(int64_t swept_s)
{
	int64_t now_s = clock_now_s();

	return now_s - swept_s >= MEDIA_STRAY_S || swept_s > now_s; /* the clock was ahead, perhaps by years */
}

static int sweep_once_a_day(struct home *h, struct err *e)
{
	struct media_swept swept;
	struct media_meta meta;
	struct media *m;
	int rc = home_media(h, false, &m, e);

	if (rc != 1)
		return rc;
	/* Another worker may have done it. */
	if (media_meta_get(m, &meta, e) != 0)
		return -1;
	if (!is_due(meta.swept_s))
		return 0;
	if (media_sweep(m, MEDIA_STRAY_S, &swept, e) != 0)
		return -1;
	if (swept.files)
		log_line(LOG_LEVEL_INFO, "%s: removed %lld media files that nobody needs any more, %lld bytes", home_uid(h),
			 (long long)swept.files, (long long)swept.bytes);
	return 0;
}

void media_rest(struct home *h)
{
	enum { RETRY_S = 600 };
	struct err e = ERR_INIT;

	if (h->media_swept_s && is_due(h->media_swept_s) && home_try_lock(h)) {
		if (sweep_once_a_day(h, &e) != 0) {
			log_line(LOG_LEVEL_WARN, "%s: sweeping media: %s", home_uid(h), e.msg);
			h->media_swept_s = clock_now_s() - MEDIA_STRAY_S + RETRY_S;
		}
		home_unlock(h);
	}
	if (!h->media)
		return;
	sql_rest(&h->media->sql);
	if (h->media->large_job)
		sql_shrink(&h->media->sql);
	h->media->large_job = false;
}
