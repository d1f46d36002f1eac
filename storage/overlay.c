/* See overlay.h. The part of SQLite's file layer (sqlite.org/vfs.html) that one connection without a journal file needs. */
#include "storage/overlay.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>

#include "base/buf.h"
#include "storage/sql.h"

enum {
	BLOCK = 512, /* the smallest page; every write is of whole pages */
	HEADER_VERSIONS = 18, /* file format write version and read version: 1 is the rollback journal, 2 WAL */
};

struct overlay {
	overlay_base_fn *read_base;
	void *base;
	uint64_t base_bytes, bytes;
	int fd;
	uint8_t *changed; /* a bit per block; those beyond are unchanged */
	size_t n_changed; /* blocks that have a bit */
};

struct overlay_file {
	sqlite3_file file;
	struct overlay *o;
};

static struct overlay *offered;

struct overlay *overlay_new(overlay_base_fn *read_base, void *base, uint64_t bytes, int fd)
{
	struct overlay *o = xcalloc(1, sizeof *o);

	*o = (struct overlay){ .read_base = read_base, .base = base, .base_bytes = bytes, .bytes = bytes, .fd = fd };
	return o;
}

void overlay_free(struct overlay *o)
{
	if (!o)
		return;
	if (o->fd >= 0)
		close(o->fd);
	free(o->changed);
	free(o);
}

uint64_t overlay_bytes(const struct overlay *o)
{
	return o->bytes;
}

static bool is_changed(const struct overlay *o, uint64_t block)
{
	return block < o->n_changed && o->changed[block / 8] >> (block % 8) & 1;
}

static void set_changed(struct overlay *o, uint64_t first, uint64_t end)
{
	if (end > o->n_changed) {
		size_t old = (o->n_changed + 7) / 8, now = (size_t)(2 * end + 7) / 8;

		o->changed = xrealloc(o->changed, now);
		memset(o->changed + old, 0, now - old);
		o->n_changed = now * 8;
	}
	for (uint64_t i = first; i < end; i++)
		o->changed[i / 8] |= (uint8_t)(1u << (i % 8));
}

