/* See shim.h. The real calls are made as system calls: libc's own functions have our names. */
#include "tests/faults/shim.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "storage/contents_sync.h"

enum { FDS = 1024 };

struct shim *shim;
static bool in_child; /* the importing one */
static char *fd_paths[FDS];
static bool remembering; /* allocates for itself */

/* Headers declare only those that this build of libc redirects to. */
int open64(const char *path, int flags, ...);
int openat64(int dirfd, const char *path, int flags, ...);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags);
ssize_t pwrite64(int fd, const void *p, size_t n, off_t at);
int ftruncate64(int fd, off_t length);
ssize_t pread64(int fd, void *p, size_t n, off_t at);
ssize_t __read_chk(int fd, void *p, size_t n, size_t room);
ssize_t __pread_chk(int fd, void *p, size_t n, off_t at, size_t room);
ssize_t __pread64_chk(int fd, void *p, size_t n, off_t at, size_t room);
void *mmap64(void *p, size_t n, int prot, int flags, int fd, off_t at);
int fcntl64(int fd, int what, ...);
ssize_t getrandom(void *p, size_t n, unsigned flags);

static int map(const char *path, int flags)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_RDWR | O_CLOEXEC, 0600);
	void *p = MAP_FAILED;

	if (fd >= 0 && syscall(SYS_ftruncate, fd, sizeof *shim) == 0)
		p = mmap(NULL, sizeof *shim, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (p == MAP_FAILED)
		return -1;
	shim = p;
	return 0;
}

int shim_create(const char *path)
{
	return map(path, O_CREAT);
}

int shim_attach(const char *path)
{
	in_child = true;
	if (map(path, 0) != 0)
		return -1;
	shim->child = getpid();
	return 0;
}

/* --- paths --- */

/* Absolute; true when it is to be counted. */
static bool full_path(int dirfd, const char *path, char out[PATH_MAX])
{
	if (!shim || shim->mode == SHIM_OFF)
		return false;
	if (*path == '/')
		snprintf(out, PATH_MAX, "%s", path);
	else if (dirfd >= 0 && dirfd < FDS && fd_paths[dirfd])
		snprintf(out, PATH_MAX, "%s/%s", fd_paths[dirfd], path);
	else
		return false;
	size_t n = strlen(out);
	if (n > 2 && strcmp(out + n - 2, "/.") == 0)
		out[n - 2] = 0;
	n = strlen(shim->root);
	return strncmp(out, shim->root, n) == 0 && (out[n] == '/' || out[n] == 0);
}

static void remember(int fd, const char *path)
{
	if (fd < 0 || fd >= FDS)
		return;
	remembering = true;
	free(fd_paths[fd]);
	fd_paths[fd] = path ? strdup(path) : NULL;
	remembering = false;
}

static bool is_ours(int fd)
{
	return shim && shim->mode != SHIM_OFF && fd >= 0 && fd < FDS && fd_paths[fd];
}

/* --- counting and faults --- */

static void die(void)
{
	if (!in_child)
		syscall(SYS_kill, getpid(), SIGKILL);
	/* The child's sandbox has no kill(). The harness ends it, or the worker, whose child the kernel then ends. */
	__atomic_store_n(&shim->kill_wanted, 1, __ATOMIC_SEQ_CST);
	for (;;)
		;
}

