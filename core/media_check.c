/* See media_check.h. */
#include "core/media_check.h"

#include <errno.h>
#include <zlib.h>

#include "base/digest.h"
#include "storage/home.h"
#include "storage/media.h"

enum { PIECE_BYTES = 128 << 10 };

enum state { UNREAD, GOOD, MISSING, DAMAGED, BAD_CHECKSUM };

struct file {
	char *name; /* `name_len` bytes, and a NUL that does not count */
	size_t name_len;
	struct content content;
	uint32_t true_crc32;
	bool in_row; /* it is no file, media.h */
	enum state state;
};

struct checking {
	struct media_check *c;
	struct home *home;
	struct file *files;
	size_t n, cap;
	struct contents contents;
	char *piece;
};

static void found(struct checking *k, enum media_finding_kind kind, struct slice name)
{
	k->c->findings++;
	if (k->c->found)
		k->c->found(k->c->arg, kind, name);
}

static struct slice name_of(const struct file *f)
{
	return (struct slice){ f->name, f->name_len };
}

static void judge(struct file *f, const struct content *is)
{
	f->true_crc32 = is->crc32;
	if (memcmp(is->sha1, f->content.sha1, SHA1_BYTES) != 0 || is->bytes != f->content.bytes)
		f->state = DAMAGED;
	else
		f->state = is->crc32 == f->content.crc32 ? GOOD : BAD_CHECKSUM;
}

static void look_at_data(struct file *f, struct slice data)
{
	struct content is = { .bytes = (int64_t)data.len };

	f->in_row = true;
	sha1(data, is.sha1);
	is.crc32 = (uint32_t)crc32_z(0, (const void *)data.p, data.len);
	judge(f, &is);
}

static int note_row(void *arg, const struct media_row *row, struct err *e)
{
	struct checking *k = arg;
	struct file *f;

	(void)e;
	if (row->deleted)
		return 0;
	if (k->n == k->cap) {
		k->cap = k->cap ? k->cap * 2 : 256;
		k->files = xrealloc(k->files, k->cap * sizeof *k->files);
	}
	f = &k->files[k->n++];
	*f = (struct file){ .name = xmalloc(row->name.len + 1), .name_len = row->name.len, .content = row->content };
	memcpy(f->name, row->name.p, row->name.len);
	f->name[row->name.len] = 0;
	k->c->files++;
	k->c->bytes += row->content.bytes;
	if (row->data.p)
		look_at_data(f, row->data);
	return 0;
}

static int index_is_damaged(struct checking *k, const char *why, struct err *e)
{
	char aside[HOME_NAME_MAX];

	found(k, MEDIA_INDEX_DAMAGED, slice_of(why));
	return k->c->repair ? home_media_set_aside(k->home, aside, e) : 0;
}

/* Under the lock: what should be there. 1; 0 when there is nothing to compare; -1. */
static int look_at_index(struct checking *k, struct err *e)
{
	struct buf why = BUF_INIT(BUF_UNBOUNDED);
	struct err damage = ERR_INIT;
	struct media *m;
	bool wrong;
	int rc = home_media(k->home, false, &m, &damage);

	if (rc == 1)
		rc = media_is_sound(m, &why, &damage) == 1 ? 1 : -1;
	else if (rc == 0)
		return 0;
	if (rc == 1 && (media_recount(m, k->c->repair, &wrong, &damage) != 0 ||
			media_each(m, INT64_MIN, note_row, k, &damage) != 0))
		rc = -1;
	if (rc == 1 && wrong)
		found(k, MEDIA_COUNTS_WRONG, SLICE(""));
	if (rc < 0 && (why.len || damage.kind == ERR_DAMAGED))
		rc = index_is_damaged(k, why.len ? buf_str(&why) : damage.msg, e);
	else if (rc < 0 && e)
		*e = damage;
	buf_release(&why);
	return rc;
}

static int by_hash(const void *a, const void *b)
{
	return memcmp(((const struct file *)a)->content.sha1, ((const struct file *)b)->content.sha1, SHA1_BYTES);
}

/* What is in this descriptor: as much as should be there, hashed. 0 or -1. */
static int hash_content(struct checking *k, int fd, struct content *out, int64_t *done, struct err *e)
{
	struct sha1_state *hash = sha1_new();
	ssize_t got;

	*out = (struct content){ .bytes = 0 };
	while ((got = read(fd, k->piece, PIECE_BYTES)) != 0) {
		if (got < 0) {
			if (errno == EINTR)
				continue;
			sha1_end(hash, NULL);
			return err_errno(e, "%s", k->contents.path);
		}
		sha1_add(hash, k->piece, (size_t)got);
		out->crc32 = (uint32_t)crc32_z(out->crc32, (const void *)k->piece, (size_t)got);
		out->bytes += got;
		*done += got;
		if (k->c->progress)
			k->c->progress(k->c->arg, *done, k->c->bytes);
	}
	sha1_end(hash, out->sha1);
	return 0;
}

