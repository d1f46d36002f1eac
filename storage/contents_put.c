/* Contents on their way in: hashed, written under a temporary name, and on the disk before anybody relies on them. See contents.h. */
#include "storage/contents.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <zlib.h>

enum {
	TEMPORARY_CHARS = 16,
	BULK_FILES = 4,             /* from here on one syncfs is cheaper than a sync per file */
	BULK_STRANGE_KB = 8 << 10,  /* so much that is not ours may go to the disk with it */
	EARLY_BYTES = 1 << 20,      /* files of this size are sent to the disk while others still come in */
	SYNC_THREADS = 8,
	SYNC_STACK_BYTES = 64 << 10,
};

struct staged {
	struct content content;
	int fd; /* -1 when it is empty */
	bool kept;
};

struct contents_put {
	struct contents folder;
	char random[TEMPORARY_CHARS + 1];
	struct staged files[CONTENTS_PUT_MAX];
	size_t n;
	struct sha1_state *sha1; /* of the one between begin and end */
	int64_t bytes;           /* of all */
	bool bulk, renamed;
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
	random_name(p->random, TEMPORARY_CHARS);
	return p;
}

void contents_put_free(struct contents_put *p)
{
	char name[CONTENTS_NAME_BYTES];

	if (!p)
		return;
	sha1_end(p->sha1, NULL);
	for (size_t i = 0; i < p->n; i++) {
		if (p->files[i].fd < 0)
			continue;
		close(p->files[i].fd);
		temporary_name(p, i, name);
		if (!p->files[i].kept)
			unlinkat(p->folder.dirfd, name, 0);
	}
	contents_close(&p->folder);
	free(p);
}

int contents_put_begin(struct contents_put *p, struct err *e)
{
	assert(!p->sha1);
	if (p->n == CONTENTS_PUT_MAX)
		return err_set(e, ERR_BAD_REQUEST, "more than %d files", CONTENTS_PUT_MAX);
	p->files[p->n++] = (struct staged){ .fd = -1 };
	p->sha1 = sha1_new();
	return 0;
}