/* 0: go on; 1: do half of it; -1 with errno: this call fails. `is_io`: it reads or writes. */
static int next_call(enum shim_kind kind, const char *what, const char *path, bool is_io)
{
	uint64_t n;
	bool now;

	if (shim->mode == SHIM_SLOW && is_io) {
		n = __atomic_add_fetch(&shim->count, 1, __ATOMIC_SEQ_CST);
		shim->fired = n;
		errno = EINTR;
		return n % 3 == shim->at % 3 ? -1 : 1;
	}
	if ((int)kind != shim->kind || shim->mode == SHIM_SLOW || (shim->mode == SHIM_KILL_CHILD && !in_child))
		return 0;
	n = __atomic_add_fetch(&shim->count, 1, __ATOMIC_SEQ_CST);
	now = n == shim->at || (shim->sticky && shim->at && n > shim->at);
	if (!now || shim->mode == SHIM_COUNT)
		return 0;
	if (n == shim->at) {
		shim->fired = n;
		snprintf(shim->fired_what, sizeof shim->fired_what, "%s%s %s", in_child ? "child: " : "", what,
			 path + strlen(shim->root));
	}
	switch (shim->mode) {
	case SHIM_KILL:
	case SHIM_KILL_CHILD:
		die();
		break;
	case SHIM_SHORT:
		if (is_io && n == shim->at)
			return 1;
		if (n == shim->at)
			return 0;
		break;
	default:
		break;
	}
	errno = shim->error;
	return -1;
}

static void record(enum shim_op op, int fd, uint64_t at, const void *p, size_t len)
{
	size_t room = sizeof(struct shim_record) + ((len + 7) & ~(size_t)7);
	struct shim_record r = { .op = op, .child = in_child, .fd = (int16_t)fd, .len = (uint32_t)len, .at = at,
				 .count = shim->count };

	if (!shim->tracing)
		return;
	if (shim->trace_len + room > SHIM_TRACE_BYTES) {
		shim->trace_full = true;
		return;
	}
	memcpy(shim->trace + shim->trace_len, &r, sizeof r);
	if (len)
		memcpy(shim->trace + shim->trace_len + sizeof r, p, len);
	shim->trace_len += room;
}

static void record_path(enum shim_op op, int fd, uint64_t at, const char *path)
{
	record(op, fd, at, path, strlen(path) + 1);
}

void shim_ack(void)
{
	shim->acks++;
	record(OP_ACK, 0, 0, NULL, 0);
}

/* --- the calls --- */

static int any_open(int dirfd, const char *path, int flags, mode_t mode)
{
	char full[PATH_MAX];
	bool ours = full_path(dirfd, path, full);
	int fd;

	if (shim && shim->mode != SHIM_OFF && strcmp(path, "/proc/meminfo") == 0 && !shim->quiet) {
		errno = ENOENT;
		return -1;
	}
	if (ours && next_call(SHIM_OPENS, "open", full, false) < 0)
		return -1;
	if (ours && (flags & O_CREAT) && (flags & O_EXCL || syscall(SYS_faccessat, AT_FDCWD, full, F_OK) != 0)) {
		if (next_call(SHIM_CHANGES, "create", full, false) < 0)
			return -1;
	} else if (ours && (flags & O_TRUNC)) {
		if (next_call(SHIM_CHANGES, "truncate", full, false) < 0)
			return -1;
	} else if (ours && (flags & O_ACCMODE) != O_RDONLY && shim->error == EROFS) {
		if (next_call(SHIM_CHANGES, "open for writing", full, false) < 0)
			return -1;
	}
	fd = (int)syscall(SYS_openat, dirfd, path, flags, mode);
	if (fd >= 0)
		remember(fd, ours ? full : NULL);
	if (fd >= 0 && ours)
		record_path(OP_OPEN, fd, (uint64_t)(flags & (O_CREAT | O_TRUNC)), full);
	return fd;
}

#define MODE_OF(flags, mode)                                    \
	do {                                                    \
		va_list ap_;                                    \
		va_start(ap_, flags);                           \
		mode = (flags) & O_CREAT ? va_arg(ap_, mode_t) : 0; \
		va_end(ap_);                                    \
	} while (0)

