/* See watch.h. Each replaced function makes the system call itself. */
#include "tests/faults/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include "storage/contents_sync.h"

static struct {
	char folder[PATH_MAX];
	size_t folder_len;
	enum watch_fault fault;
	long at, count;
	int error, record;
	bool on;
	pthread_mutex_t lock;
} watch = { .record = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

static void put(const void *p, size_t n)
{
	const char *at = p;

	while (n) {
		long done = syscall(SYS_write, watch.record, at, n);

		if (done <= 0)
			_exit(99);
		at += done;
		n -= (size_t)done;
	}
}

static bool inside(const char *path)
{
	size_t n = strlen(path);

	/* Shared memory of SQLite is not meant to outlive anything. */
	return strncmp(path, watch.folder, watch.folder_len) == 0 && (n < 4 || strcmp(path + n - 4, "-shm") != 0);
}

static bool path_of_fd(int fd, char path[PATH_MAX])
{
	char link[64];
	long n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
	path[n > 0 ? n : 0] = 0;
	return n > 0;
}

static bool path_at(int dirfd, const char *name, char path[PATH_MAX])
{
	char folder[PATH_MAX];

	if (name[0] == '/')
		return (size_t)snprintf(path, PATH_MAX, "%s", name) < PATH_MAX;
	if (dirfd == AT_FDCWD || !path_of_fd(dirfd, folder))
		return false;
	return (size_t)snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

/*
 * One call, under the lock. `what`: a letter and its words for the record; data may follow. True when the call shall fail
 * now, with errno set.
 */
static bool strike(bool needs_room, const char *what, const void *data, size_t n)
{
	bool fails = false;

	watch.count++;
	if (watch.fault == WATCH_KILL && watch.count == watch.at)
		kill(getpid(), SIGKILL);
	if (watch.fault == WATCH_ONCE)
		fails = watch.count == watch.at;
	if (watch.fault == WATCH_EVER)
		fails = watch.count >= watch.at && (needs_room || watch.error != ENOSPC);
	if (fails) {
		errno = watch.error;
		return true;
	}
	if (watch.record >= 0) {
		char head[3 * PATH_MAX];
		int len = snprintf(head, sizeof head, "%zu %s\n", n, what);

		put(head, (size_t)len);
		if (n)
			put(data, n);
	}
	return false;
}

#define ENTER() bool on_ = watch.on; if (on_) pthread_mutex_lock(&watch.lock)
#define LEAVE() do { int e_ = errno; if (on_) pthread_mutex_unlock(&watch.lock); errno = e_; } while (0)

static long fd_call(long number, int fd, const char *letter, bool needs_room, const void *data, size_t n, long a, long b)
{
	char path[PATH_MAX], what[PATH_MAX + 64];
	long rc = -1;
	ENTER();

	if (on_ && path_of_fd(fd, path) && inside(path)) {
		snprintf(what, sizeof what, "%s %ld %s", letter, a, path);
		if (strike(needs_room, what, data, n))
			goto out;
	}
	switch (number) {
	case SYS_write:
		rc = syscall(number, fd, data, n);
		break;
	case SYS_pwrite64:
		rc = syscall(number, fd, data, n, a);
		break;
	default:
		rc = syscall(number, fd, b);
	}
out:
	LEAVE();
	return rc;
}

ssize_t write(int fd, const void *p, size_t n)
{
	long at = watch.on ? syscall(SYS_lseek, fd, 0L, SEEK_CUR) : 0;

	return fd_call(SYS_write, fd, "write", true, p, n, at, 0);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	return fd_call(SYS_pwrite64, fd, "write", true, p, n, at, 0);
}

int ftruncate64(int fd, off64_t length)
{
	return (int)fd_call(SYS_ftruncate, fd, "truncate", false, NULL, 0, length, length);
}

int fsync(int fd)
{
	return (int)fd_call(SYS_fsync, fd, "fsync", true, NULL, 0, 0, 0);
}

int fdatasync(int fd)
{
	return (int)fd_call(SYS_fdatasync, fd, "fsync", true, NULL, 0, 0, 0);
}

int syncfs(int fd)
{
	return (int)fd_call(SYS_syncfs, fd, "syncfs", true, NULL, 0, 0, 0);
}

/* Instead of storage/contents_aio.c: one by one, so that each is a call of its own. */
int sync_at_once(const int *fds, size_t n, int folder)
{
	int error = 0;

	for (size_t i = 0; i < n; i++)
		if (fdatasync(fds[i]) != 0)
			error = errno;
	return folder >= 0 && fsync(folder) != 0 ? errno : error;
}

/* `a` and `b` are full paths, for the record; b may be "". */
static bool names_strike(bool needs_room, const char *letter, const char *a, const char *b)
{
	char what[2 * PATH_MAX + 32];

	if (!inside(a))
		return false;
	snprintf(what, sizeof what, "%s 0 %s%s%s", letter, a, *b ? "\t" : "", b);
	return strike(needs_room, what, NULL, 0);
}

static int open_call(int dirfd, const char *name, int flags, unsigned mode)
{
	char path[PATH_MAX];
	long rc = -1;
	ENTER();

	/* Only what makes a new file is a change. */
	if (on_ && flags & O_CREAT && path_at(dirfd, name, path) && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) != 0 &&
	    names_strike(true, "create", path, ""))
		goto out;
	rc = syscall(SYS_openat, dirfd, name, flags, mode);
out:
	LEAVE();
	return (int)rc;
}

int openat64(int dirfd, const char *name, int flags, ...)
{
	va_list ap;
	unsigned mode;

	va_start(ap, flags);
	mode = va_arg(ap, unsigned);
	va_end(ap);
	return open_call(dirfd, name, flags, mode);
}

int open64(const char *name, int flags, ...)
{
	va_list ap;
	unsigned mode;

	va_start(ap, flags);
	mode = va_arg(ap, unsigned);
	va_end(ap);
	return open_call(AT_FDCWD, name, flags, mode);
}

int mkdirat(int dirfd, const char *name, mode_t mode)
{
	char path[PATH_MAX];
	long rc = -1;
	ENTER();

	if (!(on_ && path_at(dirfd, name, path) && names_strike(true, "mkdir", path, "")))
		rc = syscall(SYS_mkdirat, dirfd, name, mode);
	LEAVE();
	return (int)rc;
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	char a[PATH_MAX], b[PATH_MAX];
	long rc = -1;
	ENTER();

	if (!(on_ && path_at(from_fd, from, a) && path_at(to_fd, to, b) && names_strike(true, "rename", a, b)))
		rc = syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
	LEAVE();
	return (int)rc;
}

int unlinkat(int dirfd, const char *name, int flags)
{
	char path[PATH_MAX];
	long rc = -1;
	ENTER();

	if (!(on_ && path_at(dirfd, name, path) && names_strike(false, "unlink", path, "")))
		rc = syscall(SYS_unlinkat, dirfd, name, flags);
	LEAVE();
	return (int)rc;
}

int unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

/* The names that a build without large file support would call; SQLite's library uses both kinds. */
ssize_t pwrite(int fd, const void *p, size_t n, off_t at) __attribute__((alias("pwrite64")));
int ftruncate(int fd, off_t length) __attribute__((alias("ftruncate64")));

#undef open
#undef openat
int open(const char *name, int flags, ...)
{
	va_list ap;
	unsigned mode;

	va_start(ap, flags);
	mode = va_arg(ap, unsigned);
	va_end(ap);
	return open_call(AT_FDCWD, name, flags, mode);
}

int openat(int dirfd, const char *name, int flags, ...)
{
	va_list ap;
	unsigned mode;

	va_start(ap, flags);
	mode = va_arg(ap, unsigned);
	va_end(ap);
	return open_call(dirfd, name, flags, mode);
}

void watch_begin(const char *folder, enum watch_fault fault, long at, int error, int record)
{
	watch.folder_len = (size_t)snprintf(watch.folder, sizeof watch.folder, "%s", folder);
	watch.fault = fault;
	watch.at = at;
	watch.count = 0;
	watch.error = error;
	watch.record = record;
	watch.on = true;
}

void watch_note(const char *text)
{
	char what[64];
	int n = snprintf(what, sizeof what, "0 note 0 %s\n", text);

	if (watch.record >= 0)
		put(what, (size_t)n);
}

long watch_end(void)
{
	watch.on = false;
	return watch.count;
}