static int look_at(struct checking *k, struct file *f, int64_t *done, struct err *e)
{
	int64_t bytes, changed_s, before = *done;
	struct content is;
	int fd, rc = contents_get(&k->contents, &f->content, &fd, e);

	if (rc < 0)
		return -1;
	if (rc == 0) {
		rc = contents_stat(&k->contents, f->content.sha1, &bytes, &changed_s, e);
		f->state = rc == 1 ? DAMAGED : MISSING;
		*done += f->content.bytes;
		return rc < 0 ? -1 : 0;
	}
	rc = hash_content(k, fd, &is, done, e);
	close(fd);
	*done = before + f->content.bytes;
	if (rc != 0)
		return -1;
	judge(f, &is);
	return 0;
}

/* Without the lock: contents never change, and one that a row needs stays for a day after the row went. */
static int look_at_contents(struct checking *k, struct err *e)
{
	int64_t done = 0;
	int rc = contents_open(&k->contents, k->home, e);

	if (rc < 0)
		return -1;
	qsort(k->files, k->n, sizeof *k->files, by_hash);
	for (size_t i = 0; i < k->n; i++) {
		if (k->files[i].in_row)
			done += k->files[i].content.bytes;
		else if (rc == 0)
			k->files[i].state = MISSING;
		else if (look_at(k, &k->files[i], &done, e) != 0)
			return -1;
	}
	return 0;
}

/* Is it still as it was? The user's devices go on meanwhile. */
static int still_bad(struct checking *k, struct media *m, struct file *f, bool *bad, struct err *e)
{
	struct media_row row;
	int64_t done = 0;
	int rc = media_find(m, name_of(f), &row, e);

	*bad = false;
	if (rc != 1)
		return rc;
	if (row.deleted || memcmp(row.content.sha1, f->content.sha1, SHA1_BYTES) != 0)
		return 0;
	if (row.data.p)
		look_at_data(f, row.data);
	else if (k->contents.dirfd >= 0 && look_at(k, f, &done, e) != 0)
		return -1;
	*bad = f->state != GOOD;
	return 0;
}

/* One finding, for good. Adds the name to `lost` when the content is not to be had. */
static int settle(struct checking *k, struct media *m, struct file *f, struct slice *lost, size_t *n_lost, struct err *e)
{
	switch (f->state) {
	case MISSING:
		found(k, MEDIA_MISSING, name_of(f));
		break;
	case DAMAGED:
		found(k, MEDIA_DAMAGED, name_of(f));
		if (k->c->repair && !f->in_row && contents_set_aside(&k->contents, f->content.sha1, e) != 0)
			return -1;
		break;
	default:
		found(k, MEDIA_CHECKSUM, name_of(f));
		return k->c->repair ? media_correct_crc32(m, name_of(f), f->true_crc32, e) : 0;
	}
	lost[(*n_lost)++] = name_of(f);
	return 0;
}

/* Under the lock again. */
static int finish(struct checking *k, struct err *e)
{
	struct slice *lost = xcalloc(k->n + 1, sizeof *lost);
	struct media_swept strays;
	size_t n_lost = 0;
	struct media *m;
	int rc = home_media(k->home, false, &m, e);

	if (rc == 1 && k->contents.dirfd < 0 && contents_open(&k->contents, k->home, e) < 0)
		rc = -1;
	for (size_t i = 0; i < k->n && rc == 1; i++) {
		bool bad = k->files[i].state != GOOD;

		if (bad && still_bad(k, m, &k->files[i], &bad, e) != 0)
			rc = -1;
		else if (bad && settle(k, m, &k->files[i], lost, &n_lost, e) != 0)
			rc = -1;
	}
	if (rc == 1 && k->c->repair && n_lost && media_forget(m, lost, n_lost, true, e) != 0)
		rc = -1;
	if (rc == 1 && media_strays(m, MEDIA_STRAY_S, &strays, e) != 0)
		rc = -1;
	if (rc == 1) {
		k->c->strays = strays.files;
		k->c->foreign = strays.foreign;
	}
	free(lost);
	return rc < 0 ? -1 : 0;
}

int media_check_run(struct home *h, struct media_check *c, struct err *e)
{
	struct checking k = { .c = c, .home = h, .contents = CONTENTS_INIT, .piece = xmalloc(PIECE_BYTES) };
	int rc = -1;

	c->files = c->bytes = c->findings = c->strays = c->foreign = 0;
	if (home_lock(h, e) != 0)
		goto out;
	rc = look_at_index(&k, e);
	home_unlock(h);
	if (rc == 1) {
		rc = -1;
		if (look_at_contents(&k, e) == 0 && home_lock(h, e) == 0)
			rc = finish(&k, e);
		home_unlock(h);
	}
out:
	for (size_t i = 0; i < k.n; i++)
		free(k.files[i].name);
	free(k.files);
	free(k.piece);
	contents_close(&k.contents);
	return rc;
}