int open(const char *path, int flags, ...)
{
	mode_t mode;

	MODE_OF(flags, mode);
	return any_open(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	mode_t mode;

	MODE_OF(flags, mode);
	return any_open(AT_FDCWD, path, flags, mode);
}

int openat(int dirfd, const char *path, int flags, ...)
{
	mode_t mode;

	MODE_OF(flags, mode);
	return any_open(dirfd, path, flags, mode);
}

int openat64(int dirfd, const char *path, int flags, ...)
{
	mode_t mode;

	MODE_OF(flags, mode);
	return any_open(dirfd, path, flags, mode);
}

int __open_2(const char *path, int flags)
{
	return any_open(AT_FDCWD, path, flags, 0);
}

int __open64_2(const char *path, int flags)
{
	return any_open(AT_FDCWD, path, flags, 0);
}

int __openat_2(int dirfd, const char *path, int flags)
{
	return any_open(dirfd, path, flags, 0);
}

int __openat64_2(int dirfd, const char *path, int flags)
{
	return any_open(dirfd, path, flags, 0);
}

int close(int fd)
{
	remember(fd, NULL);
	return (int)syscall(SYS_close, fd);
}

static ssize_t any_write(int fd, const void *p, size_t n, int64_t at)
{
	bool ours = is_ours(fd);
	ssize_t done;

	if (ours) {
		int rc = next_call(SHIM_CHANGES, "write", fd_paths[fd], true);

		if (rc < 0)
			return -1;
		if (rc == 1 && n > 1)
			n /= 2;
		if (at < 0 && shim->tracing)
			at = syscall(SYS_lseek, fd, 0, SEEK_CUR);
		done = (ssize_t)syscall(SYS_pwrite64, fd, p, n, at);
		if (at >= 0 && done > 0)
			record(OP_WRITE, fd, (uint64_t)at, p, (size_t)done);
		return done;
	}
	return (ssize_t)syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t write(int fd, const void *p, size_t n)
{
	ssize_t done;

	if (!is_ours(fd))
		return (ssize_t)syscall(SYS_write, fd, p, n);
	done = any_write(fd, p, n, syscall(SYS_lseek, fd, 0, SEEK_CUR));
	if (done > 0)
		syscall(SYS_lseek, fd, done, SEEK_CUR);
	return done;
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	return any_write(fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
	return any_write(fd, p, n, at);
}

int ftruncate(int fd, off_t length)
{
	if (is_ours(fd)) {
		if (next_call(SHIM_CHANGES, "truncate", fd_paths[fd], false) < 0)
			return -1;
		record(OP_TRUNCATE, fd, (uint64_t)length, NULL, 0);
	}
	return (int)syscall(SYS_ftruncate, fd, length);
}

int ftruncate64(int fd, off_t length)
{
	return ftruncate(fd, length);
}

static int any_sync(int fd, enum shim_op op, const char *what)
{
	if (is_ours(fd)) {
		size_t n = strlen(fd_paths[fd]);

		if (next_call(SHIM_CHANGES, what, fd_paths[fd], false) < 0)
			return -1;
		if (!shim->loose || n < 4 || strcmp(fd_paths[fd] + n - 4, "-wal") != 0)
			record(op, fd, 0, NULL, 0);
	}
	return 0;
}

int fsync(int fd)
{
	return any_sync(fd, OP_SYNC, "fsync");
}

int fdatasync(int fd)
{
	return any_sync(fd, OP_SYNC, "fdatasync");
}

int syncfs(int fd)
{
	return any_sync(fd, OP_SYNC_ALL, "syncfs");
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

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	char both[2 * PATH_MAX], a[PATH_MAX], b[PATH_MAX];
	bool ours = full_path(from_dir, from, a) && full_path(to_dir, to, b);
	int rc;

	if (ours && next_call(SHIM_CHANGES, "rename to", b, false) < 0)
		return -1;
	rc = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
	if (rc == 0 && ours) {
		size_t n = strlen(a) + 1;

		memcpy(both, a, n);
		memcpy(both + n, b, strlen(b) + 1);
		record(OP_RENAME, 0, 0, both, n + strlen(b) + 1);
	}
	return rc;
}

int rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

/* Not in the trace: only where the first account's database is made. */
int link(const char *from, const char *to)
{
	char full[PATH_MAX];

	if (full_path(AT_FDCWD, to, full) && next_call(SHIM_CHANGES, "link", full, false) < 0)
		return -1;
	return (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int dirfd, const char *path, int flags)
{
	char full[PATH_MAX];
	bool ours = full_path(dirfd, path, full);
	int rc;

	if (ours && next_call(SHIM_CHANGES, flags & AT_REMOVEDIR ? "rmdir" : "unlink", full, false) < 0)
		return -1;
	rc = (int)syscall(SYS_unlinkat, dirfd, path, flags);
	if (rc == 0 && ours)
		record_path(flags & AT_REMOVEDIR ? OP_RMDIR : OP_UNLINK, 0, 0, full);
	return rc;
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdirat(int dirfd, const char *path, mode_t mode)
{
	char full[PATH_MAX];
	bool ours = full_path(dirfd, path, full);
	int rc;

	if (ours && syscall(SYS_faccessat, AT_FDCWD, full, F_OK) != 0 && next_call(SHIM_CHANGES, "mkdir", full, false) < 0)
		return -1;
	rc = (int)syscall(SYS_mkdirat, dirfd, path, mode);
	if (rc == 0 && ours)
		record_path(OP_MKDIR, 0, 0, full);
	return rc;
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

/* --- what changes nothing --- */

static ssize_t any_read(int fd, void *p, size_t n, int64_t at)
{
	int rc = is_ours(fd) ? next_call(SHIM_READS, "read", fd_paths[fd], true) : 0;

	if (rc < 0)
		return -1;
	if (rc == 1 && n > 1)
		n /= 2;
	return (ssize_t)(at < 0 ? syscall(SYS_read, fd, p, n) : syscall(SYS_pread64, fd, p, n, at));
}

ssize_t read(int fd, void *p, size_t n)
{
	return any_read(fd, p, n, -1);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	return any_read(fd, p, n, at);
}

ssize_t pread64(int fd, void *p, size_t n, off_t at)
{
	return any_read(fd, p, n, at);
}

ssize_t __read_chk(int fd, void *p, size_t n, size_t room)
{
	if (n > room)
		abort();
	return any_read(fd, p, n, -1);
}

ssize_t __pread_chk(int fd, void *p, size_t n, off_t at, size_t room)
{
	if (n > room)
		abort();
	return any_read(fd, p, n, at);
}

ssize_t __pread64_chk(int fd, void *p, size_t n, off_t at, size_t room)
{
	return __pread_chk(fd, p, n, at, room);
}

static void *next_symbol(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);

	if (!f)
		abort();
	return f;
}

struct dirent *readdir(DIR *dir)
{
	static struct dirent *(*real)(DIR *);

	if (is_ours(dirfd(dir)) && next_call(SHIM_READS, "readdir", fd_paths[dirfd(dir)], false) < 0)
		return NULL;
	if (!real)
		*(void **)&real = next_symbol("readdir");
	return real(dir);
}

struct dirent64 *readdir64(DIR *dir)
{
	return (struct dirent64 *)readdir(dir);
}

/* libc closes the descriptor itself. */
int closedir(DIR *dir)
{
	static int (*real)(DIR *);

	if (!real)
		*(void **)&real = next_symbol("closedir");
	remember(dirfd(dir), NULL);
	return real(dir);
}

int flock(int fd, int operation)
{
	if (is_ours(fd) && !(operation & LOCK_UN) && next_call(SHIM_LOCKS, "flock", fd_paths[fd], false) < 0)
		return -1;
	return (int)syscall(SYS_flock, fd, operation);
}

static int any_fcntl(int fd, int what, void *arg)
{
	if (is_ours(fd) && (what == F_SETLK || what == F_SETLKW) && ((struct flock *)arg)->l_type != F_UNLCK &&
	    next_call(SHIM_LOCKS, "fcntl", fd_paths[fd], false) < 0)
		return -1;
	return (int)syscall(SYS_fcntl, fd, what, arg);
}

int fcntl(int fd, int what, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, what);
	arg = va_arg(ap, void *);
	va_end(ap);
	return any_fcntl(fd, what, arg);
}

int fcntl64(int fd, int what, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, what);
	arg = va_arg(ap, void *);
	va_end(ap);
	return any_fcntl(fd, what, arg);
}

void *mmap(void *p, size_t n, int prot, int flags, int fd, off_t at)
{
	if (is_ours(fd) && next_call(SHIM_MAPS, "mmap", fd_paths[fd], false) < 0)
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, p, n, prot, flags, fd, at);
}

void *mmap64(void *p, size_t n, int prot, int flags, int fd, off_t at)
{
	return mmap(p, n, prot, flags, fd, at);
}

#ifndef FAULTS_PRELOAD

/* libc's own, under the names that it keeps for those who replace malloc. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *p, size_t n);

static bool no_memory(const char *what)
{
	return shim && shim->mode != SHIM_OFF && shim->kind == SHIM_MEMORY && !remembering && !shim->paused &&
	       next_call(SHIM_MEMORY, what, shim->root, false) < 0;
}

/* glibc's does not look whether it got what it asked for. */
FTS *fts_open(char *const *paths, int options, int (*compare)(const FTSENT **, const FTSENT **))
{
	bool before = shim && shim->paused;
	FTS *(*real)(char *const *, int, int (*)(const FTSENT **, const FTSENT **));
	FTS *walk;

	*(void **)&real = next_symbol("fts_open");
	if (shim)
		shim->paused = true;
	walk = real(paths, options, compare);
	if (shim)
		shim->paused = before;
	return walk;
}

void *malloc(size_t n)
{
	return no_memory("malloc") ? NULL : __libc_malloc(n);
}

void *calloc(size_t count, size_t n)
{
	return no_memory("calloc") ? NULL : __libc_calloc(count, n);
}

void *realloc(void *p, size_t n)
{
	return no_memory("realloc") ? NULL : __libc_realloc(p, n);
}

#else

static char preload[PATH_MAX + 16], control[PATH_MAX + 32];

static void __attribute__((constructor)) begin(void)
{
	const char *path = getenv("FAULTS_CONTROL"), *library = getenv("LD_PRELOAD");

	if (!path || !library || map(path, O_CREAT) != 0)
		return;
	snprintf(preload, sizeof preload, "LD_PRELOAD=%s", library);
	snprintf(control, sizeof control, "FAULTS_CONTROL=%s", path);
	in_child = getenv("FAULTS_CHILD") != NULL;
	*(in_child ? &shim->child : &shim->worker) = getpid();
}

/* The importing child is given an empty environment. */
int execve(const char *path, char *const argv[], char *const env[])
{
	static char is_child[] = "FAULTS_CHILD=1";
	char *ours[] = { preload, control, is_child, NULL };

	return (int)syscall(SYS_execve, path, argv, shim ? ours : env);
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, id, t);

	if (rc == 0 && shim && id == CLOCK_REALTIME)
		t->tv_sec += shim->clock_ms / 1000;
	return rc;
}

#endif

/* The same names and keys in every run of the worker, so that its states can be compared. */
ssize_t getrandom(void *p, size_t n, unsigned flags)
{
	uint8_t *to = p;

	if (!shim || !shim->random)
		return (ssize_t)syscall(SYS_getrandom, p, n, flags);
	for (size_t i = 0; i < n; i++) {
		shim->random = shim->random * 6364136223846793005u + 1442695040888963407u;
		to[i] = (uint8_t)(shim->random >> 56);
	}
	return (ssize_t)n;
}