static int read_changes(struct overlay *o, char *p, size_t n, uint64_t at, struct err *e)
{
	while (n) {
		ssize_t got = pread(o->fd, p, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? err_errno(e, "changes") : err_set(e, ERR_INTERNAL, "changes: cut short");
		p += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static int read_base(struct overlay *o, char *p, size_t n, uint64_t at, struct err *e)
{
	assert(at + n <= o->base_bytes);
	if (o->read_base(o->base, p, n, at, e) != 0)
		return -1;
	for (uint64_t i = HEADER_VERSIONS; i < HEADER_VERSIONS + 2; i++)
		if (i >= at && i < at + n)
			p[i - at] = 1;
	return 0;
}

int overlay_read(struct overlay *o, void *p, size_t n, uint64_t at, struct err *e)
{
	char *to = p;

	assert(at <= o->bytes && n <= o->bytes - at);
	while (n) {
		uint64_t block = at / BLOCK, end = block;
		bool changed = is_changed(o, block);
		size_t run;

		/* As far as it comes from the same side. */
		while (end * BLOCK < at + n && is_changed(o, end) == changed)
			end++;
		run = end * BLOCK < at + n ? (size_t)(end * BLOCK - at) : n;
		if ((changed ? read_changes(o, to, run, at, e) : read_base(o, to, run, at, e)) != 0)
			return -1;
		to += run;
		at += run;
		n -= run;
	}
	return 0;
}

/* --- what SQLite calls --- */

static struct overlay *of(sqlite3_file *file)
{
	return ((struct overlay_file *)file)->o;
}

static int file_close(sqlite3_file *file)
{
	(void)file;
	return SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at)
{
	struct overlay *o = of(file);
	uint64_t there = (uint64_t)at < o->bytes ? o->bytes - (uint64_t)at : 0;
	size_t got = (size_t)n < there ? (size_t)n : (size_t)there;

	if (got && overlay_read(o, p, got, (uint64_t)at, NULL) != 0)
		return SQLITE_IOERR_READ;
	if (got == (size_t)n)
		return SQLITE_OK;
	memset((char *)p + got, 0, (size_t)n - got);
	return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
	struct overlay *o = of(file);
	const char *from = p;
	uint64_t to = (uint64_t)at, end = to + (uint64_t)n;

	if (to % BLOCK || n % BLOCK)
		return SQLITE_IOERR_WRITE;
	for (uint64_t done = to; done < end;) {
		ssize_t put = pwrite(o->fd, from + (done - to), (size_t)(end - done), (off_t)done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return errno == ENOSPC || errno == EDQUOT ? SQLITE_FULL : SQLITE_IOERR_WRITE;
		done += (uint64_t)put;
	}
	if (to > o->bytes) /* nothing is between the base and what lies beyond it */
		return SQLITE_IOERR_WRITE;
	set_changed(o, to / BLOCK, end / BLOCK);
	if (end > o->bytes)
		o->bytes = end;
	return SQLITE_OK;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct overlay *o = of(file);

	/* What is cut off and comes again would have to be zeros, not the base: nobody needs that here. */
	if ((uint64_t)size < o->base_bytes)
		return SQLITE_IOERR_TRUNCATE;
	o->bytes = (uint64_t)size;
	return SQLITE_OK;
}

static int file_sync(sqlite3_file *file, int flags)
{
	(void)file;
	(void)flags;
	return SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
	*size = (sqlite3_int64)of(file)->bytes;
	return SQLITE_OK;
}

static int file_lock(sqlite3_file *file, int level)
{
	(void)file;
	(void)level;
	return SQLITE_OK;
}

static int file_reserved(sqlite3_file *file, int *result)
{
	(void)file;
	*result = 0;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
	(void)file;
	(void)op;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *file)
{
	(void)file;
	return 4096;
}

static int file_device(sqlite3_file *file)
{
	(void)file;
	return 0;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	static const sqlite3_io_methods methods = {
		.iVersion = 1,
		.xClose = file_close,
		.xRead = file_read,
		.xWrite = file_write,
		.xTruncate = file_truncate,
		.xSync = file_sync,
		.xFileSize = file_size,
		.xLock = file_lock,
		.xUnlock = file_lock,
		.xCheckReservedLock = file_reserved,
		.xFileControl = file_control,
		.xSectorSize = file_sector,
		.xDeviceCharacteristics = file_device,
	};

	(void)vfs;
	(void)name;
	file->pMethods = NULL;
	if (!offered || !(flags & SQLITE_OPEN_MAIN_DB)) /* journals and temporary tables are in memory (sql.c) */
		return SQLITE_CANTOPEN;
	file->pMethods = &methods;
	((struct overlay_file *)file)->o = offered;
	offered = NULL;
	if (out)
		*out = flags;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	(void)name;
	(void)sync;
	return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
	(void)vfs;
	(void)name;
	(void)flags;
	*result = 0; /* there is no journal beside it */
	return SQLITE_OK;
}

static int vfs_path(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
	(void)vfs;
	snprintf(out, (size_t)n, "%s", name);
	return SQLITE_OK;
}

void overlay_offer(struct overlay *o)
{
	static sqlite3_vfs vfs;

	if (!vfs.zName) {
		vfs = *sqlite3_vfs_find(NULL); /* time and random numbers as ever */
		vfs.pNext = NULL;
		vfs.szOsFile = sizeof(struct overlay_file);
		vfs.zName = SQL_OVERLAY_VFS;
		vfs.xOpen = vfs_open;
		vfs.xDelete = vfs_delete;
		vfs.xAccess = vfs_access;
		vfs.xFullPathname = vfs_path;
		sqlite3_vfs_register(&vfs, 0);
	}
	offered = o;
}
