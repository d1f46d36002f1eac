/*
 * Contents on their way in. Small ones wait in memory until it is certain that they are wanted, and are then written under
 * their names at once; large ones are written under a temporary name while they come. See contents.h.
 */
#include "storage/contents.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <zlib.h>

#include "storage/contents_sync.h"

enum {
	TEMPORARY_CHARS = 16,
	MEMORY_BYTES = 1 << 20,  /* what all small ones may take together */
	EARLY_BYTES = 1 << 20,   /* files of this size are sent to the disk while others still come in */
};

struct incoming {
	struct content content;
	struct buf memory; /* all of it, while fd is -1 */
	int fd;            /* of a temporary file, or of the final one once it is kept */
	bool temporary;    /* there is a file under the temporary name */
	bool made;         /* its name is new: nobody had it before */
	bool synced, kept;
};

struct contents_put {
	struct contents folder;
	char random[TEMPORARY_CHARS + 1];
	struct incoming files[CONTENTS_PUT_MAX];
	size_t n, in_memory;     /* in_memory: bytes */
	struct sha1_state *sha1; /* of the one between begin and end */
	int64_t bytes;           /* of all */
	enum { UNDECIDED, EACH, ALL } way; /* to the disk; ALL: one syncfs in `settle` */
	bool changed;
};

/* Files of a put are called tmp-<random>-<number>. */
static void temporary_name(const struct contents_put *p, size_t i, char name[CONTENTS_NAME_BYTES])
{
	snprintf(name, CONTENTS_NAME_BYTES, CONTENTS_TEMPORARY "%s-%zu", p->random, i);
}

struct contents_put *contents_put_new(struct home *h, struct err *e)
{
	struct contents_put *p = xcalloc(1, sizeof *p);

	p->folder.dirfd = -1;
	if (contents_make(&p->folder, h, e) != 0) {
		free(p);
		return NULL;
	}
	return p;
}

void contents_put_free(struct contents_put *p)
{
	char name[CONTENTS_NAME_BYTES];

	if (!p)
		return;
	sha1_end(p->sha1, NULL);
	for (size_t i = 0; i < p->n; i++) {
		temporary_name(p, i, name);
		if (p->files[i].temporary)
			unlinkat(p->folder.dirfd, name, 0);
		if (p->files[i].fd >= 0)
			close(p->files[i].fd);
		buf_release(&p->files[i].memory);
	}
	contents_close(&p->folder);
	free(p);
}

/* --- coming in --- */

int contents_put_begin(struct contents_put *p, struct err *e)
{
	assert(!p->sha1);
	if (p->n == CONTENTS_PUT_MAX)
		return err_set(e, ERR_BAD_REQUEST, "more than %d files", CONTENTS_PUT_MAX);
	p->files[p->n++] = (struct incoming){ .fd = -1, .memory = BUF_INIT(MEMORY_BYTES) };
	p->sha1 = sha1_new();
	return 0;
}

static int write_all(struct contents_put *p, int fd, const char *at, size_t n, struct err *e)
{
	while (n) {
		ssize_t put = write(fd, at, n);

		if (put < 0) {
			if (errno == EINTR)
				continue;
			return err_errno(e, "%s: a new file: write", p->folder.path);
		}
		at += put;
		n -= (size_t)put;
	}
	return 0;
}