int contents_put_write(struct contents_put *p, const void *data, size_t n, struct err *e)
{
	struct staged *f = &p->files[p->n - 1];
	const char *at = data;
	char name[CONTENTS_NAME_BYTES];

	assert(p->sha1);
	if (n == 0)
		return 0;
	temporary_name(p, p->n - 1, name);
	if (f->fd < 0)
		f->fd = openat(p->folder.dirfd, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return err_errno(e, "%s/%s", p->folder.path, name);
	sha1_add(p->sha1, data, n);
	f->content.crc32 = (uint32_t)crc32_z(f->content.crc32, data, n);
	f->content.bytes += (int64_t)n;
	p->bytes += (int64_t)n;
	while (n) {
		ssize_t put = write(f->fd, at, n);

		if (put < 0) {
			if (errno == EINTR)
				continue;
			return err_errno(e, "%s/%s: write", p->folder.path, name);
		}
		at += put;
		n -= (size_t)put;
	}
	return 0;
}

/* A hint: the disk works while we go on. */
static void start_writing(const struct staged *f)
{
	if (f->fd >= 0)
		(void)sync_file_range(f->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int contents_put_end(struct contents_put *p, struct err *e)
{
	struct staged *f = &p->files[p->n - 1];

	(void)e;
	sha1_end(p->sha1, f->content.sha1);
	p->sha1 = NULL;
	if (f->content.bytes >= EARLY_BYTES)
		start_writing(f);
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

static int assumed_quiet = -1;

void contents_put_assume_quiet(int quiet)
{
	assumed_quiet = quiet;
}

static bool number_behind(const char *text, const char *key, int64_t *v)
{
	const char *at = strstr(text, key);

	return at && sscanf(at + strlen(key), "%" SCNd64, v) == 1;
}

/*
 * Would a sync of the whole file system write hardly anything but our own files? Then it is the cheapest way: one flush
 * of the disk for all of them. While others write, it would make this user wait for them.
 */
static bool others_are_quiet(int64_t own_bytes)
{
	int64_t dirty = 0, writeback = 0;
	char text[4096];
	ssize_t n;
	int fd;

	if (assumed_quiet >= 0)
		return assumed_quiet;
	fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	if (!number_behind(text, "\nDirty:", &dirty) || !number_behind(text, "\nWriteback:", &writeback))
		return false;
	return dirty + writeback <= own_bytes / 1024 + BULK_STRANGE_KB;
}

static int sync_file(struct contents_put *p, size_t i, struct err *e)
{
	if (p->files[i].fd >= 0 && fdatasync(p->files[i].fd) != 0)
		return err_errno(e, "%s: a new file: fdatasync", p->folder.path);
	return 0;
}

/* --- many fdatasync at once --- */

struct syncing {
	struct contents_put *p;
	atomic_size_t next;
	atomic_int error; /* an errno */
};

static void *sync_some(void *arg)
{
	struct syncing *s = arg;
	size_t i;

	while ((i = atomic_fetch_add(&s->next, 1)) < s->p->n)
		if (s->p->files[i].fd >= 0 && fdatasync(s->p->files[i].fd) != 0)
			atomic_store(&s->error, errno);
	return NULL;
}

/*
 * One after the other they would wait for 25 flushes of the disk; at the same time they share a few. The threads do
 * nothing but this, and are gone when it returns. One that cannot be had is no error: there is always this one.
 */
static int sync_together(struct contents_put *p, struct err *e)
{
	struct syncing s = { .p = p };
	pthread_t threads[SYNC_THREADS];
	pthread_attr_t attr;
	sigset_t all, before;
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		start_writing(&p->files[i]);
	/* Signals are the worker's. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, SYNC_STACK_BYTES);
	while (n < SYNC_THREADS - 1 && n + 1 < p->n && pthread_create(&threads[n], &attr, sync_some, &s) == 0)
		n++;
	pthread_attr_destroy(&attr);
	sync_some(&s);
	while (n)
		pthread_join(threads[--n], NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = atomic_load(&s.error);
	return errno ? err_errno(e, "%s: new files: fdatasync", p->folder.path) : 0;
}

int contents_put_sync(struct contents_put *p, struct err *e)
{
	p->bulk = p->n >= BULK_FILES && others_are_quiet(p->bytes);
	if (p->bulk)
		return 0;
	if (p->n >= BULK_FILES)
		return sync_together(p, e);
	for (size_t i = 0; i < p->n; i++)
		if (sync_file(p, i, e) != 0)
			return -1;
	return 0;
}

int contents_put_keep(struct contents_put *p, size_t i, struct err *e)
{
	char from[CONTENTS_NAME_BYTES], to[CONTENTS_NAME_BYTES];

	assert(i < p->n && !p->sha1);
	if (p->files[i].kept || p->files[i].fd < 0)
		return 0;
	temporary_name(p, i, from);
	contents_name(p->files[i].content.sha1, to);
	/* Others may rely on the file that is there, so its successor must be on the disk before it takes the name. */
	if (p->bulk && faccessat(p->folder.dirfd, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0 && sync_file(p, i, e) != 0)
		return -1;
	if (renameat(p->folder.dirfd, from, p->folder.dirfd, to) != 0)
		return err_errno(e, "%s/%s: cannot rename to %s", p->folder.path, from, to);
	p->files[i].kept = p->renamed = true;
	return 0;
}

int contents_put_settle(struct contents_put *p, struct err *e)
{
	if (!p->renamed)
		return 0;
	if ((p->bulk ? syncfs(p->folder.dirfd) : fsync(p->folder.dirfd)) != 0)
		return err_errno(e, "%s: %s", p->folder.path, p->bulk ? "syncfs" : "fsync");
	return 0;
}
