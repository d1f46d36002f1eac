/* See contents_sync.h. */
#include "storage/contents_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "storage/contents.h"

enum {
	MANY_FILES = 4,          /* from here on it is worth while to think */
	STRANGE_KB = 8 << 10,    /* so much that is not ours may go to the disk with it */
	THREADS = 8,
	STACK_BYTES = 64 << 10,
};

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
	return dirty + writeback <= own_bytes / 1024 + STRANGE_KB;
}

bool sync_all_is_cheapest(size_t files, int64_t bytes)
{
	return files >= MANY_FILES && others_are_quiet(bytes);
}

void sync_hint(int fd)
{
	(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

struct syncing {
	const int *fds;
	size_t n;
	atomic_size_t next;
	atomic_int error; /* an errno */
};

static void *sync_some(void *arg)
{
	struct syncing *s = arg;
	size_t i;

	while ((i = atomic_fetch_add(&s->next, 1)) < s->n)
		if (s->fds[i] >= 0 && fdatasync(s->fds[i]) != 0)
			atomic_store(&s->error, errno);
	return NULL;
}

/*
 * One after the other, 25 files wait for 25 flushes of the disk; at the same time they share a few. The threads do nothing
 * but this, and are gone when it returns. One that cannot be had is no error: there is always this one.
 */
static void sync_together(struct syncing *s)
{
	pthread_t threads[THREADS];
	pthread_attr_t attr;
	sigset_t all, before;
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		sync_hint(s->fds[i]);
	/* Signals are the worker's. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	while (n < THREADS - 1 && n + 1 < s->n && pthread_create(&threads[n], &attr, sync_some, s) == 0)
		n++;
	pthread_attr_destroy(&attr);
	sync_some(s);
	while (n)
		pthread_join(threads[--n], NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int sync_files(const int *fds, size_t n, const char *what, struct err *e)
{
	struct syncing s = { .fds = fds, .n = n };

	if (n >= MANY_FILES)
		sync_together(&s);
	else
		sync_some(&s);
	errno = atomic_load(&s.error);
	return errno ? err_errno(e, "%s: new files: fdatasync", what) : 0;
}