static int make_temporary(struct contents_put *p, size_t i, struct err *e)
{
	struct incoming *f = &p->files[i];
	char name[CONTENTS_NAME_BYTES];

	if (!*p->random)
		random_name(p->random, TEMPORARY_CHARS);
	temporary_name(p, i, name);
	f->fd = openat(p->folder.dirfd, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return err_errno(e, "%s/%s", p->folder.path, name);
	f->temporary = true;
	return write_all(p, f->fd, f->memory.data, f->memory.len, e);
}

static void leave_memory(struct contents_put *p, struct incoming *f)
{
	p->in_memory -= f->memory.len;
	buf_release(&f->memory);
}

int contents_put_write(struct contents_put *p, const void *data, size_t n, struct err *e)
{
	struct incoming *f = &p->files[p->n - 1];

	assert(p->sha1);
	if (n == 0)
		return 0;
	sha1_add(p->sha1, data, n);
	f->content.crc32 = (uint32_t)crc32_z(f->content.crc32, data, n);
	f->content.bytes += (int64_t)n;
	p->bytes += (int64_t)n;
	if (f->fd < 0 && n <= MEMORY_BYTES - p->in_memory) {
		p->in_memory += n;
		buf_put(&f->memory, data, n);
		return 0;
	}
	if (f->fd < 0) {
		if (make_temporary(p, p->n - 1, e) != 0)
			return -1;
		leave_memory(p, f);
	}
	return write_all(p, f->fd, data, n, e);
}

int contents_put_end(struct contents_put *p, struct err *e)
{
	struct incoming *f = &p->files[p->n - 1];

	(void)e;
	sha1_end(p->sha1, f->content.sha1);
	p->sha1 = NULL;
	if (f->fd >= 0 && f->content.bytes >= EARLY_BYTES)
		sync_hint(f->fd);
	return 0;
}

size_t contents_put_count(const struct contents_put *p)
{
	return p->n;
}

const struct content *contents_put_content(const struct contents_put *p, size_t i)
{
	assert(i < p->n);
	return &p->files[i].content;
}

struct slice contents_put_memory(const struct contents_put *p, size_t i)
{
	assert(i < p->n && !p->sha1);
	return p->files[i].fd < 0 ? buf_slice(&p->files[i].memory) : (struct slice){ NULL, 0 };
}

/* --- to the disk --- */

/* Open files that are not on the disk yet. How many. */
static size_t unsynced(const struct contents_put *p, int fds[CONTENTS_PUT_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		if (p->files[i].fd >= 0 && !p->files[i].synced)
			fds[n++] = p->files[i].fd;
	return n;
}

/* All of them, and unless it is -1 their folder. */
static int sync_rest(struct contents_put *p, int folder, struct err *e)
{
	int fds[CONTENTS_PUT_MAX];
	size_t n = unsynced(p, fds);

	if (sync_files(fds, n, folder, p->folder.path, e) != 0)
		return -1;
	for (size_t i = 0; i < p->n; i++)
		p->files[i].synced = p->files[i].synced || p->files[i].fd >= 0;
	return 0;
}

static void decide(struct contents_put *p)
{
	if (p->way == UNDECIDED)
		p->way = sync_all_is_cheapest(p->n, p->bytes) ? ALL : EACH;
}

int contents_put_sync(struct contents_put *p, struct err *e)
{
	int fds[CONTENTS_PUT_MAX];

	if (unsynced(p, fds) == 0)
		return 0;
	decide(p);
	return p->way == ALL ? 0 : sync_rest(p, -1, e);
}

/* Others may rely on the file that has the name, so its successor must be on the disk before it takes it. */
static int replace(struct contents_put *p, size_t i, const char *name, struct err *e)
{
	struct incoming *f = &p->files[i];
	char temporary[CONTENTS_NAME_BYTES];

	if (!f->temporary && make_temporary(p, i, e) != 0)
		return -1;
	if (!f->synced && sync_files(&f->fd, 1, -1, p->folder.path, e) != 0)
		return -1;
	f->synced = true;
	temporary_name(p, i, temporary);
	if (renameat(p->folder.dirfd, temporary, p->folder.dirfd, name) != 0)
		return err_errno(e, "%s/%s: cannot rename to %s", p->folder.path, temporary, name);
	f->temporary = false;
	return 0;
}

/* A small one, under its name at once. Until a row needs it nobody looks at it, so it may be half there for a moment. */
static int make_final(struct contents_put *p, struct incoming *f, const char *name, struct err *e)
{
	int fd = openat(p->folder.dirfd, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno == EEXIST ? 0 : err_errno(e, "%s/%s", p->folder.path, name);
	f->fd = fd;
	f->made = true;
	return write_all(p, fd, f->memory.data, f->memory.len, e) == 0 ? 1 : -1;
}

int contents_put_keep(struct contents_put *p, size_t i, struct err *e)
{
	struct incoming *f = &p->files[i];
	char name[CONTENTS_NAME_BYTES], temporary[CONTENTS_NAME_BYTES];
	int rc = 0;

	assert(i < p->n && !p->sha1 && f->content.bytes > 0);
	if (f->kept)
		return 0;
	p->changed = true;
	contents_name(f->content.sha1, name);
	if (!f->temporary) {
		rc = make_final(p, f, name, e);
	} else if (faccessat(p->folder.dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
		temporary_name(p, i, temporary);
		if (renameat(p->folder.dirfd, temporary, p->folder.dirfd, name) != 0)
			return err_errno(e, "%s/%s: cannot rename to %s", p->folder.path, temporary, name);
		f->temporary = false;
		f->made = true;
		rc = 1;
	}
	if (rc < 0 || (rc == 0 && replace(p, i, name, e) != 0))
		return -1;
	f->kept = true;
	return 0;
}

int contents_put_settle(struct contents_put *p, struct err *e)
{
	if (!p->changed)
		return 0;
	decide(p);
	if (p->way == ALL)
		return syncfs(p->folder.dirfd) == 0 ? 0 : err_errno(e, "%s: syncfs", p->folder.path);
	return sync_rest(p, p->folder.dirfd, e);
}

void contents_put_undo(struct contents_put *p)
{
	char name[CONTENTS_NAME_BYTES];

	for (size_t i = 0; i < p->n; i++) {
		contents_name(p->files[i].content.sha1, name);
		if (p->files[i].made)
			unlinkat(p->folder.dirfd, name, 0);
		p->files[i].made = false;
	}
}
